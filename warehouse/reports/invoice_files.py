"""Invoices and credit notes as files: every format shows the same figures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from warehouse.reports.invoices import as_result
from warehouse.reports.page import to_html
from warehouse.reports.paper import Customer, paper_of_invoice
from warehouse.reports.render import render
from warehouse.reports.texts import words_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

FORMATS: Final = ("json", "csv", "xlsx", "html")


def invoice_file(
    found: Sequence[Mapping[str, Any]], day: date, form: str, locale: str, issuer: str, known: Mapping[str, Customer]
) -> bytes:
    """The file's bytes. A day of the month, who issues where a draft does not say, and merchants by their ids."""
    if form == "json":
        return json.dumps(found, indent=1).encode()
    if form == "html":
        papers = [paper_of_invoice(one, one.get("issuer", issuer), _customer(one, known), locale) for one in found]
        return to_html(papers, words_for(locale)("invoices_of", month=f"{day:%Y-%m}"), locale)
    names = {one["merchant_id"]: customer.name for one in found if (customer := _customer(one, known))}
    build = max((one["build"] or 0 for one in found), default=0)
    return render(as_result(found, day, build, names), form, locale)


def _customer(one: Mapping[str, Any], known: Mapping[str, Customer]) -> Customer | None:
    """Whom it is made out to: as issued, whatever the merchant is called now."""
    found, named = known.get(one["merchant_id"]), one.get("customer")
    return replace(found or Customer(""), name=named["name"], country=named["country"]) if named else found
