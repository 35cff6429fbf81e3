from datetime import timedelta

from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import NoFields, parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import ConflictError, InvalidTermsError
from web.keys import repository, service
from web.keys.models import Key
from web.keys.schemas import CreateKey, KeyList, KeyObject, ListKeys, RollKey, UpdateKey, key_json
from web.wiring import wired

blueprint = Blueprint("keys", __name__, url_prefix="/v1/keys")


@blueprint.post("")
@operation(
    "Create an API key",
    "API keys",
    KeyObject,
    scope="keys:write",
    status=201,
    body=CreateKey,
    errors=(InvalidTermsError,),
)
@merchant_route
def create_key(scope: Scope) -> Answer:
    """Make a key and show it once."""
    return _made(scope, *service.create(scope, wired().settings.key_pepper, parse_body(request, CreateKey)))


@blueprint.get("")
@operation("List API keys", "API keys", KeyList, scope="keys:read", query=ListKeys)
@merchant_route
def list_keys(scope: Scope) -> Answer:
    """The merchant's keys in this mode, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListKeys))
    return Answer(200, list_json([key_json(key, scope.now) for key in found], has_more=has_more))


@blueprint.get("/<key_id>")
@operation("Retrieve an API key", "API keys", KeyObject, scope="keys:read")
@merchant_route
def get_key(scope: Scope, key_id: str) -> Answer:
    """One key, without what it is."""
    return Answer(200, key_json(service.get(scope, key_id), scope.now))


@blueprint.patch("/<key_id>")
@operation("Update an API key", "API keys", KeyObject, scope="keys:write", body=UpdateKey, errors=(InvalidTermsError,))
@merchant_route
def update_key(scope: Scope, key_id: str) -> Answer:
    """Change a key's name and from where it may be used."""
    return Answer(200, key_json(service.update(scope, key_id, parse_body(request, UpdateKey)), scope.now))


@blueprint.post("/<key_id>/roll")
@operation(
    "Roll an API key",
    "API keys",
    KeyObject,
    scope="keys:write",
    status=201,
    body=RollKey,
    is_body_required=False,
    errors=(ConflictError,),
)
@merchant_route
def roll_key(scope: Scope, key_id: str) -> Answer:
    """A new key; the old one goes on working for a while."""
    overlap = timedelta(seconds=parse_body(request, RollKey).overlap_seconds)
    return _made(scope, *service.roll(scope, wired().settings.key_pepper, key_id, overlap))


@blueprint.post("/<key_id>/revoke")
@operation("Revoke an API key", "API keys", KeyObject, scope="keys:write", body=NoFields, is_body_required=False)
@merchant_route
def revoke_key(scope: Scope, key_id: str) -> Answer:
    """End a key at once."""
    parse_body(request, NoFields)
    return Answer(200, key_json(service.revoke(scope, key_id), scope.now))


def _made(scope: Scope, key: Key, secret: str) -> Answer:
    """What is kept for repetitions of the request has no secret."""
    return Answer(201, key_json(key, scope.now, secret), kept=key_json(key, scope.now))
