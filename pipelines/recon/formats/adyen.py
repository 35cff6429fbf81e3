"""Adyen's settlement detail report, as CSV, in every version. Pure.

Columns are found by name: they move between versions, and older ones lack some. Amounts are in major units and become
minor units by the currency's ISO 4217 exponent, exactly or not at all. Blank lines and a preamble may stand before the
header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, Never

from pipelines.recon.formats.batches import MOVEMENTS, Batches
from pipelines.recon.formats.fields import Amounts, FieldError
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import Source
from pipelines.recon.formats.table import Header, check_header, describe, find_header, rows, text_of
from pipelines.recon.formats.zones import zone
from pipelines.recon.settlement import JOURNAL_TYPES, SettlementLine, SettlementReport, SettlementReportError

FORMAT: Final = "adyen_settlement_detail"
MARKS: Final = frozenset({"Type", "Batch Number"})  # no other report that we know has both
NEEDED: Final = frozenset(
    {
        "Merchant Account", "Psp Reference", "Merchant Reference", "Creation Date", "Type", "Modification Reference",
        "Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)", "Net Currency", "Net Debit (NC)", "Net Credit (NC)",
        "Batch Number",
    }
)  # fmt: skip
OPTIONAL: Final = (
    "Payment Method",
    "TimeZone",
    "Exchange Rate",
    "Commission (NC)",
    "Markup (NC)",
    "Scheme Fees (NC)",
    "Interchange (NC)",
    "Payment Method Variant",
    "Modification Merchant Reference",
    "Booking Date",
    "Booking Date TimeZone",
)
COLUMNS: Final = NEEDED | set(OPTIONAL)
_NAMES: Final = {name.casefold(): name for name in COLUMNS}
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_VERSIONS: Final = (  # by the newest column that a version brought
    ("Booking Date", "with booking dates"),
    ("Payment Method Variant", "with payment method variants"),
    ("Interchange (NC)", "with interchange"),
)


def recognise(source: Source) -> Header | None:
    """Where the report's header stands, if it is one."""
    return find_header(source, MARKS, _name)


def scan(source: Source, header: Header, findings: Findings) -> Iterator[SettlementLine]:
    """The lines that can be read. What is wrong with the others, with a batch or the header, goes to the findings."""
    findings.format = FORMAT
    findings.version = next((name for column, name in _VERSIONS if column in header.columns), "blended fees only")
    describe(source, header, findings)
    if not check_header(header, NEEDED, COLUMNS, findings):
        return
    batches, amounts = Batches(), Amounts()
    seen: dict[int, int] = {}
    for number, fields in rows(source, header, findings):
        try:
            line = _Row(number, fields, amounts).line()
        except _RowError as error:
            findings.refuse(number, "field", str(error))
            continue
        if line.type not in JOURNAL_TYPES:
            findings.note(number, "unknown_type", f"type {line.type!r} is unknown: the line becomes a break")
        findings.count(line.type, line.net_currency, line.net_minor, line.fees_minor)
        if line.gross_currency is not None:
            findings.count_gross(line.type, line.gross_currency, line.gross_minor)
        findings.accounts[line.gateway_account] = None
        findings.ids[str(line.batch_number)] = None
        batches.add(line, str(line.batch_number), findings)
        _tell_twice(line, seen, findings)
        yield line
    batches.finish(findings)


def parse_report(content: bytes, *, name: str, gateway: str, report_date: date) -> SettlementReport:
    """Read a report. `name` is how errors call the file.

    Raises SettlementReportError naming line and column for a file that cannot be read, or that does not foot: nothing
    of it is used then. A line of an unknown type is kept, see SettlementReport.unknown_types.
    """
    source, findings = Source.of_bytes(content, name), Findings()
    lines = tuple(scan(source, _header(source), findings))
    if findings.error_count:
        raise SettlementReportError(findings.errors()[0].sentence(name))
    return SettlementReport(gateway, report_date, source.sha256, lines)


