"""`meridian recon report`: a report of the published build, on the screen or as a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.books.customers import load_customers
from pipelines.books.service import published_record
from regions.errors import UsageError
from regions.money import Money
from warehouse.builds import Warehouse
from warehouse.query import open_published
from warehouse.reports.catalogue import REPORTS, report_of
from warehouse.reports.model import Asked, Column, Kind, Result, run
from warehouse.reports.page import report_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

    from regions.region import Region

WIDTH_MIN = 180


def make(
    region: Region, env: Mapping[str, str], name: str, since: date | None, until: date | None, *, livemode: bool
) -> Result:
    """Ask the published build; by default from the first of the month until the build's business date."""
    with _asked(region, env, name, (since, until), livemode=livemode) as (_, result):
        return result


def make_page(
    region: Region,
    env: Mapping[str, str],
    name: str,
    days: tuple[date | None, date | None],
    locale: str,
    *,
    livemode: bool,
) -> tuple[Result, bytes]:
    """The same, and as a page to print."""
    with _asked(region, env, name, days, livemode=livemode) as (build, result):
        ids = {row["merchant_id"] for row in result.dicts() if row.get("merchant_id")}
        return result, report_page(build, result, region.legal_home, load_customers(region, env, ids), locale)


@contextmanager
def _asked(
    region: Region, env: Mapping[str, str], name: str, days: tuple[date | None, date | None], *, livemode: bool
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Result]]:
    report = report_of(name)
    record = published_record(region, env)
    until = days[1] or record.business_date
    since = days[0] or until.replace(day=1)
    if since > until:
        raise UsageError(f"{since} is after {until}: give --since before --until.")
    with open_published(Warehouse.open(region, env)) as build:
        yield build, run(report, build, record.number, Asked(since, until, livemode))


def catalogue() -> list[tuple[str, str]]:
    """Every report's name and what it is about."""
    return [(report.name, report.about) for report in REPORTS.values()]


def to_json(result: Result) -> str:
    """An array of objects, amounts in minor units."""
    return json.dumps(
        [
            {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}
            for row in result.dicts()
        ],
        indent=1,
    )


def print_table(result: Result, console: Console | None = None) -> None:
    """Print a report for people."""
    console = console or Console(highlight=False)
    console.width = max(console.width, WIDTH_MIN)
    table = Table(title=f"{result.report.title}, {result.asked.since} – {result.asked.until}")  # noqa: RUF001
    for column in result.report.columns:
        table.add_column(column.title, justify="right" if column.kind in _SHOWN else "left", overflow="fold")
    for row in result.dicts():
        table.add_row(*(_shown(row, column) for column in result.report.columns))
    console.print(table if result.rows else f"{result.report.title}: nothing")


def _shown(row: Mapping[str, Any], column: Column) -> str:
    value = row[column.name]
    if value is None:
        return ""
    return _SHOWN[column.kind](value, row) if column.kind in _SHOWN else escape(str(value))


_SHOWN: Mapping[Kind, Callable[[Any, Mapping[str, Any]], str]] = {
    Kind.MONEY: lambda value, row: str(Money(int(value), row["currency"]).to_decimal()),
    Kind.COUNT: lambda value, _: str(value),
    Kind.SHARE: lambda value, _: f"{value / 10_000:.3f} %",
}
