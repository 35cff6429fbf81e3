"""Papers as one printable HTML page: everything escaped, nothing from outside, no row torn by the end of a page."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any, Final

from babel.dates import format_date
from babel.numbers import format_decimal

from regions.money import Money
from regions.money_text import show_money
from warehouse.reports.catalogue import report_of
from warehouse.reports.ledger import MERCHANT_LINES, MERCHANT_STATEMENT
from warehouse.reports.model import Asked, Kind, run
from warehouse.reports.paper import papers_of_result, show_share
from warehouse.reports.render import locale_of
from warehouse.reports.texts import words_for

if TYPE_CHECKING:
    import duckdb

    from warehouse.reports.model import Column, Result
    from warehouse.reports.paper import Customer, Paper, Table

COLOUR: Final = "#1f3a5f"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_FIGURES = {Kind.MONEY, Kind.COUNT, Kind.SHARE}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_PNG = b"\x89PNG\r\n\x1a\n"
_STYLE: Final = """
@page { size: A4; margin: 16mm 14mm 18mm; }
* { box-sizing: border-box; }
body { margin: 0; background: #eceff3; color: #1c2430; font: 14px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; }
article { max-width: 60rem; margin: 2rem auto; padding: 2.5rem; background: #fff; border-top: 6px solid var(--mark); }
header { display: flex; justify-content: space-between; gap: 2rem; align-items: flex-start; }
header img { max-height: 56px; max-width: 200px; }
h1 { margin: 1.6rem 0 .4rem; font-size: 1.7rem; }
h2 { margin: 1.8rem 0 .4rem; font-size: 1.05rem; break-after: avoid; }
.test { display: inline-block; margin: 0; padding: .1rem .6rem; border: 1px solid; color: #9a3412; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 1rem 0; }
dt { color: #55606e; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { padding: .4rem .5rem; border-bottom: 1px solid #d7dce3; text-align: left; overflow-wrap: break-word; }
td { vertical-align: top; }
th { border-bottom: 2px solid var(--mark); font-weight: 600; }
.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
.day { white-space: nowrap; }
.small { font-size: .8rem; color: #55606e; overflow-wrap: anywhere; }
.sums { width: auto; margin: 1.2rem 0 0 auto; break-inside: avoid; }
.sums th { border-bottom: 1px solid #d7dce3; font-weight: 400; }
.sums tr:last-child > * { border-top: 2px solid var(--mark); font-weight: 700; }
footer { margin-top: 2rem; font-size: .85rem; color: #55606e; break-inside: avoid; }
footer p { margin: .2rem 0; }
@media screen and (max-width: 45rem) {
  article { margin: 0 0 1rem; padding: 1.2rem; }
  .wide table { width: max-content; min-width: 100%; }
  .wide td { max-width: 16rem; }
  .wide .small { min-width: 9rem; }
}
@media print {
  body { background: #fff; font-size: 10pt; }
  article { max-width: none; margin: 0; padding: 4mm 0 6mm; }
  article + article { break-before: page; }
  .wide { overflow: visible; }
  .dense, .dense .small { font-size: 7.5pt; line-height: 1.3; }
  .dense th, .dense td { padding: .25rem .2rem; }
}
"""
_DENSE_COLUMNS_MIN = 7


def to_html(papers: Sequence[Paper], title: str, locale: str) -> bytes:
    """The page, whole: each paper in its words, figures and days as the locale writes them. Raises UsageError."""
    tag = str(locale_of(locale))
    words = papers[0].words if papers else words_for(locale)
    body = "".join(_article(paper, tag) for paper in papers) or f"<article><p>{escape(words('nothing'))}</p></article>"
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    ).encode()


def report_page(
    build: duckdb.DuckDBPyConnection, result: Result, issuer: str, customers: Mapping[str, Customer], locale: str
) -> bytes:
    """A report as a page. A merchant statement is a paper for each merchant, its lines under its balances."""
    asked, details = result.asked, None
    if result.report.name == MERCHANT_STATEMENT and result.report.drill:
        where = {name: value for name, value in asked.where.items() if name in result.report.drill.keys}
        lines = Asked(asked.since, asked.until, asked.livemode, where)
        details = run(report_of(MERCHANT_LINES), build, result.build, lines)
    return to_html(papers_of_result(result, issuer, customers, details, locale), result.report.title, locale)


def _article(paper: Paper, locale: str) -> str:
    customer = paper.customer
    colour = str(customer.branding.get("colour") or "") if customer else ""
    mark = colour if _COLOUR.fullmatch(colour) else COLOUR
    test = "" if paper.livemode else '<p class="test">' + escape(paper.words("test")) + "</p>"
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(_day(value, locale))}</dd>" for name, value in paper.facts)
    notes = "".join(f"<p>{escape(note)}</p>" for note in paper.notes)
    return (
        f'<article style="--mark: {mark}"><header><div><strong>{escape(paper.issuer)}</strong></div>'
        f"<div>{_addressee(paper)}</div></header><h1>{escape(paper.title)}</h1>{test}<dl>{facts}</dl>"
        f"{''.join(_table(table, locale) for table in paper.tables)}{_sums(paper)}<footer>{notes}</footer></article>"
    )


def _addressee(paper: Paper) -> str:
    customer = paper.customer
    lines = [f'<div class="small">{escape(paper.merchant_id)}</div>'] if paper.merchant_id else []
    if customer is None:
        return "".join(lines)
    logo = ""
    if customer.logo and customer.logo.startswith(_PNG):
        logo = f'<img alt="" src="data:image/png;base64,{base64.b64encode(customer.logo).decode()}">'
    if legal_line := customer.branding.get("footer"):  # theirs, so under their name, not where the issuer's would be
        lines.append(f'<div class="small">{escape(str(legal_line))}</div>')
    shown = str(customer.branding.get("display_name") or "")
    names = [customer.name, shown if shown != customer.name else "", customer.country]
    return logo + "".join(f"<div>{escape(name)}</div>" for name in names if name) + "".join(lines)


def _table(table: Table, locale: str) -> str:
    if not table.columns:
        return ""
    title = f"<h2>{escape(table.title)}</h2>" if table.title else ""
    dense = " dense" if len(table.columns) >= _DENSE_COLUMNS_MIN else ""
    head = "".join(f'<th scope="col"{_class(column)}>{escape(column.title)}</th>' for column in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(f"<td{_class(column)}>{escape(_shown(row, column, locale))}</td>" for column in table.columns)
        + "</tr>"
        for row in table.rows
    )
    return f'{title}<div class="wide{dense}"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _class(column: Column) -> str:
    if column.kind in _FIGURES:
        return ' class="figure"'
    if column.kind is Kind.DATE:
        return ' class="day"'
    return ' class="small"' if column.kind is Kind.ID or column.name == "basis" else ""


def _sums(paper: Paper) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="figure">{escape(value)}</td></tr>'
        for name, value in paper.sums
    )
    return f'<table class="sums"><tbody>{rows}</tbody></table>' if rows else ""


def _shown(row: Mapping[str, Any], column: Column, locale: str) -> str:
    value = row.get(column.name)
    if value is None:
        return ""
    if column.kind is Kind.MONEY:
        return show_money(Money(int(value), row["currency"]), locale)
    if column.kind is Kind.SHARE:
        return show_share(int(value), locale)
    if column.kind is Kind.COUNT:
        return str(format_decimal(int(value), locale=locale))
    return _day(value, locale)


def _day(value: object, locale: str) -> str:
    return str(format_date(value, "medium", locale=locale)) if isinstance(value, date) else str(value)
