"""The internal API of keys: what people decide on the console is done by the services of `/v1/keys`, in their name."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from flask import Blueprint, Response, request

from regions.ids import region_of
from web.clock import utc_now
from web.db.scope import Scope, Tenant, tenant_scope
from web.http import idempotency
from web.http.answers import encode, json_response, request_id
from web.http.auth import check_region
from web.http.bodies import parse_body
from web.http.edge import check_ids, replay
from web.http.idempotency import RETRY_AFTER_SECONDS, KeyTakenError
from web.http.problems import InFlightError
from web.http.service_edge import check_service_key, key_person, required_idempotency
from web.keys import service
from web.keys.models import Key
from web.keys.schemas import Commanded, CommandKey, CommandRoll, key_json
from web.wiring import wired

blueprint = Blueprint("keys_commanded", __name__, url_prefix="/internal/v1/keys")


@blueprint.before_request
def _of_ours() -> None:
    check_service_key()
    check_ids(request.view_args or {})


@blueprint.post("")
def create_key() -> Response:
    """Make a key and show it once."""
    body = parse_body(request, CommandKey)
    return _made(body, lambda scope: service.create(scope, wired().settings.key_pepper, body))


@blueprint.post("/<key_id>/roll")
def roll_key(key_id: str) -> Response:
    """A new key, shown once; the old one goes on working for a while."""
    body = parse_body(request, CommandRoll)
    overlap = timedelta(seconds=body.overlap_seconds)
    return _made(body, lambda scope: service.roll(scope, wired().settings.key_pepper, key_id, overlap))


@blueprint.post("/<key_id>/revoke")
def revoke_key(key_id: str) -> Response:
    """End a key at once; again changes nothing."""
    with _scope_of(parse_body(request, Commanded)) as scope:
        found = service.revoke(scope, key_id)
    return json_response(200, encode(key_json(found, scope.now)), {})


def _made(said: Commanded, make: Callable[[Scope], tuple[Key, str]]) -> Response:
    """Make a key once per idempotency key. What is kept for repetitions has no secret."""
    asked = required_idempotency()
    try:
        with _scope_of(said) as scope:
            stored = idempotency.stored(scope, asked)
            if stored is not None:
                return replay(stored, asked, scope)
            key, secret = make(scope)
            idempotency.claim_answered(scope, asked, 201, encode(key_json(key, scope.now)))
    except KeyTakenError:  # the winner answers the person who waits for it, or has been answered: a try later tells
        raise InFlightError(RETRY_AFTER_SECONDS) from None
    return json_response(201, encode(key_json(key, scope.now, secret)), {})


def _scope_of(said: Commanded) -> AbstractContextManager[Scope]:
    """A transaction for the merchant, in the name of whoever wants it. Raises WrongRegionError, ForbiddenError."""
    wiring = wired()
    check_region(region_of(said.merchant_id) or "", wiring.region, wiring.settings)
    person = key_person(said.actor, said.merchant_id)
    tenant = Tenant(said.merchant_id, said.merchant_id, said.livemode)
    return tenant_scope(
        wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now(), actor=person
    )
