"""Stripe's itemised payout reconciliation report, as CSV. Pure.

Amounts are in major units. The report lists what each automatic payout consists of; the payout itself is their sum,
and is a line of its own only in some reports.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from pipelines.recon.formats.fields import Amounts, FieldError
from pipelines.recon.formats.problems import Findings, Group
from pipelines.recon.formats.source import Source
from pipelines.recon.formats.table import Header, check_header, describe, find_header, rows, text_of
from pipelines.recon.settlement import CATEGORIES, SettlementLine, SettlementReport, SettlementReportError

FORMAT: Final = "stripe_payout_reconciliation"
NEEDED: Final = frozenset({"balance_transaction_id", "currency", "gross", "fee", "net", "reporting_category"})
_READ: Final = NEEDED | {
    "automatic_payout_id", "automatic_payout_effective_at", "automatic_payout_effective_at_utc", "created",
    "created_utc", "source_id", "charge_id", "payment_intent_id", "card_brand", "payment_method_type",
    "connected_account",
}  # fmt: skip
# What our other formats call it. A category without a name there keeps its own.
TYPES: Final = {
    "charge": "Settled",
    "refund": "Refunded",
    "refund_failure": "RefundedReversed",
    "dispute": "Chargeback",
    "dispute_reversal": "ChargebackReversed",
    "fee": "Fee",
    "network_cost": "MiscCosts",
    "payout": "MerchantPayout",
    "payout_reversal": "BankInstructionReturned",
    "other_adjustment": "ManualCorrected",
    "risk_reserved_funds": "ReserveAdjustment",
}
KNOWN: Final = TYPES.keys() | CATEGORIES
_PAYMENT = ("payment_intent_id", "charge_id", "source_id")  # what names the payment, best first
_PAYOUTS = frozenset({"payout", "payout_reversal"})
NO_PAYOUT: Final = "not paid out"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH_MAX = 999_999_999


@dataclass(slots=True)
class _Payout:
    line_count: int = 0
    sum_minor: int = 0
    paid_out_minor: int | None = None
    line: int = 0


def recognise(source: Source) -> Header | None:
    """Where the report's header stands, if it is one."""
    return find_header(source, NEEDED - {"fee"}, _name)


def scan(source: Source, header: Header, findings: Findings) -> Iterator[SettlementLine]:
    """The lines that can be read. What is wrong with the others, with a payout or the header, goes to the findings."""
    findings.format, findings.version = FORMAT, "itemised"
    describe(source, header, findings)
    if not check_header(header, NEEDED, _READ, findings):
        return
    if not {"created", "created_utc", "automatic_payout_effective_at"} & set(header.columns):
        findings.note(header.line, "no_time", "no column says when: created_utc is not among them")
    amounts = Amounts()
    payouts: dict[tuple[str, str], _Payout] = {}
    seen: dict[str, int] = {}
    for number, fields in rows(source, header, findings):
        try:
            line, gross_less_fee = _line(number, fields, amounts)
        except FieldError as error:
            findings.refuse(number, "field", str(error))
            continue
        category = fields["reporting_category"]
        if category not in KNOWN:
            findings.note(number, "unknown_type", f"category {category!r} is unknown: the line becomes a break")
        _check(line, gross_less_fee, fields["balance_transaction_id"], seen, findings)
        payout = text_of(fields, "automatic_payout_id") or (
            text_of(fields, "source_id") if category == "payout" else None
        )
        _add(payouts, payout or NO_PAYOUT, line, is_payout=category in _PAYOUTS)
        findings.count(category, line.net_currency, line.net_minor, line.fees_minor)
        if line.gross_currency is not None:
            findings.count_gross(category, line.gross_currency, line.gross_minor)
        findings.accounts[line.gateway_account] = None
        findings.ids[payout or NO_PAYOUT] = None
        yield line
    findings.accounts.pop("", None)
    for (payout, currency), found in payouts.items():
        _finish(payout, currency, found, findings)


def parse_report(content: bytes, *, name: str, gateway: str, account: str, report_date: date) -> SettlementReport:
    """Read a report of one of our accounts, which it does not name, with a line for each payout.

    Raises SettlementReportError as `adyen.parse_report` does.
    """
    source, findings = Source.of_bytes(content, name), Findings()
    header = recognise(source)
    if header is None:
        raise SettlementReportError(f"{name}: no header of a payout reconciliation report")
    lines = [replace(line, gateway_account=account) for line in scan(source, header, findings)]
    if any(line.created_at == _EPOCH for line in lines):
        findings.refuse(header.line, "no_time", "the header lacks created_utc")
    if findings.error_count:
        raise SettlementReportError(findings.errors()[0].sentence(name))
    return SettlementReport(gateway, report_date, source.sha256, (*lines, *_implied(lines)))


def raw_columns(content: bytes, *, name: str) -> dict[str, list[Any]]:
    """A report as columns of text as they stand in the file, by name, and `line`. Raises SettlementReportError."""
    source, findings = Source.of_bytes(content, name), Findings()
    header = recognise(source)
    found: dict[str, list[Any]] = {column: [] for column in ("line", *sorted(NEEDED))}
    if header and check_header(header, NEEDED, _READ, findings):
        for number, row in rows(source, header, findings):
            found["line"].append(number)
            for column in NEEDED:
                found[column].append(row[column])
    if findings.error_count:
        raise SettlementReportError(findings.errors()[0].sentence(name))
    return found


