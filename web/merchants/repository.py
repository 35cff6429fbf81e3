from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, text

from web.db.engine import driver_of
from web.merchants.models import Merchant

_TOUCH_KEY = """
UPDATE api_keys SET last_used_at = now()
 WHERE id = %(key_id)s AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => %(seconds)s))
"""
_MERCHANT_OF_KEY = text("SELECT merchant_id FROM api_keys WHERE hash = :hash")
_INSERT_MERCHANT = text("""
INSERT INTO merchants (id, name, country, settlement_currency, created_at)
VALUES (:id, :name, :country, :settlement_currency, :now)
""")
_SET_CURRENCY = text("""
UPDATE merchants SET settlement_currency = :currency WHERE id = :id AND settlement_currency IS DISTINCT FROM :currency
RETURNING country
""")
_INSERT_KEY = text("""
INSERT INTO api_keys (id, merchant_id, livemode, hash, prefix, api_version)
VALUES (:id, :merchant_id, :livemode, :hash, :prefix, :api_version)
""")
_CLOSE = text("UPDATE merchants SET closed_at = coalesce(closed_at, :now) WHERE id = :id RETURNING closed_at")
_REVOKE_KEYS = text("UPDATE api_keys SET revoked_at = :now WHERE merchant_id = :id AND revoked_at IS NULL")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('web.merchants.provision'))")


def touch_key(connection: Connection, key_id: str, merchant_id: str, seconds: int) -> None:
    """Mark a key as used now, unless it was marked within that many seconds.

    It names its tenant, for the connection may know none. In a statement of its own: in which order one statement sets
    the tenant and lets row-level security read it is the planner's choice.
    """
    driver = driver_of(connection)
    with driver.transaction():
        driver.execute("SELECT set_config('meridian.merchant_id', %s, true)", [merchant_id])
        driver.execute(_TOUCH_KEY, {"key_id": key_id, "seconds": seconds})


def lock_provisioning(connection: Connection) -> None:
    """Let one provisioning run at a time."""
    connection.execute(_LOCK)


def merchant_of_key(connection: Connection, key_hash: bytes) -> str | None:
    """The id of the merchant that holds a key, for the role `owner`."""
    found: str | None = connection.execute(_MERCHANT_OF_KEY, {"hash": key_hash}).scalar_one_or_none()
    return found


def insert_merchant(connection: Connection, merchant: Merchant, now: datetime) -> None:
    """Insert a merchant, for the role `owner`."""
    connection.execute(_INSERT_MERCHANT, {**asdict(merchant), "now": now})


def set_currency(connection: Connection, merchant_id: str, currency: str) -> str | None:
    """Change what a merchant is paid out in, for the role `owner`; its country, or None if that is so already."""
    found: str | None = connection.execute(
        _SET_CURRENCY, {"id": merchant_id, "currency": currency}
    ).scalar_one_or_none()
    return found


def close(connection: Connection, merchant_id: str, now: datetime) -> datetime | None:
    """Close a merchant and revoke its keys, for the role `owner`; since when it is closed, None if there is none."""
    connection.execute(_REVOKE_KEYS, {"id": merchant_id, "now": now})
    found: datetime | None = connection.execute(_CLOSE, {"id": merchant_id, "now": now}).scalar_one_or_none()
    return found


def insert_key(
    connection: Connection,
    *,
    key_id: str,
    merchant_id: str,
    livemode: bool,
    key_hash: bytes,
    prefix: str,
    api_version: str,
) -> None:
    """Insert an API key's hash, for the role `owner`."""
    row = {"id": key_id, "merchant_id": merchant_id, "livemode": livemode, "hash": key_hash, "prefix": prefix}
    row["api_version"] = api_version
    connection.execute(_INSERT_KEY, row)
