"""Invoices of a month from the published build, and as files: JSON, CSV, XLSX and a page to print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pipelines.books.customers import load_customers
from pipelines.books.service import published_record
from regions.pricing import load_pricing
from warehouse.builds import Warehouse
from warehouse.query import open_published
from warehouse.reports.invoices import as_result, invoices
from warehouse.reports.page import to_html
from warehouse.reports.paper import paper_of_invoice
from warehouse.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from regions.region import Region

FORMATS: Final = ("json", "csv", "xlsx", "html")


def drafts(
    region: Region, env: Mapping[str, str], day: date, *, livemode: bool, merchant_id: str | None
) -> list[dict[str, Any]]:
    """What the invoices of a day's month say, by the published build."""
    number = published_record(region, env).number
    with open_published(Warehouse.open(region, env)) as build:
        return invoices(
            build, day, load_pricing(), livemode=livemode, merchant_id=merchant_id, build_number=number
        )  # fmt: skip


def render_invoices(
    region: Region, env: Mapping[str, str], found: Sequence[Mapping[str, Any]], day: date, form: str, locale: str
) -> bytes:
    """The file's bytes; every format shows the same figures."""
    if form == "json":
        return json.dumps(found, indent=1).encode()
    customers = load_customers(region, env, {one["merchant_id"] for one in found})
    if form == "html":
        papers = [paper_of_invoice(one, region.legal_home, customers.get(one["merchant_id"]), locale) for one in found]
        return to_html(papers, f"Invoices of {day:%Y-%m}", locale)
    names = {merchant_id: one.name for merchant_id, one in customers.items()}
    build = max((one["build"] or 0 for one in found), default=0)
    return render(as_result(found, day, build, names), form, locale)