def _implied(lines: list[SettlementLine]) -> Iterator[SettlementLine]:
    """The payouts that have no line of their own."""
    batches: dict[tuple[int, str], list[SettlementLine]] = {}
    for line in lines:
        batches.setdefault((line.batch_number, line.net_currency), []).append(line)
    for members in batches.values():
        total = sum(line.net_minor for line in members)
        if total and not any(line.type == "MerchantPayout" for line in members):
            last = members[-1]
            yield replace(
                last, type="MerchantPayout", psp_reference=None, merchant_reference=None, payment_method=None,
                payment_method_variant=None, modification_merchant_reference=None, gross_currency=None, gross_minor=0,
                net_minor=-total, commission_minor=0, modification_reference=f"payout of batch {last.batch_number}",
            )  # fmt: skip


def _line(number: int, fields: Mapping[str, str], amounts: Amounts) -> tuple[SettlementLine, int]:
    """The line, and what its net should be."""
    currency = (text_of(fields, "currency") or "").upper()
    if not currency:
        raise FieldError("currency is empty")
    category = text_of(fields, "reporting_category")
    if not category:
        raise FieldError("reporting_category is empty")
    minor = {}
    for column in ("gross", "fee", "net"):
        try:
            minor[column] = amounts.minor(text_of(fields, column) or "", currency)
        except FieldError as error:
            raise FieldError(f"{column} {error}") from error
    kind = TYPES.get(category, category)
    is_movement = kind not in {"Fee", "MerchantPayout", "MiscCosts"}
    at = _moment(fields)
    payout = text_of(fields, "automatic_payout_id") or (text_of(fields, "source_id") if category == "payout" else None)
    line = SettlementLine(
        line_number=number,
        gateway_account=text_of(fields, "connected_account") or "",
        type=kind,
        batch_number=_batch(payout),
        psp_reference=next((text for name in _PAYMENT if (text := text_of(fields, name))), None),
        merchant_reference=text_of(fields, "payment_metadata[reference]"),
        modification_reference=text_of(fields, "source_id"),
        modification_merchant_reference=text_of(fields, "refund_metadata[reference]"),
        payment_method=text_of(fields, "card_brand") or text_of(fields, "payment_method_type"),
        gross_currency=currency if is_movement else None,
        gross_minor=minor["gross"] if is_movement else 0,
        exchange_rate=None,
        net_currency=currency,
        net_minor=minor["net"],
        commission_minor=minor["fee"] if is_movement else 0,
        markup_minor=0,
        scheme_fees_minor=0,
        interchange_minor=0,
        payment_method_variant=None,
        created_at=at,
        booked_at=at,
    )
    return line, minor["gross"] - minor["fee"]


def _check(line: SettlementLine, expected: int, name: str, seen: dict[str, int], findings: Findings) -> None:
    if expected != line.net_minor:
        findings.refuse(
            line.line_number,
            "line_does_not_foot",
            f"gross less fee is {expected} but net is {line.net_minor}, in minor units of {line.net_currency}; "
            f"difference {expected - line.net_minor}",
        )
    if not name:
        findings.refuse(line.line_number, "field", "balance_transaction_id is empty")
    elif name in seen:
        findings.refuse(
            line.line_number,
            "transaction_twice",
            f"transaction {name} is there twice, first at line {seen[name]}",
        )
    else:
        seen[name] = line.line_number


def _add(payouts: dict[tuple[str, str], _Payout], name: str, line: SettlementLine, *, is_payout: bool) -> None:
    found = payouts.setdefault((name, line.net_currency), _Payout())
    found.line_count += 1
    if is_payout:
        found.paid_out_minor = (found.paid_out_minor or 0) - line.net_minor
        found.line = line.line_number
    else:
        found.sum_minor += line.net_minor


def _finish(payout: str, currency: str, found: _Payout, findings: Findings) -> None:
    difference = None if found.paid_out_minor is None else found.sum_minor - found.paid_out_minor
    if payout == NO_PAYOUT or found.line_count == 1:
        difference = None  # a payout without its parts: they are in another report
    more = {"paid_out_minor": found.sum_minor if found.paid_out_minor is None else found.paid_out_minor}
    findings.groups.append(Group(payout, None, currency, found.line_count, found.sum_minor, difference, more))
    if difference:
        findings.refuse(
            found.line,
            "does_not_foot",
            f"payout {payout} does not foot: its lines add up to {found.sum_minor} minor units of {currency}, "
            f"line {found.line} pays out {found.paid_out_minor}; difference {difference}",
        )


def _batch(payout: str | None) -> int:
    """A number for the payout: the one at its end, if it has one; it only has to be the same each time."""
    tail = (payout or "").rpartition("_")[2]
    if tail.isascii() and tail.isdigit() and int(tail[:18]) <= _BATCH_MAX:
        return int(tail[:18])
    return zlib.crc32(payout.encode()) % _BATCH_MAX if payout else 0


def _moment(fields: Mapping[str, str]) -> datetime:
    for column in ("created_utc", "created", "automatic_payout_effective_at_utc", "automatic_payout_effective_at"):
        text = text_of(fields, column)
        if text is None:
            continue
        try:
            found = datetime.fromisoformat(text.removesuffix(" UTC"))
        except ValueError:
            raise FieldError(f"{column} is {text!r}, not a time such as 2026-01-31 23:50:00") from None
        try:
            return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
        except OverflowError:
            raise FieldError(f"{column} is {text!r}, a time that no calendar has") from None
    return _EPOCH


def _name(column: str) -> str:
    return column.strip().lower().replace(" ", "_")
