"""Invoices of a month from the published build, and as files: JSON, CSV, XLSX and a page to print."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import dict_row

from pipelines.books.customers import load_customers
from pipelines.books.service import published_record
from pipelines.internal_api import command
from regions.pricing import load_pricing
from warehouse.builds import Warehouse
from warehouse.query import open_published
from warehouse.reports.invoices import as_result, invoices
from warehouse.reports.page import to_html
from warehouse.reports.paper import Customer, paper_of_invoice
from warehouse.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from regions.region import Region

FORMATS: Final = ("json", "csv", "xlsx", "html")
_ISSUED = """
SELECT document, number, kind, credits, merchant_id, livemode, reason, issued_on FROM invoices
 WHERE livemode = %(livemode)s AND month = %(month)s
   AND (%(merchant_id)s::text IS NULL OR merchant_id = %(merchant_id)s) ORDER BY year, sequence
"""


def drafts(
    region: Region, env: Mapping[str, str], day: date, *, livemode: bool, merchant_id: str | None
) -> list[dict[str, Any]]:
    """What the invoices of a day's month say, by the published build."""
    number = published_record(region, env).number
    with open_published(Warehouse.open(region, env)) as build:
        return invoices(build, day, load_pricing(), livemode=livemode, merchant_id=merchant_id, build_number=number)


def issue(
    region: Region, env: Mapping[str, str], found: Iterable[Mapping[str, Any]], actor: str
) -> list[dict[str, Any]]:
    """Issue what is priced, each once; the documents with their numbers. What has no prices stays a draft."""
    return [command(region, env, "invoices", _asked(one, actor)) if one["lines"] else dict(one) for one in found]


def _asked(one: Mapping[str, Any], actor: str) -> dict[str, Any]:
    made_by_the_region = {"number", "kind", "since", "until", "problem"}
    return {name: value for name, value in one.items() if name not in made_by_the_region} | {"actor": actor}


def issued(
    region: Region, env: Mapping[str, str], day: date, *, livemode: bool, merchant_id: str | None
) -> list[dict[str, Any]]:
    """Invoices and credit notes that were issued for a day's month, by their numbers."""
    values = {"livemode": livemode, "month": day.replace(day=1), "merchant_id": merchant_id}
    with psycopg.connect(region.database_url(env), row_factory=dict_row) as connection:
        rows = connection.execute(_ISSUED, values).fetchall()
    return [
        {**row.pop("document"), **row, "issued_on": row["issued_on"].isoformat(), "object": "invoice", "problem": None}
        for row in rows
    ]


def render_invoices(
    region: Region, env: Mapping[str, str], found: Sequence[Mapping[str, Any]], day: date, form: str, locale: str
) -> bytes:
    """The file's bytes; every format shows the same figures."""
    if form == "json":
        return json.dumps(found, indent=1).encode()
    customers = load_customers(region, env, {one["merchant_id"] for one in found})
    if form == "html":
        papers = [
            paper_of_invoice(one, one.get("issuer", region.legal_home), _customer(one, customers), locale)
            for one in found
        ]
        return to_html(papers, f"Invoices of {day:%Y-%m}", locale)
    names = {one["merchant_id"]: known.name for one in found if (known := _customer(one, customers))}
    build = max((one["build"] or 0 for one in found), default=0)
    return render(as_result(found, day, build, names), form, locale)


def _customer(one: Mapping[str, Any], known: Mapping[str, Customer]) -> Customer | None:
    """Whom it is made out to: as issued, whatever the merchant is called now."""
    found, named = known.get(one["merchant_id"]), one.get("customer")
    return replace(found or Customer(""), name=named["name"], country=named["country"]) if named else found
