"""Reads the funnel from the published warehouse."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

import duckdb

from pipelines.funnel.domain import Group


class Dimension(StrEnum):
    """What a funnel can be split by; each is a column of `fct_funnel_daily`."""

    CHANNEL = "channel"
    CAMPAIGN = "campaign"
    METHOD = "method"
    DEVICE_CLASS = "device_class"
    LOCALE = "locale"


def read_groups(
    warehouse: duckdb.DuckDBPyConnection, steps: Sequence[str], by: Dimension | None, day: date | None
) -> list[Group]:
    """The sessions at each step, per value of a dimension (or all of them as `all`), of one day or of every day."""
    value = by.value if by else "'all'"
    counts = ", ".join(f"sum({step}_sessions)::bigint" for step in steps)
    query = f"SELECT {value}, livemode, {counts} FROM fct_funnel_daily WHERE opened_on = coalesce(?, opened_on) GROUP BY ALL"  # noqa: S608, E501 - names are ours
    return [Group(row[0], row[1], tuple(row[2:])) for row in warehouse.execute(query, [day]).fetchall()]
