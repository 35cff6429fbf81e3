from typing import Any

from sqlalchemy import Connection, text

PAGE_ROWS = 50
MERCHANTS_OFFERED = 200
_KEY = """
SELECT k.id, k.merchant_id, m.name AS merchant, k.livemode, k.prefix, k.kind, k.name, k.scopes, k.allowed_networks,
       k.rolled_from, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
  FROM api_keys AS k JOIN merchants AS m ON m.id = k.merchant_id"""
_KEYS = text(f"""{_KEY}
 WHERE k.livemode = :livemode
   AND (CAST(:after AS text) IS NULL OR (k.created_at, k.id) < (SELECT created_at, id FROM api_keys WHERE id = :after))
 ORDER BY k.created_at DESC, k.id DESC LIMIT :rows
""")  # noqa: S608 - constants
_GET = text(f"{_KEY} WHERE k.id = :id")
_SUCCESSORS = text("SELECT id, prefix, created_at FROM api_keys WHERE rolled_from = :id ORDER BY created_at, id")
# The platform's own books (`house_tenant`) call no API.
_MERCHANTS = text("""
SELECT id, name FROM merchants WHERE right(id, 26) <> repeat('0', 26) ORDER BY name, id LIMIT :rows
""")
_HAS_MERCHANT = text("SELECT EXISTS (SELECT FROM merchants WHERE id = :id)")


def keys(connection: Connection, *, livemode: bool, after: str | None) -> list[dict[str, Any]]:
    """Keys, the newest first; one more than a page if there are more."""
    values = {"livemode": livemode, "after": after, "rows": PAGE_ROWS + 1}
    return [dict(row) for row in connection.execute(_KEYS, values).mappings()]


def key(connection: Connection, key_id: str) -> dict[str, Any] | None:
    """One key that the account may see; never what it is."""
    row = connection.execute(_GET, {"id": key_id}).mappings().one_or_none()
    return None if row is None else dict(row)


def successors(connection: Connection, key_id: str) -> list[dict[str, Any]]:
    """The keys that were rolled from it."""
    return [dict(row) for row in connection.execute(_SUCCESSORS, {"id": key_id}).mappings()]


def merchants(connection: Connection) -> list[dict[str, Any]]:
    """Merchants to choose from, by name."""
    return [dict(row) for row in connection.execute(_MERCHANTS, {"rows": MERCHANTS_OFFERED}).mappings()]


def has_merchant(connection: Connection, merchant_id: str) -> bool:
    """Whether there is such a merchant that the account may see."""
    found: bool = connection.execute(_HAS_MERCHANT, {"id": merchant_id}).scalar_one()
    return found
