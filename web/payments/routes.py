from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import parse_query
from web.http.edge import merchant_route
from web.http.problems import NotFoundError
from web.payments import repository
from web.payments.schemas import ListPayments, payment_json, payments_json

blueprint = Blueprint("payments", __name__, url_prefix="/v1/payments")


@blueprint.get("")
@merchant_route
def list_payments(scope: Scope) -> Answer:
    """The merchant's payments, newest first, of one link if asked."""
    query = parse_query(request, ListPayments)
    found = repository.list_payments(scope, query.link_id, query.limit + 1, query.cursor)
    page = [(payment, repository.latest_attempt(scope, payment.id)) for payment in found[: query.limit]]
    next_cursor = found[query.limit - 1].id if len(found) > query.limit else None
    return Answer(200, payments_json(page, next_cursor))


@blueprint.get("/<payment_id>")
@merchant_route
def get_payment(scope: Scope, payment_id: str) -> Answer:
    """One payment."""
    payment = repository.get_payment(scope, payment_id)
    if payment is None:
        raise NotFoundError("There is no such payment.")
    return Answer(200, payment_json(payment, repository.latest_attempt(scope, payment.id)))
