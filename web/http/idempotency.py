import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import Request
from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from web.db.scope import Scope
from web.http.problems import IdempotencyKeyReusedError, InFlightError, MalformedRequestError

HEADER = "Idempotency-Key"
LEASE = timedelta(seconds=60)  # longer than any gateway's time-out; after it, a retry gets the bound object's state
RETRY_AFTER_SECONDS = 2
# WSGI joins repeated header lines with commas, so a comma is either two keys or a key that looks like two.
_ACCEPTED = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")

_FIND = text("""
SELECT fingerprint, locked_until, object_id, response_status, response_body
  FROM idempotency_keys WHERE merchant_id = :merchant_id AND livemode = :livemode AND key = :key
""")
_CLAIM = text("""
INSERT INTO idempotency_keys
  (merchant_id, livemode, key, fingerprint, locked_until, object_id, response_status, response_body, created_at)
VALUES
  (:merchant_id, :livemode, :key, :fingerprint, :locked_until, :object_id, :status, :body, :now)
ON CONFLICT DO NOTHING
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
    """Another request claimed the key in between: roll back and look again."""


def key_of(request: Request) -> IdempotencyKey | None:
    """The request's idempotency key, if it has one; raise MalformedRequestError for one that cannot be."""
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST":
        return None
    if not _ACCEPTED.fullmatch(key):
        raise MalformedRequestError(
            f"{HEADER} must be given once, as 1 to 255 visible ASCII characters without spaces and commas."
        )
    said = b"\n".join((request.method.encode(), request.path.encode(), request.get_data(cache=True)))
    return IdempotencyKey(key, hashlib.sha256(said).digest())


def check(stored: Stored, idempotency: IdempotencyKey, now: datetime) -> None:
    """Raise the problem that a stored key means for this request, if it means one."""
    if stored.fingerprint != idempotency.fingerprint:
        raise IdempotencyKeyReusedError
    if stored.response_status is None and stored.locked_until is not None and stored.locked_until > now:
        raise InFlightError(RETRY_AFTER_SECONDS)


def find(scope: Scope, idempotency: IdempotencyKey) -> Stored | None:
    """What the key holds, in this transaction's eyes."""
    parameters = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "key": idempotency.key}
    row = scope.connection.execute(_FIND, parameters).tuples().one_or_none()
    return None if row is None else Stored(*row)


def claim_answered(scope: Scope, idempotency: IdempotencyKey, status: int, body: bytes) -> None:
    """Store the answer in the transaction that made it; raise KeyTakenError if another request was first."""
    _claim(scope, idempotency, locked_until=None, object_id=None, status=status, body=body)


def claim_intent(scope: Scope, idempotency: IdempotencyKey, object_id: str) -> None:
    """Bind the key to an object whose outcome a gateway decides; raise KeyTakenError if another request was first."""
    _claim(scope, idempotency, locked_until=scope.now + LEASE, object_id=object_id, status=None, body=None)


def answer(scope: Scope, idempotency: IdempotencyKey, status: int, body: bytes) -> None:
    """Store the answer of a claimed key and end its lease."""
    parameters = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "key": idempotency.key}
    scope.connection.execute(_ANSWER, parameters | {"status": status, "body": body})


def _claim(
    scope: Scope,
    idempotency: IdempotencyKey,
    *,
    locked_until: datetime | None,
    object_id: str | None,
    status: int | None,
    body: bytes | None,
) -> None:
    parameters = {
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "key": idempotency.key,
        "fingerprint": idempotency.fingerprint,
        "locked_until": locked_until,
        "object_id": object_id,
        "status": status,
        "body": body,
        "now": scope.now,
    }
    try:
        result = scope.connection.execute(_CLAIM, parameters)
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):  # the first request is still open, and stays so
            raise InFlightError(RETRY_AFTER_SECONDS) from None
        raise
    if result.rowcount == 0:
        raise KeyTakenError
