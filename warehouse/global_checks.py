"""Sums in the global warehouse = sums of the regions' own marts, asked of both sides and compared here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from regions.errors import MeridianError
from regions.region_parts import Export
from warehouse.global_inputs import Source

# What a group counts stands first in its figures: it is what the group's size is.
_VOLUME = """
    SELECT currency, livemode, CAST(date_trunc('month', created_on) AS DATE),
           count(*), sum(captured_minor), sum(refunded_minor)
      FROM fct_payments GROUP BY ALL
"""
_GROUP_VOLUME = """
    SELECT currency, livemode, business_month, payment_count, captured_minor, refunded_minor
      FROM rpt_group_volume WHERE region = ?
"""
_FUNNEL = """
    SELECT coalesce(channel, '(none)'), device_class, livemode, CAST(date_trunc('month', opened_on) AS DATE),
           count(*), count(*) FILTER (WHERE is_converted)
      FROM fct_funnel_sessions GROUP BY ALL
"""
_GROUP_FUNNEL = """
    SELECT channel, device_class, livemode, business_month, opened_sessions, succeeded_sessions
      FROM rpt_group_funnel WHERE region = ?
"""
_CHECKS = {"rpt_group_volume": (_VOLUME, _GROUP_VOLUME, 3), "rpt_group_funnel": (_FUNNEL, _GROUP_FUNNEL, 4)}


class GroupSumsError(MeridianError):
    """The global warehouse does not say what a region's marts say."""


def check_sums(candidate: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Raises GroupSumsError naming region and table. Where only aggregates may leave, small groups must be absent."""
    problems = [
        f"{source.region.code}, {table}: {problem}"
        for source in sources
        if source.build is not None
        for table, (regional, united, keys) in _CHECKS.items()
        for problem in compare(
            _figures(source.build.execute(regional).fetchall(), keys),
            _figures(candidate.execute(united, [source.region.code]).fetchall(), keys),
            source.region.residency.minimum_group_size if source.region.residency.export is Export.AGGREGATES else 0,
        )
    ]
    if problems:
        raise GroupSumsError(f"The global warehouse disagrees with its regions: {'; '.join(problems[:3])}")


def compare(
    regional: Mapping[tuple[Any, ...], tuple[int, ...]], united: Mapping[tuple[Any, ...], tuple[int, ...]], minimum: int
) -> Iterator[str]:
    """What the global figures get wrong: every group of `minimum` or more is there with equal figures, no other is."""
    wanted = {key: figures for key, figures in regional.items() if figures[0] >= minimum}
    for key in sorted(wanted.keys() | united.keys(), key=str):
        if wanted.get(key) != united.get(key):
            name = " ".join(map(str, key))
            if key in regional and key not in wanted:
                yield f"{name} is a group below {minimum} and must not be there"
            else:
                yield f"{name} is {united.get(key)}, not {wanted.get(key)}"


def _figures(rows: Sequence[tuple[Any, ...]], keys: int) -> dict[tuple[Any, ...], tuple[int, ...]]:
    return {row[:keys]: tuple(int(value) for value in row[keys:]) for row in rows}
