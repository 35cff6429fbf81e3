import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import Request
from psycopg.errors import LockNotAvailable
from sqlalchemy import text

from web.db.engine import driver_of
from web.db.scope import Scope
from web.http.problems import IdempotencyKeyReusedError, InFlightError, MalformedRequestError

HEADER = "Idempotency-Key"
LEASE = timedelta(seconds=60)  # longer than any gateway's time-out; after it, a retry gets the bound object's state
RETRY_AFTER_SECONDS = 2
# WSGI joins repeated header lines with commas, so a comma is either two keys or a key that looks like two.
_ACCEPTED = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")

# What a statement that writes begins with. It names its tenant, so it may be a transaction of its own, and it writes
# only what comes FROM claim, so a key that another request took first leaves nothing behind.
_TENANT = """tenant AS MATERIALIZED (
  SELECT set_config('meridian.merchant_id', %(merchant_id)s, true), set_config('meridian.actor', %(actor)s, true),
         set_config('meridian.request_id', %(correlation_id)s, true)"""
# Only if the API key opens now what it opened when it was last seen.
_SEEN = " FROM tenant_of_key(%(key_hash)s) AS k WHERE k::text = %(key_seen)s"
_CLAIM = """claim AS (
  INSERT INTO idempotency_keys
    (merchant_id, livemode, key, fingerprint, locked_until, object_id, response_status, response_body, created_at)
  SELECT %(merchant_id)s, %(livemode)s, %(claim_key)s, %(claim_fingerprint)s, %(claim_locked_until)s::timestamptz,
         %(claim_object_id)s, %(claim_status)s::smallint, %(claim_body)s::bytea, %(claim_at)s
    FROM tenant
  ON CONFLICT DO NOTHING RETURNING 1)"""
_NO_CLAIM = "claim AS (SELECT 1 FROM tenant)"


def beginnings(statement: str) -> Mapping[tuple[bool, bool], str]:
    """A statement `WITH {claim} …` with each beginning: by whether it claims a key, and looks at the caller's."""
    return {
        (claims, looks): statement.format(
            claim=f"{_TENANT}{_SEEN if looks else ''}), {_CLAIM if claims else _NO_CLAIM}"
        )
        for claims in (False, True)
        for looks in (False, True)
    }


_CLAIM_ALONE = beginnings("WITH {claim} SELECT FROM claim")[True, False]
_STORED = text("""
SELECT fingerprint, locked_until, object_id, response_status, response_body FROM idempotency_keys
 WHERE merchant_id = :merchant_id AND livemode = :livemode AND key = :key
""")
_ANSWER = text("""
UPDATE idempotency_keys SET locked_until = NULL, response_status = :status, response_body = :body
 WHERE merchant_id = :merchant_id AND livemode = :livemode AND key = :key
""")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a request says about repeating itself. `fingerprint` is the SHA-256 of method, path and body."""

    key: str
    fingerprint: bytes


class Stored(NamedTuple):
    """What an idempotency key holds already."""

    fingerprint: bytes
    locked_until: datetime | None
    object_id: str | None
    response_status: int | None
    response_body: bytes | None


class KeyTakenError(Exception):
    """Another request claimed the key in between, or the caller's key is no longer what it was: look again."""


def key_of(request: Request) -> IdempotencyKey | None:
    """The request's idempotency key, if it has one; raise MalformedRequestError for one that cannot be.

    Reads the whole body.
    """
    body = request.get_data(cache=True)  # before any connection is taken, and whatever the method: it may come slowly
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST":
        return None
    if not _ACCEPTED.fullmatch(key):
        raise MalformedRequestError(
            f"{HEADER} must be given once, as 1 to 255 visible ASCII characters without spaces and commas."
        )
    said = b"\n".join((request.method.encode(), request.path.encode(), body))
    return IdempotencyKey(key, hashlib.sha256(said).digest())


def check(stored: Stored, idempotency: IdempotencyKey, now: datetime) -> None:
    """Raise the problem that a stored key means for this request, if it means one."""
    if stored.fingerprint != idempotency.fingerprint:
        raise IdempotencyKeyReusedError
    if stored.response_status is None and stored.locked_until is not None and stored.locked_until > now:
        raise InFlightError(RETRY_AFTER_SECONDS)


def stored(scope: Scope, idempotency: IdempotencyKey) -> Stored | None:
    """What the key holds of the scope's merchant and mode, for an edge that has not read it with its caller."""
    parameters = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "key": idempotency.key}
    row = scope.connection.execute(_STORED, parameters).one_or_none()
    return None if row is None else Stored._make(row)


def answered(
    scope: Scope, idempotency: IdempotencyKey, status: int, body: bytes, object_id: str | None = None
) -> dict[str, Any]:
    """The parameters of a claim for an answer that is stored in the transaction that made it."""
    return _claim(scope, idempotency, None, object_id, status, body)


def claim_answered(scope: Scope, idempotency: IdempotencyKey, status: int, body: bytes) -> None:
    """Store the answer in the transaction that made it; raise KeyTakenError if another request was first."""
    write(scope, _CLAIM_ALONE, answered(scope, idempotency, status, body))


def claim_intent(scope: Scope, idempotency: IdempotencyKey, object_id: str) -> None:
    """Bind the key to an object whose outcome a gateway decides; raise KeyTakenError if another request was first."""
    write(scope, _CLAIM_ALONE, _claim(scope, idempotency, scope.now + LEASE, object_id, None, None))


def write(scope: Scope, statement: str, parameters: Mapping[str, Any]) -> None:
    """Run a statement with one of its `beginnings`, which returns a row; raise KeyTakenError if it returns none."""
    try:
        row = driver_of(scope.connection).execute(statement, parameters).fetchone()
    except LockNotAvailable:  # the first request is still open, and stays so
        raise InFlightError(RETRY_AFTER_SECONDS) from None
    if row is None:
        raise KeyTakenError


def answer(scope: Scope, idempotency: IdempotencyKey, status: int, body: bytes) -> None:
    """Store the answer of a claimed key and end its lease."""
    parameters = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "key": idempotency.key}
    scope.connection.execute(_ANSWER, parameters | {"status": status, "body": body})


def _claim(
    scope: Scope,
    idempotency: IdempotencyKey,
    locked_until: datetime | None,
    object_id: str | None,
    status: int | None,
    body: bytes | None,
) -> dict[str, Any]:
    return {
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "actor": scope.actor,
        "correlation_id": scope.correlation_id,
        "claim_key": idempotency.key,
        "claim_fingerprint": idempotency.fingerprint,
        "claim_locked_until": locked_until,
        "claim_object_id": object_id,
        "claim_status": status,
        "claim_body": body,
        "claim_at": scope.now,
    }
