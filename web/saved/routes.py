from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.saved import repository, service
from web.saved.schemas import (
    ListSavedMethods,
    OfferSaving,
    SavedMethodList,
    SavedMethodObject,
    SavingObject,
    saved_json,
)

blueprint = Blueprint("saved", __name__, url_prefix="/v1")
TAG = "Payment methods"


@blueprint.get("/payment_methods")
@operation("List payment methods", TAG, SavedMethodList, scope="payment_methods:read", query=ListSavedMethods)
@merchant_route
def list_methods(scope: Scope) -> Answer:
    """What payers have agreed to be charged on again, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListSavedMethods))
    return Answer(200, list_json([saved_json(each) for each in found], has_more=has_more))


@blueprint.get("/payment_methods/<payment_method_id>")
@operation("Retrieve a payment method", TAG, SavedMethodObject, scope="payment_methods:read")
@merchant_route
def get_method(scope: Scope, payment_method_id: str) -> Answer:
    """One saved method."""
    return Answer(200, saved_json(service.get(scope, payment_method_id)))


@blueprint.delete("/payment_methods/<payment_method_id>")
@operation("Delete a payment method", TAG, SavedMethodObject, scope="payment_methods:write")
@merchant_route
def delete_method(scope: Scope, payment_method_id: str) -> Answer:
    """End a payer's consent: it is never charged again, and the gateway forgets it."""
    return Answer(200, saved_json(service.delete(scope, payment_method_id)))


@blueprint.post("/payment_method_settings")
@operation("Offer to save payment methods", TAG, SavingObject, scope="payment_methods:write", body=OfferSaving)
@merchant_route
def offer(scope: Scope) -> Answer:
    """Let the checkout page ask payers whether they want to be charged again."""
    wanted = parse_body(request, OfferSaving)
    repository.offer(scope, is_offered=wanted.is_offered)
    return Answer(200, {"object": "payment_method_settings", "is_offered": wanted.is_offered})
