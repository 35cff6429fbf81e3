"""The region's reference rates, one conversion made twice, and the volume in euro."""

import json
from datetime import date
from typing import Any

from pipelines.demo.blocks.block import Block, Job, Place
from pipelines.demo.checks import Check
from regions.money import Money

TITLE = "Reference rates and volume in euro"
RATES = """SELECT min(rate_date)::varchar AS first, max(rate_date)::varchar AS last, source, count(*)::int AS days
             FROM intermediate.int_fx_days GROUP BY source ORDER BY source"""
# The latest payment that was converted: Python must say the same from the lake.
SAMPLE = """SELECT currency, amount_minor, eur_amount_minor, fx_rate_date::varchar AS fx_rate_date,
                   strftime(coalesce(succeeded_at, created_at), '%Y-%m-%dT%H:%M:%S.%f+00:00') AS rated_at
              FROM fct_payments WHERE currency != 'EUR' AND eur_amount_minor IS NOT NULL
             ORDER BY created_at DESC, payment_id LIMIT 1"""
VOLUME = """SELECT coalesce(sum(eur_amount_minor), 0)::bigint AS eur_minor, count(*)::int AS payments,
                   count(*) FILTER (WHERE fx_missing_reason IS NOT NULL)::int AS without_rate
              FROM fct_payments WHERE status = 'succeeded'"""


def fx(place: Place, day: date, job: Job) -> Block:
    """Everything is of the published warehouse; the day is how far rates were loaded for it."""

    def rows(query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(job("sql", "--region", place.code, query, "--format", "json"))
        return found

    rates, [volume] = rows(RATES), rows(VOLUME)
    lines = [f"{one['source']:<8} {one['days']:>5} days, {one['first']} to {one['last']}" for one in rates]
    paid = Money(volume["eur_minor"], "EUR")
    lines.append(f"succeeded {volume['payments']} payments, together {paid}")
    detail = "no payment had to be converted"
    for one in rows(SAMPLE):
        amount = Money(one["amount_minor"], one["currency"])
        converted = _python(place.code, amount, one["rated_at"], job)
        lines.append(f"{amount} = {Money(one['eur_amount_minor'], 'EUR')} at the rates of {one['fx_rate_date']}")
        same = (converted["converted_minor"], converted["rate_date"]) == (one["eur_amount_minor"], one["fx_rate_date"])
        detail = "" if same else f"{amount}: {one} in SQL, {converted} in Python"
    without = f"{volume['without_rate']} succeeded payments have none on {day}" if volume["without_rate"] else ""
    return Block(
        TITLE,
        lines,
        [
            Check(place.code, "fx: SQL converts as Python does", detail),
            Check(place.code, "fx: every paid amount has a rate", without),
        ],
    )


def _python(code: str, amount: Money, at: str, job: Job) -> dict[str, Any]:
    words = ("fx", "convert", str(amount.to_decimal()), amount.currency, "EUR", "--at", at, "--region", code)
    found: dict[str, Any] = json.loads(job(*words, "--format", "json"))
    return found
