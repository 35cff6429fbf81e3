import ipaddress
from functools import cache
from typing import Any

from flask import Request
from sqlalchemy import Connection

from regions.ids import region_of_key
from regions.region import Region, region_codes
from web.db.engine import driver_of
from web.http.addresses import payer_address
from web.http.answers import Read
from web.http.callers import Caller
from web.http.idempotency import IdempotencyKey, Stored
from web.http.problems import AddressNotAllowedError, ScopeMissingError, UnauthenticatedError, WrongRegionError
from web.http.scopes import KeyScope, is_allowed
from web.merchants.domain import hash_key
from web.settings import Settings

_WHO = """
WITH caller AS MATERIALIZED (
  SELECT k.*, k::text AS seen, set_config('meridian.merchant_id', merchant_id, true) AS tenant,
         set_config('meridian.actor', key_id, true), set_config('meridian.request_id', %(request_id)s, true)
    FROM tenant_of_key(%(key_hash)s) AS k
)
SELECT c.key_id, c.merchant_id, c.livemode, c.kind, c.scopes, c.allowed_networks, c.api_version, c.seen"""
_KEY_COLUMNS = 8
_NO_KEY = "This API key opens nothing: it does not exist, was revoked or has expired."
_AUTHENTICATE = f"{_WHO} FROM caller AS c"
# LATERAL and OFFSET 0 keep it a loop inside: the setting is made before row-level security reads it, whatever the
# planner likes. Were it not, a stored answer would stay unseen here and be found when the key is claimed.
_AUTHENTICATE_AND_FIND = f"""{_WHO}, i.fingerprint, i.locked_until, i.object_id, i.response_status, i.response_body
  FROM caller AS c LEFT JOIN LATERAL (
    SELECT * FROM idempotency_keys AS k
     WHERE k.merchant_id = c.tenant AND k.livemode = c.livemode AND k.key = %(idempotency_key)s OFFSET 0
  ) AS i ON true
"""  # noqa: S608 - a constant


def presented_key_hash(request: Request, region: Region, settings: Settings) -> bytes:
    """The hash of the request's bearer key; raises UnauthenticatedError, WrongRegionError for another region's."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        raise UnauthenticatedError("Send your secret API key: Authorization: Bearer mk_….")
    home = region_of_key(secret)
    if home is None:
        raise UnauthenticatedError("The Authorization header does not hold an API key of this platform.")
    check_region(home, region, settings)
    if home != region.code:
        raise UnauthenticatedError("This API key opens nothing.")
    return hash_key(settings.key_pepper, secret)


def check_region(home: str, region: Region, settings: Settings) -> None:
    """Raise WrongRegionError if `home` is a region that exists and is not this one."""
    if home != region.code and home in region_codes():
        raise WrongRegionError(region.code, home, settings.api_base_urls.get(home))


def authenticate(
    connection: Connection, key_hash: bytes, idempotency: IdempotencyKey | None, request_id: str
) -> Caller:
    """Find the caller, open the caller's rows, read what the idempotency key holds: one round trip."""
    driver = driver_of(connection)
    values: dict[str, Any] = {"request_id": request_id, "key_hash": key_hash}
    if idempotency is None:
        row = driver.execute(_AUTHENTICATE, values).fetchone()
    else:
        row = driver.execute(_AUTHENTICATE_AND_FIND, values | {"idempotency_key": idempotency.key}).fetchone()
    if row is None:
        raise UnauthenticatedError(_NO_KEY)
    stored = Stored(*row[_KEY_COLUMNS:]) if idempotency is not None and row[_KEY_COLUMNS] is not None else None
    return Caller._make([*row[:_KEY_COLUMNS], stored])


def authenticate_reading(
    connection: Connection, key_hash: bytes, request_id: str, read: Read
) -> tuple[Caller, list[tuple[Any, ...]]]:
    """Find the caller, open the caller's rows and read some of them: one round trip, which is its transaction."""
    values = {"request_id": request_id, "key_hash": key_hash, **read.values}
    rows = driver_of(connection).execute(_reading(read.statement), values).fetchall()
    if not rows:
        raise UnauthenticatedError(_NO_KEY)
    caller = Caller._make([*rows[0][:_KEY_COLUMNS], None])
    return caller, [row[_KEY_COLUMNS + 1 :] for row in rows if row[_KEY_COLUMNS]]


@cache
def _reading(statement: str) -> str:
    """The statement that finds the caller, and then runs this one.

    OFFSET 0 keeps it a loop inside: the setting is made before row-level security reads it, whatever the planner likes.
    """
    return f"{_WHO}, r.* FROM caller AS c LEFT JOIN LATERAL (SELECT true, s.* FROM ({statement}) AS s OFFSET 0) AS r ON true"  # noqa: E501, S608


def admit(caller: Caller, needed: KeyScope | None, request: Request, settings: Settings) -> None:
    """Raise the problem if this key may not do this, or not from there."""
    if caller.allowed_networks:
        address = address_of(request, settings)
        here = None if address is None else ipaddress.ip_address(address)
        if here is None or not any(here in network for network in caller.allowed_networks):
            raise AddressNotAllowedError
    if not is_allowed(caller.kind, caller.scopes, needed):
        raise ScopeMissingError(needed)


def address_of(request: Request, settings: Settings) -> str | None:
    """From where a request comes; what proxies say counts only if they are ours."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.trusted_proxies else ""
    return payer_address(request.remote_addr, forwarded, settings.trusted_proxies)
