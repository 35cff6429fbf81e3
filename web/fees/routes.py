from flask import Blueprint, request

from web.db.scope import Scope
from web.fees import repository
from web.fees.schemas import FeeList, FeeObject, ListFees, fee_json
from web.http.answers import Answer
from web.http.bodies import parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import NotFoundError

blueprint = Blueprint("fees", __name__, url_prefix="/v1/fees")


@blueprint.get("")
@operation("List fees", "Fees", FeeList, scope="fees:read", query=ListFees)
@merchant_route
def list_fees(scope: Scope) -> Answer:
    """What the platform has taken of the merchant's captures, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListFees))
    return Answer(200, list_json([fee_json(fee) for fee in found], has_more=has_more))


@blueprint.get("/<fee_id>")
@operation("Retrieve a fee", "Fees", FeeObject, scope="fees:read")
@merchant_route
def get_fee(scope: Scope, fee_id: str) -> Answer:
    """One fee, and how it comes about."""
    fee = repository.get(scope, fee_id)
    if fee is None:
        raise NotFoundError("There is no such fee.")
    return Answer(200, fee_json(fee))
