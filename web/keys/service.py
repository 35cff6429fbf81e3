from dataclasses import replace
from datetime import timedelta

from regions.ids import new_id, new_secret
from web.db.scope import Scope
from web.http.addresses import Network
from web.http.problems import ConflictError, FieldError, InvalidTermsError, NotFoundError
from web.http.versions import LATEST
from web.keys import repository
from web.keys.domain import networks_of, scopes_fault, status_at
from web.keys.models import Key
from web.keys.schemas import CreateKey, UpdateKey
from web.merchants.domain import hash_key, shown_prefix


def create(scope: Scope, pepper: bytes, wanted: CreateKey) -> tuple[Key, str]:
    """Make a key; returns it with its secret, which nobody can show again. Raises InvalidTermsError."""
    fault = scopes_fault(wanted.kind, wanted.scopes)
    if fault:
        raise InvalidTermsError([FieldError("/scopes", fault)])
    if wanted.expires_at is not None and wanted.expires_at <= scope.now:
        raise InvalidTermsError([FieldError("/expires_at", "must lie in the future")])
    key = Key(
        id="",
        livemode=scope.livemode,
        prefix="",
        kind=wanted.kind,
        name=wanted.name,
        scopes=sorted(set(wanted.scopes or ())),
        allowed_networks=_networks(wanted.allowed_networks),
        api_version=LATEST,
        rolled_from=None,
        created_at=scope.now,
        expires_at=wanted.expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    return _issue(scope, pepper, key)


def get(scope: Scope, key_id: str) -> Key:
    """One key of the merchant; raises NotFoundError."""
    key = repository.get(scope, key_id)
    if key is None:
        raise NotFoundError("There is no such API key.")
    return key


def update(scope: Scope, key_id: str, wanted: UpdateKey) -> Key:
    """Change a key's name, and from where it may be used. Raises NotFoundError, InvalidTermsError."""
    key = get(scope, key_id)
    if "name" in wanted.model_fields_set:
        key = replace(key, name=wanted.name)
    if "allowed_networks" in wanted.model_fields_set:
        key = replace(key, allowed_networks=_networks(wanted.allowed_networks))
    repository.update(scope, key)
    return key


def roll(scope: Scope, pepper: bytes, key_id: str, overlap: timedelta) -> tuple[Key, str]:
    """A new key that may do what the old one may, which ends after the overlap.

    Raises NotFoundError, and ConflictError for a key that has ended.
    """
    key = get(scope, key_id)
    if status_at(key.revoked_at, key.expires_at, scope.now) != "active":
        raise ConflictError("This key has ended: make a new one.")
    repository.end_at(scope, key_id, scope.now + overlap)
    return _issue(scope, pepper, replace(key, rolled_from=key.id, created_at=scope.now, last_used_at=None))


def revoke(scope: Scope, key_id: str) -> Key:
    """End a key at once. Again changes nothing. Raises NotFoundError."""
    get(scope, key_id)
    repository.revoke(scope, key_id)
    return get(scope, key_id)


def _issue(scope: Scope, pepper: bytes, key: Key) -> tuple[Key, str]:
    secret = new_secret(scope.region.code, scope.livemode, key.kind)
    made = replace(key, id=new_id("key", scope.region.code), prefix=shown_prefix(secret))
    repository.insert(scope, made, hash_key(pepper, secret))
    return made, secret


def _networks(texts: list[str]) -> list[Network]:
    try:
        return networks_of(texts)
    except ValueError as error:
        raise InvalidTermsError([FieldError("/allowed_networks", str(error))]) from None
