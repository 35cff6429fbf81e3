from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import NotFoundError
from web.splits import repository
from web.splits.schemas import ListSplits, SplitList, SplitObject, split_json

blueprint = Blueprint("splits", __name__, url_prefix="/v1/splits")


@blueprint.get("")
@operation("List splits", "Splits", SplitList, scope="payments:read", query=ListSplits)
@merchant_route
def list_splits(scope: Scope) -> Answer:
    """What the merchant has given and got, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListSplits))
    return Answer(200, list_json([split_json(split) for split in found], has_more=has_more))


@blueprint.get("/<split_id>")
@operation("Retrieve a split", "Splits", SplitObject, scope="payments:read")
@merchant_route
def get_split(scope: Scope, split_id: str) -> Answer:
    """One record."""
    split = repository.get(scope, split_id)
    if split is None:
        raise NotFoundError("There is no such split.")
    return Answer(200, split_json(split))
