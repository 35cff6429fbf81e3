from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import text

from web.db.scope import Scope
from web.http.paging import Listing, Paged, fetch
from web.keys.models import Key

_COLUMNS = ", ".join(field.name for field in fields(Key))
_GET = text(f"SELECT {_COLUMNS} FROM api_keys WHERE id = :id AND livemode = :livemode")  # noqa: S608
_INSERT = text("""
INSERT INTO api_keys (id, merchant_id, livemode, hash, prefix, created_at, kind, name, scopes, allowed_networks,
                      expires_at, api_version, rolled_from)
VALUES (:id, :merchant_id, :livemode, :hash, :prefix, :created_at, :kind, :name, CAST(:scopes AS text[]),
        CAST(:allowed_networks AS cidr[]), :expires_at, :api_version, :rolled_from)
""")
_UPDATE = text("UPDATE api_keys SET name = :name, allowed_networks = CAST(:allowed_networks AS cidr[]) WHERE id = :id")
_REVOKE = text("UPDATE api_keys SET revoked_at = coalesce(revoked_at, :now) WHERE id = :id")
# Only ever earlier: what was to end sooner still does.
_END = text("UPDATE api_keys SET expires_at = least(expires_at, :at) WHERE id = :id")


def insert(scope: Scope, key: Key, key_hash: bytes) -> None:
    """Insert a key with its hash."""
    row = {field.name: getattr(key, field.name) for field in fields(Key)}
    networks = [str(network) for network in key.allowed_networks]
    scope.connection.execute(
        _INSERT, row | {"merchant_id": scope.merchant_id, "hash": key_hash, "allowed_networks": networks}
    )


def get(scope: Scope, key_id: str) -> Key | None:
    """A key of the scope's merchant and mode."""
    row = scope.connection.execute(_GET, {"id": key_id, "livemode": scope.livemode}).mappings().one_or_none()
    return None if row is None else Key(**row)


def page(scope: Scope, asked: Paged) -> tuple[list[Key], bool]:
    """A page of the merchant's keys, newest first, and whether there are more."""
    values: dict[str, Any] = {}
    return fetch(scope, Listing("api_keys", _COLUMNS, [], values), asked, lambda row: Key(**row))


def update(scope: Scope, key: Key) -> None:
    """Write what may change of a key."""
    networks = [str(network) for network in key.allowed_networks]
    scope.connection.execute(_UPDATE, {"id": key.id, "name": key.name, "allowed_networks": networks})


def revoke(scope: Scope, key_id: str) -> None:
    """Let a key open nothing any more, from now on."""
    scope.connection.execute(_REVOKE, {"id": key_id, "now": scope.now})


def end_at(scope: Scope, key_id: str, at: datetime) -> None:
    """Let a key end by a moment."""
    scope.connection.execute(_END, {"id": key_id, "at": at})
