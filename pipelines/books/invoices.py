"""Merchants' invoices: a month's use, from the published build, at each merchant's plan."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from regions.errors import ConfigurationError
from regions.pricing import Pricing, Usage, invoice

if TYPE_CHECKING:
    import duckdb

_USAGE = """
WITH paid AS (
  SELECT merchant_id, currency, count(*) AS payment_count, sum(captured_minor)::bigint AS volume_minor
    FROM fct_payments
   WHERE livemode = $livemode AND status = 'succeeded' AND succeeded_on BETWEEN $since AND $until GROUP BY 1, 2
), refunded AS (
  SELECT merchant_id, currency, count(*) AS refund_count FROM fct_refunds
   WHERE livemode = $livemode AND status = 'succeeded' AND succeeded_on BETWEEN $since AND $until GROUP BY 1, 2
)
SELECT merchant_id, currency, coalesce(payment_count, 0), coalesce(volume_minor, 0), coalesce(refund_count, 0)
  FROM paid FULL OUTER JOIN refunded USING (merchant_id, currency) ORDER BY 1, 2
"""


def month_of(day: date) -> tuple[date, date]:
    """The first and last day of a day's month."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def invoices(
    build: duckdb.DuckDBPyConnection, month: date, pricing: Pricing, *, livemode: bool, merchant_id: str | None = None
) -> list[dict[str, Any]]:
    """An invoice for each merchant and currency: lines and their sum; `problem` where a plan has no prices."""
    since, until = month_of(month)
    rows = build.execute(_USAGE, {"livemode": livemode, "since": since, "until": until}).fetchall()
    found = []
    for merchant, currency, payments, volume, refunds in rows:
        if merchant_id not in {None, merchant}:
            continue
        plan = pricing.plan_of(merchant)
        one: dict[str, Any] = {
            "merchant_id": merchant,
            "currency": currency,
            "month": f"{since:%Y-%m}",
            "plan": plan.name,
        }
        try:
            lines = invoice(plan, currency, Usage(payments, volume, refunds))
        except ConfigurationError as error:
            found.append(one | {"lines": [], "amount_minor": None, "problem": str(error)})
            continue
        told = [{"what": line.what, "quantity": line.quantity, "amount_minor": line.amount_minor} for line in lines]
        found.append(one | {"lines": told, "amount_minor": sum(line.amount_minor for line in lines), "problem": None})
    return found
