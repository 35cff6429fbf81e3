"""The internal API of invoices: what a merchant pays for a month, issued once, taken back by a credit note."""

from contextlib import AbstractContextManager

from flask import Blueprint, Response, request

from regions.ids import region_of
from web.clock import utc_now
from web.db.scope import Scope, Tenant, tenant_scope
from web.http.answers import encode, json_response, request_id
from web.http.auth import check_region
from web.http.bodies import parse_body
from web.http.service_edge import check_service_key, finance_person
from web.invoices import service
from web.invoices.schemas import IssueInvoice, TakeBack, invoice_json
from web.wiring import wired

blueprint = Blueprint("invoices", __name__, url_prefix="/internal/v1/invoices")


@blueprint.post("")
def issue_invoice() -> Response:
    """Issue a month's invoice under the next number; the same figures again issue nothing."""
    check_service_key()
    body = parse_body(request, IssueInvoice)
    person = finance_person(body.actor)
    with _books_of(body.merchant_id, livemode=body.livemode) as scope:
        made, is_new = service.issue(scope, body, person)
    return json_response(201 if is_new else 200, encode(invoice_json(made)), {})


@blueprint.post("/credit-notes")
def issue_credit_note() -> Response:
    """Take an invoice back by a credit note under the next number; asking again issues nothing."""
    check_service_key()
    body = parse_body(request, TakeBack)
    person = finance_person(body.actor)
    with _books_of(body.merchant_id, livemode=body.livemode) as scope:
        made, is_new = service.take_back(scope, body.number, body.reason, person)
    return json_response(201 if is_new else 200, encode(invoice_json(made)), {})


def _books_of(merchant_id: str, *, livemode: bool) -> AbstractContextManager[Scope]:
    wiring = wired()
    check_region(region_of(merchant_id) or "", wiring.region, wiring.settings)
    tenant = Tenant(merchant_id, merchant_id, livemode)
    return tenant_scope(wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now())
