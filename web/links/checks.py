"""Judges a link's terms as a whole, with the region and the database at hand; web.links.domain holds the rules."""

from collections.abc import Iterable, Mapping
from typing import Any

from regions.region import Region
from web.db.scope import Scope
from web.http.problems import FieldError, InvalidFieldsError, InvalidTermsError
from web.links import repository
from web.links.domain import Fault, page_faults, price_faults, split_faults, total_faults
from web.links.methods import payable_by
from web.links.models import Link
from web.links.pricing import bill, currencies_of
from web.links.schemas import CreateLink, UpdateLink


def check_terms(region: Region, wanted: CreateLink, terms: Mapping[str, Any]) -> None:
    """Raise InvalidFieldsError for what the region does not have, InvalidTermsError for what does not go together."""
    _check_region(region, wanted, terms)
    price = {**terms, "amount_minor": wanted.amount_minor}
    _refuse(price_faults(price, wanted.currency))
    _refuse(_method_faults(region, terms, wanted.currency))
    whole = {**terms, "max_payments": wanted.max_payments, "expires_at": wanted.expires_at}
    _refuse(page_faults({**whole, "expires_in": wanted.expires_in}, wanted.usage))
    total = wanted.amount_minor
    if wanted.line_items:
        for currency in currencies_of(terms, wanted.currency):
            _refuse(total_faults(terms, currency, wanted.currency))
        total = bill(terms, wanted.currency, wanted.currency).amount_minor
    if wanted.splits:
        _refuse(split_faults(terms["splits"], total))


def check_update(scope: Scope, link: Link, wanted: UpdateLink, terms: Mapping[str, Any]) -> None:
    """Raise the problem that says what of an update cannot be."""
    given = wanted.model_fields_set
    _check_region(scope.region, wanted, terms)
    _refuse(_method_faults(scope.region, terms, link.currency))
    max_payments = wanted.max_payments if "max_payments" in given else link.max_payments
    whole = {**terms, "max_payments": max_payments, "expires_at": wanted.expires_at, "expires_in": wanted.expires_in}
    _refuse(page_faults(whole, link.usage))
    if max_payments is not None and max_payments != link.max_payments:
        taken = repository.taken_slots(scope, link.id)
        if max_payments <= taken:
            fault = f"must be more than the {taken} payments that are made or under way"
            raise InvalidTermsError([FieldError("/max_payments", fault)])


def _method_faults(region: Region, terms: Mapping[str, Any], home: str) -> list[Fault]:
    """The methods that a link asks for, where nobody could pay it in one of its currencies by any of them."""
    without = [one for one in currencies_of(terms, home) if not payable_by(region, terms, one)]
    if not without or not terms.get("payment_methods"):
        return []
    names = f"{', '.join(without)}{' with manual capture' if terms.get('capture_method') == 'manual' else ''}"
    return [("/payment_methods", f"take no payment in {names}")]


def _check_region(region: Region, wanted: CreateLink | UpdateLink, terms: Mapping[str, Any]) -> None:
    faults: list[FieldError] = []
    if wanted.locale is not None and wanted.locale not in {"auto", *region.locales}:
        faults.append(FieldError("/locale", f"must be auto or one of {', '.join(region.locales)}"))
    methods = {method.name for method in region.payment_methods}
    faults += [
        FieldError(f"/payment_methods/{number}", f"must be one of {', '.join(sorted(methods))}")
        for number, method in enumerate(wanted.payment_methods or ())
        if method not in methods
    ]
    faults += [
        FieldError(f"/currency_options/{number}/currency", f"must be one of {', '.join(region.currencies)}")
        for number, option in enumerate(terms.get("currency_options") or ())
        if option["currency"] not in region.currencies
    ]
    if faults:
        raise InvalidFieldsError(faults)


def _refuse(faults: Iterable[Fault]) -> None:
    found = [FieldError(pointer, detail) for pointer, detail in faults]
    if found:
        raise InvalidTermsError(found)
