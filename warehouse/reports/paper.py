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
from warehouse.reports.texts import ENGLISH, Words, words_for

_VOLUME_AT: Final = "volume at "  # how regions.pricing begins what a tier is called
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
    words: Words = ENGLISH


def paper_of_invoice(one: Mapping[str, Any], issuer: str, customer: Customer | None, locale: str) -> Paper:
    """An invoice, a credit note, or the draft of an invoice."""
    words = words_for(locale)
    since, until = date.fromisoformat(one["since"]), date.fromisoformat(one["until"])
    facts: list[tuple[str, str | date]] = [(words("number"), one["number"] or words("no_number"))]
    if one.get("issued_on"):
        facts.append((words("date"), date.fromisoformat(one["issued_on"])))
    if one.get("credits"):
        facts.append((words("takes_back"), one["credits"]))
    facts += [(words("from"), since), (words("through"), until), (words("plan"), one["plan"])]
    facts.append((words("currency"), one["currency"]))
    rows = [_line(line, one["currency"], words, locale) for line in one["lines"]]
    used = {name for row in rows for name, value in row.items() if value is not None}
    columns = [column for name in _LINE for column in INVOICE_COLUMNS if column.name == name and name in used]
    notes = [words("computed_from", build=str(one["build"]))]
    if one.get("reason"):
        notes.append(words("reason", reason=one["reason"]))
    if one["problem"]:
        notes.append(one["problem"])
    tables, sums = [Table(words("lines"), words.titled(columns), rows)], _sums(one, words, locale)
    who = one["merchant_id"], customer
    return Paper(words(one["kind"]), issuer, one["livemode"], facts, tables, sums, notes, *who, words)


def _line(line: Mapping[str, Any], currency: str, words: Words, locale: str) -> dict[str, Any]:
    row = line_cells(line) | {"currency": currency, "basis": line["basis"]}
    if str(line["what"]).startswith(_VOLUME_AT):
        row["what"] = words("volume_at", share=show_share(line["price"], locale))
    return words.worded(row)


def _sums(one: Mapping[str, Any], words: Words, locale: str) -> list[tuple[str, str]]:
    if one["total_minor"] is None:
        return []

    def shown(minor: int) -> str:
        return show_money(Money(minor, one["currency"]), locale)

    sums = [(words("net"), shown(one["amount_minor"]))]
    for tax in one["taxes"]:
        share = show_share(tax["tax_millionths"], locale)
        sums.append((words("tax", share=share, net=shown(tax["net_minor"])), shown(tax["tax_minor"])))
    return [*sums, (words("total"), shown(one["total_minor"]))]


def show_share(parts_per_million: int, locale: str) -> str:
    """A share in per cent, with every digit that it has."""
    share = Decimal(parts_per_million) / 1_000_000
    return str(format_percent(share, "#,##0.####\u00a0%", locale=locale.replace("-", "_")))


def papers_of_result(
    result: Result, issuer: str, customers: Mapping[str, Customer], details: Result | None = None, locale: str = "en"
) -> list[Paper]:
    """A report on paper; one that starts with the merchant becomes a paper for each, with its `details`.

    Those are in the reader's language. What only finance reads is in English.
    """
    report, asked, rows = result.report, result.asked, result.dicts()
    is_merchants = report.columns[0].name == "merchant_id"
    words = words_for(locale) if is_merchants and details else ENGLISH
    facts: list[tuple[str, str | date]] = [(words("from"), asked.since), (words("through"), asked.until)]
    facts += [(words("only", name=words.columns.get(name, name)), value) for name, value in asked.where.items()]
    built = words("computed_from", build=str(result.build))
    if not is_merchants:
        table, notes = Table("", report.columns, rows), (report.about, built)
        return [Paper(report.title, issuer, asked.livemode, facts, [table], (), notes)]
    title, about = (words("statement"), words("statement_about")) if details else (report.title, report.about)
    lines = details.dicts() if details else []
    papers = []
    for merchant_id in dict.fromkeys(row["merchant_id"] for row in rows):
        tables = [_of(merchant_id, words("balances") if details else "", report.columns, rows, words)]
        if details is not None:
            tables.append(_of(merchant_id, words("statement_lines"), details.report.columns, lines, words))
        who = merchant_id, customers.get(merchant_id)
        papers.append(Paper(title, issuer, asked.livemode, facts, tables, (), (about, built), *who, words))
    return papers


def _of(
    merchant_id: str, title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], words: Words
) -> Table:
    shown = [column for column in columns if column.name not in {"merchant_id", "month", "balance"}]
    return Table(title, words.titled(shown), [words.worded(row) for row in rows if row["merchant_id"] == merchant_id])
