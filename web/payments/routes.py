from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import NotFoundError
from web.payments import repository
from web.payments.schemas import AttemptList, ListPayments, PaymentList, PaymentObject, attempt_json, payment_json

blueprint = Blueprint("payments", __name__, url_prefix="/v1/payments")


@blueprint.get("")
@operation("List payments", "Payments", PaymentList, scope="payments:read", query=ListPayments)
@merchant_route
def list_payments(scope: Scope) -> Answer:
    """The merchant's payments, newest first."""
    query = parse_query(request, ListPayments)
    found, has_more = repository.list_payments(scope, query)
    attempts = repository.latest_attempts(scope, [payment.id for payment in found])
    names = repository.references(scope, found)
    page = [payment_json(payment, attempts[payment.id], names[payment.link_id]) for payment in found]
    return Answer(200, list_json(page, has_more=has_more))


@blueprint.get("/<payment_id>")
@operation("Retrieve a payment", "Payments", PaymentObject, scope="payments:read")
@merchant_route
def get_payment(scope: Scope, payment_id: str) -> Answer:
    """One payment."""
    payment = repository.get_payment(scope, payment_id)
    if payment is None:
        raise NotFoundError("There is no such payment.")
    [reference] = repository.references(scope, [payment]).values()
    return Answer(200, payment_json(payment, repository.latest_attempt(scope, payment.id), reference))


@blueprint.get("/<payment_id>/attempts")
@operation("List a payment's attempts", "Payments", AttemptList, scope="payments:read")
@merchant_route
def list_attempts(scope: Scope, payment_id: str) -> Answer:
    """Every attempt of a payment, with why it was made at that gateway."""
    payment = repository.get_payment(scope, payment_id)
    if payment is None:
        raise NotFoundError("There is no such payment.")
    found = [attempt_json(dict(row)) for row in repository.trail(scope, payment.id)]
    return Answer(200, {"object": "list", "data": found})