def raw_columns(content: bytes, *, name: str) -> dict[str, list[Any]]:
    """A report as columns of text as they stand in the file, by name, and `line`; a column that it lacks is empty.

    Raises SettlementReportError.
    """
    source, findings = Source.of_bytes(content, name), Findings()
    header = _header(source)
    found: dict[str, list[Any]] = {column: [] for column in ("line", *sorted(COLUMNS))}
    if check_header(header, NEEDED, COLUMNS, findings):
        for number, row in rows(source, header, findings):
            found["line"].append(number)
            for column in COLUMNS:
                found[column].append(row.get(column, ""))
    if findings.error_count:
        raise SettlementReportError(findings.errors()[0].sentence(name))
    return found


def _header(source: Source) -> Header:
    header = recognise(source)
    if header is None:
        raise SettlementReportError(f"{source.name}: no header: no line has the columns Type and Batch Number")
    return header


def _name(column: str) -> str:
    """A column as we call it, however its letters and blanks are written."""
    plain = " ".join(column.split())
    return _NAMES.get(plain.casefold(), plain)


def _tell_twice(line: SettlementLine, seen: dict[int, int], findings: Findings) -> None:
    """The same movement on two lines may be a mistake; matching makes the second one a break."""
    if line.psp_reference is None or line.type not in MOVEMENTS:
        return
    said = hash((line.type, line.psp_reference, line.modification_reference, line.gross_currency, line.gross_minor))
    first = seen.setdefault(said, line.line_number)
    if first != line.line_number:
        findings.note(
            line.line_number, "line_twice", f"{line.type} of {line.psp_reference} stands at line {first} already"
        )


class _RowError(ValueError):
    """A field that cannot be read."""


class _Row:
    """One row by column name; whatever is wrong with it is said with its column."""

    def __init__(self, number: int, fields: Mapping[str, str], amounts: Amounts) -> None:
        self._number = number
        self._fields = fields
        self._amounts = amounts

    def line(self) -> SettlementLine:
        net_currency = self._currency("Net Currency") or self._refuse("Net Currency", "is empty")
        gross_currency = self._currency("Gross Currency")
        has_gross = bool(self._text("Gross Debit (GC)") or self._text("Gross Credit (GC)"))
        if has_gross and gross_currency is None:
            self._refuse("Gross Currency", "is missing, but there is a gross amount")
        created_at = self._moment("Creation Date", "TimeZone")
        has_booking = self._text("Booking Date") is not None
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
            created_at=created_at,
            booked_at=self._moment("Booking Date", "Booking Date TimeZone") if has_booking else created_at,
        )

    def _text(self, column: str) -> str | None:
        return text_of(self._fields, column)

    def _needed(self, column: str) -> str:
        return self._text(column) or self._refuse(column, "is empty")

    def _currency(self, column: str) -> str | None:
        text = self._text(column)
        return text.upper() if text else None

    def _integer(self, column: str) -> int:
        text = self._needed(column)
        if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - fits 32 bits
            self._refuse(column, f"is {text!r}, not a batch number")
        return int(text)

    def _minor(self, column: str, currency: str) -> int:
        text = self._text(column)
        try:
            return self._amounts.minor(text or "0", currency)
        except FieldError as error:
            return self._refuse(column, str(error))

    def _net(self, debit: str, credit: str, currency: str) -> int:
        return self._minor(credit, currency) - self._minor(debit, currency)

    def _moment(self, column: str, zone_column: str) -> datetime:
        text = self._needed(column)
        try:
            local = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
        except ValueError:
            local = None
        if local is None:
            self._refuse(column, f"is {text!r}, not a time such as 2026-01-31 23:50:00")
        place = self._text(zone_column)  # the oldest versions have none
        found = zone(place) if place else UTC
        if found is None:
            self._refuse(zone_column, "is not a time zone that we know")
        try:
            return local.replace(tzinfo=found).astimezone(UTC)
        except OverflowError:
            return self._refuse(column, f"is {text!r}, a time that no calendar has")

    def _refuse(self, column: str, reason: str) -> Never:
        raise _RowError(f"{column} {reason}")
