"""The day's bank statement: its entries, whether it foots, and whether what the gateway paid out has arrived."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from pipelines.demo.blocks.block import Block, Job, Place
from pipelines.demo.checks import Check, same_counts
from regions.money import Money

TITLE = "Bank statement of the day"
QUERY = """
    WITH arrived AS (
        SELECT statement_key, sum(amount_minor)::bigint AS arrived_minor
          FROM staging.stg_bank_entries WHERE transaction_code NOT LIKE '%CHRG' GROUP BY ALL
    ), paid AS (
        SELECT net_currency AS currency, report_date AS statement_date, -sum(net_minor)::bigint AS paid_out_minor
          FROM fct_settlement_lines WHERE kind = 'payout' GROUP BY ALL
    )
    SELECT currency, format, entry_count, opening_minor, closing_minor,
           opening_minor + sum_minor - closing_minor AS difference_minor,
           coalesce(arrived_minor, 0)::bigint AS arrived_minor, coalesce(paid_out_minor, 0)::bigint AS paid_out_minor
      FROM staging.stg_bank_statements LEFT JOIN arrived USING (statement_key)
      LEFT JOIN paid USING (currency, statement_date)
     WHERE statement_date = DATE '{day}' ORDER BY currency"""


def bank(place: Place, day: date, job: Job) -> Block:
    """As landed by `recon run` and published; the simulated bank books a payout on the day of its batch."""
    found = json.loads(job("sql", "--region", place.code, QUERY.format(day=day), "--format", "json"))
    lines = [_line(one) for one in found]
    wrong = [f"{one['currency']} by {one['difference_minor']}" for one in found if one["difference_minor"]]
    paid, arrived = (
        Counter({one["currency"]: one[name] for one in found}) for name in ("paid_out_minor", "arrived_minor")
    )
    detail = ", ".join(wrong) if found else "no statement was landed"
    return Block(
        TITLE,
        lines,
        [
            Check(place.code, "bank: the statement foots", detail),
            Check(place.code, "bank: what was paid out has arrived", same_counts(paid, arrived)),
        ],
    )


def _line(one: Mapping[str, Any]) -> str:
    opening, closing = (Money(one[name], one["currency"]) for name in ("opening_minor", "closing_minor"))
    verdict = "does not foot" if one["difference_minor"] else "foots"
    return f"{one['format']}  {one['entry_count']:>3} entries  {opening} to {closing}  {verdict}"
