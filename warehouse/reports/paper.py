"""What a printed page says: who wrote to whom, tables, sums, and what everything was computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from babel.numbers import format_percent

from regions.money import Money
from regions.money_text import show_money
from warehouse.reports.invoices import COLUMNS as INVOICE_COLUMNS
from warehouse.reports.invoices import line_cells
from warehouse.reports.model import Column, Result

TITLES: Final = {"draft": "Draft invoice", "invoice": "Invoice", "credit_note": "Credit note"}
_LINE: Final = ("what", "piece_count", "volume_minor", "price_minor", "rate_ppm", "net_minor", "basis")


@dataclass(frozen=True, slots=True)
class Customer:
    """A merchant on paper, and how its pages look: the colour is #rrggbb, the logo a PNG."""

    name: str
    country: str = ""
    branding: Mapping[str, Any] = field(default_factory=dict)
    logo: bytes | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their columns; each row knows its `currency`."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Paper:
    """One document. Money that is of a test is said so on it."""

    title: str
    issuer: str
    livemode: bool
    facts: Sequence[tuple[str, str | date]]
    tables: Sequence[Table]
    sums: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    merchant_id: str | None = None
    customer: Customer | None = None


def paper_of_invoice(one: Mapping[str, Any], issuer: str, customer: Customer | None, locale: str) -> Paper:
    """An invoice, a credit note, or the draft of an invoice."""
    since, until = date.fromisoformat(one["since"]), date.fromisoformat(one["until"])
    facts: list[tuple[str, str | date]] = [("Number", one["number"] or "none yet: this is a draft")]
    if one.get("issued_on"):
        facts.append(("Date", date.fromisoformat(one["issued_on"])))
    if one.get("credits"):
        facts.append(("Takes back", one["credits"]))
    facts += [("From", since), ("Through", until), ("Plan", one["plan"]), ("Currency", one["currency"])]
    rows = [line_cells(line) | {"currency": one["currency"], "basis": line["basis"]} for line in one["lines"]]
    used = {name for row in rows for name, value in row.items() if value is not None}
    columns = [column for name in _LINE for column in INVOICE_COLUMNS if column.name == name and name in used]
    notes = [f"Computed from warehouse build {one['build']}."]
    if one.get("reason"):
        notes.append(f"Reason: {one['reason']}")
    if one["problem"]:
        notes.append(one["problem"])
    title = TITLES[one["kind"]]
    tables, sums = [Table("Lines", columns, rows)], _sums(one, locale)
    return Paper(title, issuer, one["livemode"], facts, tables, sums, notes, one["merchant_id"], customer)


def _sums(one: Mapping[str, Any], locale: str) -> list[tuple[str, str]]:
    if one["total_minor"] is None:
        return []

    def shown(minor: int) -> str:
        return show_money(Money(minor, one["currency"]), locale)

    sums = [("Net", shown(one["amount_minor"]))]
    for tax in one["taxes"]:
        share = show_share(tax["tax_millionths"], locale)
        sums.append((f"Tax of {share} on {shown(tax['net_minor'])}", shown(tax["tax_minor"])))
    return [*sums, ("Total", shown(one["total_minor"]))]


def show_share(parts_per_million: int, locale: str) -> str:
    """A share in per cent, with every digit that it has."""
    share = Decimal(parts_per_million) / 1_000_000
    return str(format_percent(share, "#,##0.####\u00a0%", locale=locale.replace("-", "_")))


def papers_of_result(
    result: Result, issuer: str, customers: Mapping[str, Customer], details: Result | None = None
) -> list[Paper]:
    """A report on paper; one that starts with the merchant becomes a paper for each, with its `details`."""
    report, asked, rows = result.report, result.asked, result.dicts()
    facts: list[tuple[str, str | date]] = [("From", asked.since), ("Through", asked.until)]
    facts += [(f"Only {name}", value) for name, value in asked.where.items()]
    notes = (report.about, f"Computed from warehouse build {result.build}.")
    if report.columns[0].name != "merchant_id":
        return [Paper(report.title, issuer, asked.livemode, facts, [Table("", report.columns, rows)], (), notes)]
    lines = details.dicts() if details else []
    papers = []
    for merchant_id in dict.fromkeys(row["merchant_id"] for row in rows):
        tables = [_of(merchant_id, "Balances" if details else "", report.columns, rows)]
        if details is not None:
            tables.append(_of(merchant_id, details.report.title, details.report.columns, lines))
        customer = customers.get(merchant_id)
        papers.append(Paper(report.title, issuer, asked.livemode, facts, tables, (), notes, merchant_id, customer))
    return papers


def _of(merchant_id: str, title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> Table:
    shown = [column for column in columns if column.name not in {"merchant_id", "month"}]
    return Table(title, shown, [row for row in rows if row["merchant_id"] == merchant_id])
