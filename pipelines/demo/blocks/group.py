"""The group: what left each region, compared with the region's own payments."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pipelines.demo.blocks.block import Block, Job
from pipelines.demo.checks import Check, same_counts
from regions.money import Money

TITLE = "The group's volume: what may leave each region"
_REGIONAL = """
    SELECT currency, livemode, CAST(date_trunc('month', created_on) AS DATE) AS business_month,
           count(*)::bigint AS payment_count, sum(captured_minor)::bigint AS captured_minor,
           sum(refunded_minor)::bigint AS refunded_minor
      FROM fct_payments GROUP BY ALL HAVING count(*) >= {minimum} ORDER BY ALL
"""
_GLOBAL = """
    SELECT region, currency, livemode, business_month, payment_count, captured_minor, refunded_minor
      FROM rpt_group_volume ORDER BY ALL
"""
_MEASURES = ("payment_count", "captured_minor", "refunded_minor")


def group(codes: Sequence[str], day: date, job: Job) -> Mapping[str, Block]:
    """Unite the regions, and hold every group against the payments of its region; by region."""
    job("global", "build", "--date", day.isoformat())
    volume = json.loads(job("sql", "--global", _GLOBAL, "--format", "json"))
    coverage = {row["region"]: row for row in json.loads(
        job("sql", "--global", "select * from rpt_group_coverage", "--format", "json")
    )}  # fmt: skip
    blocks = {}
    for code in codes:
        found = coverage[code]
        minimum = found["minimum_group_size"] if found["export"] == "aggregates" else 0
        query = _REGIONAL.format(minimum=minimum)
        regional = json.loads(job("sql", "--region", code, query, "--format", "json"))
        united = [row for row in volume if row["region"] == code]
        lines = [*(_told(row) for row in united), *_withheld(found)]
        detail = same_counts(_flat(united), _flat(regional))
        if found["state"] == "missing":
            detail = f"{code} is missing: {found['reason']}"
        blocks[code] = Block(TITLE, lines, [Check(code, "global volume = the region's payments", detail)])
    return blocks


def _told(row: Mapping[str, Any]) -> str:
    captured, refunded = (
        f"{Money(row[name], row['currency']).to_decimal():,}" for name in ("captured_minor", "refunded_minor")
    )
    return (
        f"{row['business_month'][:7]} {row['currency']}: {row['payment_count']} payments, "
        f"{captured} captured, {refunded} refunded"
    )


def _withheld(found: Mapping[str, Any]) -> list[str]:
    """What a region that gives only aggregates kept."""
    if not found["groups_withheld"]:
        return []
    return [f"{found['groups_withheld']} groups of fewer than {found['minimum_group_size']} stayed in the region"]


def _flat(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        f"{row['business_month']} {row['currency']} {'live' if row['livemode'] else 'test'} {measure}": row[measure]
        for row in rows
        for measure in _MEASURES
    }
