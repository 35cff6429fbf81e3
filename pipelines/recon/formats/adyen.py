"""Adyen's settlement detail report, as CSV. Pure.

Columns are found by name: they move between versions. Amounts are in major units and become minor units by the
currency's ISO 4217 exponent, exactly or not at all. Blank lines and a preamble may stand before the header.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, Never
from zoneinfo import ZoneInfo

from pipelines.recon.settlement import SettlementLine, SettlementReport, SettlementReportError, check_feet
from regions.money import InexactAmountError, Money, UnknownCurrencyError

REQUIRED: Final = (
    "Merchant Account",
    "Psp Reference",
    "Merchant Reference",
    "Payment Method",
    "Creation Date",
    "TimeZone",
    "Type",
    "Modification Reference",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
    "Exchange Rate",
    "Net Currency",
    "Net Debit (NC)",
    "Net Credit (NC)",
    "Commission (NC)",
    "Markup (NC)",
    "Scheme Fees (NC)",
    "Interchange (NC)",
    "Payment Method Variant",
    "Batch Number",
    "Modification Merchant Reference",
    "Booking Date",
    "Booking Date TimeZone",
)
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,8})?")
_HEADER_LINES_MAX = 50
# Abbreviations as reports print them; an abbreviation says summer or winter time itself.
_OFFSET_HOURS: Final = {
    "UTC": 0, "GMT": 0, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "IST": 5.5, "HKT": 8, "SGT": 8, "JST": 9,
    "AEST": 10, "AEDT": 11, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "BRT": -3,
}  # fmt: skip


def parse_report(content: bytes, *, name: str, gateway: str, report_date: date) -> SettlementReport:
    """Read a report. `name` is how errors call the file.

    Raises SettlementReportError naming line and column for a file that cannot be read, or that does not foot: nothing
    of it is used then. A line of an unknown type is kept, see SettlementReport.unknown_types.
    """
    rows = _rows(name, _text(content, name))
    columns = _header(name, rows)
    lines = tuple(
        _Row(name, number, dict(zip(columns, row, strict=True))).line() for number, row in _fitting(name, columns, rows)
    )
    check_feet(name, lines)
    return SettlementReport(gateway, report_date, hashlib.sha256(content).hexdigest(), lines)


def raw_columns(content: bytes, *, name: str) -> dict[str, list[Any]]:
    """A report as columns of text as they stand in the file, by name, and `line`. Raises SettlementReportError."""
    rows = _rows(name, _text(content, name))
    header = _header(name, rows)
    fitting = list(_fitting(name, header, rows))
    found = {column: [row[header.index(column)] for _, row in fitting] for column in REQUIRED}
    return found | {"line": [number for number, _ in fitting]}


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettlementReportError(f"{name}: not UTF-8 text (byte {error.start})") from error


def _rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last physical line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise SettlementReportError(f"{name}, line {reader.line_num}: not CSV: {error}") from error


def _header(name: str, rows: Iterator[tuple[int, list[str]]]) -> list[str]:
    """The column names: those of the first row that has a Type and a Batch Number."""
    for number, row in rows:
        columns = [field.strip() for field in row]
        if {"Type", "Batch Number"} <= set(columns):
            break
        if number > _HEADER_LINES_MAX:
            raise SettlementReportError(f"{name}: no header in the first {_HEADER_LINES_MAX} lines")
    else:
        raise SettlementReportError(f"{name}: no header: no line has the columns Type and Batch Number")
    if missing := [column for column in REQUIRED if column not in columns]:
        raise SettlementReportError(f"{name}, line {number}: the header lacks {', '.join(missing)}")
    if repeated := sorted({column for column in REQUIRED if columns.count(column) > 1}):
        raise SettlementReportError(f"{name}, line {number}: the header repeats {', '.join(repeated)}")
    return columns


def _fitting(name: str, columns: list[str], rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    for number, row in rows:
        if len(row) != len(columns):
            raise SettlementReportError(f"{name}, line {number}: {len(row)} fields, but the header has {len(columns)}")
        yield number, row


class _Row:
    """One row by column name; whatever is wrong with it is said with its line and column."""

    def __init__(self, name: str, number: int, fields: dict[str, str]) -> None:
        self._name = name
        self._number = number
        self._fields = fields

    def line(self) -> SettlementLine:
        net_currency = self._needed("Net Currency")
        gross_currency = self._text("Gross Currency")
        has_gross = bool(self._text("Gross Debit (GC)") or self._text("Gross Credit (GC)"))
        if has_gross and gross_currency is None:
            self._refuse("Gross Currency", "is missing, but there is a gross amount")
        return SettlementLine(
            line_number=self._number,
            gateway_account=self._needed("Merchant Account"),
            type=self._needed("Type"),
            batch_number=self._integer("Batch Number"),
            psp_reference=self._text("Psp Reference"),
            merchant_reference=self._text("Merchant Reference"),
            modification_reference=self._text("Modification Reference"),
            modification_merchant_reference=self._text("Modification Merchant Reference"),
            payment_method=self._text("Payment Method"),
            gross_currency=gross_currency,
            gross_minor=self._net("Gross Debit (GC)", "Gross Credit (GC)", gross_currency or net_currency),
            exchange_rate=self._text("Exchange Rate"),
            net_currency=net_currency,
            net_minor=self._net("Net Debit (NC)", "Net Credit (NC)", net_currency),
            commission_minor=self._minor("Commission (NC)", net_currency),
            markup_minor=self._minor("Markup (NC)", net_currency),
            scheme_fees_minor=self._minor("Scheme Fees (NC)", net_currency),
            interchange_minor=self._minor("Interchange (NC)", net_currency),
            payment_method_variant=self._text("Payment Method Variant"),
            created_at=self._moment("Creation Date", "TimeZone"),
            booked_at=self._moment("Booking Date", "Booking Date TimeZone"),
        )

    def _text(self, column: str) -> str | None:
        return self._fields[column].strip() or None

    def _needed(self, column: str) -> str:
        return self._text(column) or self._refuse(column, "is empty")

    def _integer(self, column: str) -> int:
        text = self._needed(column)
        if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - fits 32 bits
            self._refuse(column, f"is {text!r}, not a batch number")
        return int(text)

    def _minor(self, column: str, currency: str) -> int:
        text = self._text(column)
        if text is None:
            return 0
        if not _AMOUNT.fullmatch(text):
            self._refuse(column, f"is {text!r}, not an amount such as 12.34")
        try:
            return Money.from_decimal(Decimal(text), currency).amount_minor
        except (InexactAmountError, UnknownCurrencyError) as error:
            return self._refuse(column, f"cannot be read: {error}")

    def _net(self, debit: str, credit: str, currency: str) -> int:
        return self._minor(credit, currency) - self._minor(debit, currency)

    def _moment(self, column: str, zone_column: str) -> datetime:
        text = self._needed(column)
        try:
            local = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - its zone is in the next column
        except ValueError:
            self._refuse(column, f"is {text!r}, not a time such as 2026-01-31 23:50:00")
        zone = _zone(self._needed(zone_column)) or self._refuse(zone_column, "is not a time zone that we know")
        return local.replace(tzinfo=zone).astimezone(UTC)

    def _refuse(self, column: str, reason: str) -> Never:
        raise SettlementReportError(f"{self._name}, line {self._number}: {column} {reason}")


def _zone(name: str) -> tzinfo | None:
    if name in _OFFSET_HOURS:
        return timezone(timedelta(hours=_OFFSET_HOURS[name]))
    try:
        return ZoneInfo(name) if "/" in name else None
    except (ValueError, OSError, KeyError):
        return None
