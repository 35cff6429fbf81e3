"""The edge of the internal API: our own jobs and consoles command here, with the service key."""

import hmac

from flask import request
from sqlalchemy import text

from web.http.idempotency import HEADER, IdempotencyKey, key_of
from web.http.problems import ForbiddenError, MalformedRequestError, UnauthenticatedError
from web.wiring import wired

_FINANCE_USER = text("SELECT finance_user(:name)")
_KEY_USER = text("SELECT key_user(:id, :merchant_id)")


def check_service_key() -> None:
    """Raise UnauthenticatedError unless the request carries the region's service key."""
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    expected = wired().settings.service_key.encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(presented.strip().encode(), expected):
        raise UnauthenticatedError("Send the service key: Authorization: Bearer ….")


def required_key() -> str:
    """The request's idempotency key; raises MalformedRequestError without one."""
    return required_idempotency().key


def required_idempotency() -> IdempotencyKey:
    """The same, with the fingerprint of what it was sent for."""
    key = key_of(request)
    if key is None:
        raise MalformedRequestError(f"Send an {HEADER} header.")
    return key


def finance_person(name: str) -> str:
    """The id of somebody who may decide about the books, by id or e-mail address; raises ForbiddenError."""
    with wired().database.transaction() as connection:
        found: str | None = connection.execute(_FINANCE_USER, {"name": name}).scalar_one()
    if found is None:
        raise ForbiddenError("The actor is nobody of the platform's finance.")
    return found


def key_person(user_id: str, merchant_id: str) -> str:
    """The id of somebody who may make and end a merchant's API keys; raises ForbiddenError."""
    with wired().database.transaction() as connection:
        found: str | None = connection.execute(_KEY_USER, {"id": user_id, "merchant_id": merchant_id}).scalar_one()
    if found is None:
        raise ForbiddenError("The actor is no owner and no developer of this merchant.")
    return found
