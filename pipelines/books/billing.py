"""Invoices of a month from the published build, and as files: JSON, CSV, XLSX and a page to print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from pipelines.books.customers import load_customers
from pipelines.books.service import published_record
from pipelines.internal_api import command
from regions.pricing import load_pricing
from warehouse.builds import Warehouse
from warehouse.query import open_published
from warehouse.reports.invoice_files import FORMATS, invoice_file
from warehouse.reports.invoices import invoices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from regions.region import Region

__all__ = ["FORMATS", "drafts", "issue", "issued", "render_invoices"]
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
    known = {} if form == "json" else load_customers(region, env, {one["merchant_id"] for one in found})
    return invoice_file(found, day, form, locale, region.legal_home, known)
