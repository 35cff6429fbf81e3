"""Landing reference rates in the lake: whole days, each replacing what an earlier file said of it, in one commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException

from pipelines.fx.rates import BASE, PublishedDay, RateTable
from warehouse.lake import LAKE_SEQ, LakeTableMissingError, read_lake_seq, read_map
from warehouse.lake_fx import FX_RATES
from warehouse.lake_writer import AnotherWriterError

if TYPE_CHECKING:
    from warehouse.lake import Lake

FILES = "meridian.fx_files"  # file name → SHA-256 of what is landed
_COMMIT_TRIES = 5
# A day that two files tell is told by the central bank, whatever came first.
_STORED = """
    SELECT rate_date, any_value(published_at), any_value(source), list(quote ORDER BY quote), list(rate ORDER BY quote)
      FROM {} WHERE rate_date <= ? GROUP BY rate_date"""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that passed the door."""

    name: str
    sha256: str
    days: Sequence[PublishedDay]


def landed_files(lake: Lake) -> dict[str, str]:
    """Each file that was landed, with the SHA-256 of its content; none in a lake without rates."""
    try:
        return read_map(lake.table(FX_RATES.name), FILES)
    except LakeTableMissingError:
        return {}


def land(lake: Lake, files: Sequence[CheckedFile]) -> int:
    """Put the files' days into `fx_rates`, all in one commit; returns how many rows were written.

    A file whose exact content was landed before changes nothing. Raises AnotherWriterError when others keep committing.
    """
    for attempt in range(1, _COMMIT_TRIES + 1):  # each time on the table as it is then
        table = lake.ensure_table(FX_RATES)
        known = read_map(table, FILES)
        new = [file for file in files if known.get(file.name) != file.sha256]
        if not new:
            return 0
        lake_seq = read_lake_seq(table) + 1
        told: dict[date, list[dict[str, Any]]] = {}
        for file in new:
            told |= {day.rate_date: _rows(day, file, lake_seq) for day in file.days}
        rows = [row for rate_date in sorted(told) for row in told[rate_date]]
        transaction = table.transaction()
        there = table.scan(selected_fields=("rate_date",)).to_arrow()["rate_date"].unique().to_pylist()
        if replaced := sorted(set(there) & set(told)):
            transaction.delete(_days_of(replaced))
        transaction.append(pa.Table.from_pylist(rows, schema=FX_RATES.schema.as_arrow()))
        landed = json.dumps(known | {file.name: file.sha256 for file in new}, sort_keys=True)
        transaction.set_properties({FILES: landed, LAKE_SEQ: str(lake_seq)})
        try:
            transaction.commit_transaction()
        except CommitFailedException as error:
            if attempt == _COMMIT_TRIES:
                raise AnotherWriterError("Other jobs keep landing exchange rates: try again") from error
        else:
            return len(rows)
    raise AssertionError("unreachable")


def stored_days(lake: Lake, until: date = date.max) -> list[PublishedDay]:
    """The days that the lake holds, up to and including `until`, in order."""
    source = lake.files(FX_RATES.name).duckdb_sql()
    with duckdb.connect() as connection:
        rows: list[tuple[date, datetime, str, list[str], list[Decimal]]] = connection.execute(
            _STORED.format(source), [until]
        ).fetchall()
    days = [
        PublishedDay(rate_date, published_at, dict(zip(quotes, rates, strict=True)), named)
        for rate_date, published_at, named, quotes, rates in rows
    ]
    return sorted(days, key=lambda day: day.rate_date)


def stored_sources(lake: Lake, until: date = date.max) -> dict[date, str]:
    """The source of each day that the lake holds, up to and including `until`, in order; without the rates."""
    source = lake.files(FX_RATES.name).duckdb_sql()
    query = f"SELECT rate_date, any_value(source) FROM {source} WHERE rate_date <= ? GROUP BY ALL ORDER BY ALL"  # noqa: S608 - the lake's own files
    with duckdb.connect() as connection:
        return dict(connection.execute(query, [until]).fetchall())


def stored_table(lake: Lake) -> RateTable:
    """The lake's rates, ready to convert with."""
    return RateTable(stored_days(lake))


def _days_of(days: Sequence[date]) -> str:
    """An Iceberg filter: every row of these days. Days of one file run without gaps, so a long list is a range."""
    if len(days) > 100:  # noqa: PLR2004 - a filter of this many values is slower than rewriting the few days between
        return f"rate_date >= '{days[0]}' AND rate_date <= '{days[-1]}'"
    return " OR ".join(f"rate_date = '{day}'" for day in days)


def _rows(day: PublishedDay, file: CheckedFile, lake_seq: int) -> list[dict[str, Any]]:
    common: Mapping[str, Any] = {
        "rate_date": day.rate_date,
        "published_at": day.published_at,
        "base": BASE,
        "source": day.source,
        "file_sha256": file.sha256,
        "lake_seq": lake_seq,
    }
    return [{**common, "quote": quote, "rate": rate} for quote, rate in sorted(day.rates.items())]
