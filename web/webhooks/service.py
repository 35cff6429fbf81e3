"""Endpoints and what is sent to them. Sending itself is the dispatcher's."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import orjson
import uuid_utils

from regions.event_erasure import erase_fields
from regions.events import event_type
from regions.ids import new_id
from regions.vault import Vault
from regions.webhook_catalog import CATALOG, TEST_TYPE, matches
from regions.webhook_signing import make_private_key, make_secret, public_key
from regions.webhook_urls import UrlError, parse_url
from web.db.scope import Scope
from web.http.bodies import field_error
from web.http.problems import ConflictError, NotFoundError
from web.webhooks import repository
from web.webhooks.models import Attempt, Delivery, Endpoint, Event
from web.webhooks.schemas import CreateEndpoint, CreateListener, Replay, Trigger, UpdateEndpoint

SEAL_PURPOSE = "webhook_secret"
SECRET_BYTES = KEY_BYTES = 32
ENDPOINTS_MAX, LISTENERS_MAX = 50, 10  # of one merchant in one mode
LISTENER_SECONDS = 3600
POLL_MAX = 50


class WithSecret(NamedTuple):
    """An endpoint and the secret that was made for it just now."""

    endpoint: Endpoint
    secret: str


def create(scope: Scope, vault: Vault, wanted: CreateEndpoint, *, may_be_local: bool) -> WithSecret:
    """Make an endpoint with a secret. Raises InvalidFieldsError, ConflictError for one too many."""
    _check_url(scope, wanted.url, may_be_local=may_be_local)
    values = {
        "kind": "url",
        "url": wanted.url,
        "description": wanted.description or None,
        "event_types": list(dict.fromkeys(wanted.event_types)),
        "api_version": wanted.api_version or CATALOG.current,
        "expires_in": None,
    }
    return _make(scope, vault, values, ENDPOINTS_MAX)


def listen(scope: Scope, vault: Vault, wanted: CreateListener) -> WithSecret:
    """Make a listener, in test mode. Raises ConflictError."""
    _must_be_test(scope, "A listener")
    values = {
        "kind": "listener",
        "url": None,
        "description": None,
        "event_types": list(dict.fromkeys(wanted.event_types)),
        "api_version": CATALOG.current,
        "expires_in": LISTENER_SECONDS,
    }
    return _make(scope, vault, values, LISTENERS_MAX)


def poll(scope: Scope, listener_id: str) -> Sequence[tuple[str, str, Event]]:
    """Hand over what waits for a listener, and keep it for another hour. Raises NotFoundError."""
    get(scope, listener_id, "listener")
    repository.prolong(scope, listener_id, LISTENER_SECONDS)
    return repository.take(scope, listener_id, POLL_MAX)


def get(scope: Scope, endpoint_id: str, kind: str = "url") -> Endpoint:
    """One endpoint of the merchant; raises NotFoundError."""
    found = repository.get(scope, endpoint_id, kind)
    if found is None:
        raise NotFoundError("There is no such endpoint.")
    return found


def update(scope: Scope, endpoint_id: str, wanted: UpdateEndpoint, *, may_be_local: bool) -> Endpoint:
    """Change an endpoint. Raises InvalidFieldsError."""
    repository.lock(scope, endpoint_id)
    found = get(scope, endpoint_id)
    changes = {name: value for name in wanted.model_fields_set if (value := getattr(wanted, name)) is not None}
    if "url" in changes:
        _check_url(scope, changes["url"], may_be_local=may_be_local)
    if "description" in changes:
        changes["description"] = changes["description"] or None
    if "event_types" in changes:
        changes["event_types"] = list(dict.fromkeys(changes["event_types"]))
    changed = replace(found, **changes)
    repository.update(scope, changed)
    if changed.status != found.status:
        if changed.status == "disabled":
            repository.cancel(scope, endpoint_id)
        else:
            repository.make_fresh(scope, endpoint_id)
    return get(scope, endpoint_id)


def delete(scope: Scope, endpoint_id: str, kind: str = "url") -> None:
    """Delete an endpoint; raises NotFoundError."""
    repository.lock(scope, endpoint_id)
    get(scope, endpoint_id, kind)
    repository.delete(scope, endpoint_id)


def rotate(scope: Scope, vault: Vault, endpoint_id: str, overlap_seconds: int) -> WithSecret:
    """Give an endpoint a new secret; those in use sign too for a while."""
    repository.lock(scope, endpoint_id)
    get(scope, endpoint_id)
    repository.expire_secrets(scope, endpoint_id, overlap_seconds)
    secret = _add_secret(scope, vault, endpoint_id)
    return WithSecret(get(scope, endpoint_id), secret)


def test(scope: Scope, endpoint_id: str) -> Delivery:
    """Send a test event to an endpoint. Raises ConflictError if it is disabled."""
    endpoint = _enabled(get(scope, endpoint_id))
    event = Event(_uuid(), scope.livemode, TEST_TYPE, endpoint.id, 1, 1, scope.now, '{"message":"It works."}')
    [delivery_id] = _send(scope, event, [endpoint])
    return delivery(scope, delivery_id)


def trigger(scope: Scope, wanted: Trigger) -> tuple[Event, list[str]]:
    """Send an example of a type to those that want it, in test mode. Raises InvalidFieldsError, ConflictError."""
    _must_be_test(scope, "An example")
    if wanted.type not in CATALOG.offered:
        raise field_error("type", "is no type of event that is sent to endpoints")
    if wanted.endpoint_id is not None:
        wanting = [_enabled(get(scope, wanted.endpoint_id))]
    else:
        wanting = [found for found in repository.wanting(scope) if matches(found.event_types, wanted.type)]
    kind = event_type(wanted.type)
    data = erase_fields(kind.name, dict(kind.examples[0]))
    object_id = next((str(value) for name, value in data.items() if name.endswith("_id")), scope.merchant_id)
    event = Event(
        _uuid(), scope.livemode, kind.name, object_id, 1, kind.version, scope.now, orjson.dumps(data).decode()
    )
    return event, _send(scope, event, wanting)


def delivery(scope: Scope, delivery_id: str) -> Delivery:
    """One delivery of the merchant; raises NotFoundError."""
    found = repository.delivery(scope, delivery_id)
    if found is None:
        raise NotFoundError("There is no such delivery.")
    return found


def inspect(scope: Scope, delivery_id: str) -> tuple[Delivery, Event | None, list[Attempt]]:
    """A delivery with its event and its tries, as long as they are kept; raises NotFoundError."""
    found = delivery(scope, delivery_id)
    return found, repository.event(scope, found.event_id), repository.attempts(scope, found.id)


def resend(scope: Scope, delivery_id: str) -> Delivery:
    """Send a delivery again, now. Raises ConflictError while it is being sent, or if its endpoint is disabled."""
    found = delivery(scope, delivery_id)
    repository.lock(scope, found.endpoint_id)
    _enabled(get(scope, found.endpoint_id))
    if repository.event(scope, found.event_id) is None:
        raise ConflictError("This event is no longer kept: ask the API for the object instead.")
    if not repository.resend(scope, delivery_id):
        raise ConflictError("This delivery is being sent right now: try again in a minute.")
    return delivery(scope, delivery_id)


def replay(scope: Scope, endpoint_id: str, wanted: Replay) -> int:
    """Send many deliveries again; how many. Raises ConflictError if the endpoint is disabled."""
    repository.lock(scope, endpoint_id)
    _enabled(get(scope, endpoint_id))
    if wanted.mode == "failures":
        return repository.resend_failures(scope, endpoint_id, wanted.since)
    return repository.resend_latest(scope, endpoint_id, wanted.since)


def _make(scope: Scope, vault: Vault, values: Mapping[str, object], most: int) -> WithSecret:
    kind = str(values["kind"])
    if repository.count(scope, kind) >= most:
        raise ConflictError(f"There are {most} already, which is the most: delete one first.")
    endpoint_id = new_id("endpoint", scope.region.code)
    repository.insert(scope, {"id": endpoint_id, **values})
    secret = _add_secret(scope, vault, endpoint_id)
    return WithSecret(get(scope, endpoint_id, kind), secret)


def _add_secret(scope: Scope, vault: Vault, endpoint_id: str) -> str:
    secret, key = make_secret(secrets.token_bytes(SECRET_BYTES)), make_private_key(secrets.token_bytes(KEY_BYTES))
    sealed = vault.encrypt_region(orjson.dumps({"v1": secret, "v1a": key}), SEAL_PURPOSE)
    repository.insert_secret(scope, endpoint_id, sealed, public_key(key))
    return secret


def _send(scope: Scope, event: Event, endpoints: Sequence[Endpoint]) -> list[str]:
    if endpoints:
        repository.insert_event(scope, event)
    ids = []
    for endpoint in endpoints:
        ids.append(new_id("delivery", scope.region.code))
        repository.insert_delivery(scope, ids[-1], event, endpoint)
    return ids


def _check_url(scope: Scope, url: str, *, may_be_local: bool) -> None:
    try:
        parse_url(url, may_be_local=may_be_local and not scope.livemode)
    except UrlError as error:
        raise field_error("url", str(error)) from None


def _enabled(endpoint: Endpoint) -> Endpoint:
    if endpoint.status != "enabled":
        raise ConflictError("This endpoint is disabled: enable it first.")
    return endpoint


def _must_be_test(scope: Scope, what: str) -> None:
    if scope.livemode:
        raise ConflictError(f"{what} is for test mode: use a test key.")


def _uuid() -> UUID:
    return UUID(int=uuid_utils.uuid7().int)
