from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from regions.region import Region
from web.db.engine import Database


@dataclass(frozen=True, slots=True)
class Scope:
    """One merchant's open transaction: what services and repositories work with. Only who opened it commits it.

    `now` is the one moment that the whole transaction speaks of; `correlation_id` goes into every event it appends.
    """

    connection: Connection
    region: Region
    merchant_id: str
    livemode: bool
    correlation_id: str
    now: datetime
    actor: str = ""  # who acts, for the audit log: an API key's id, `payer`; empty: the database role says it


class Tenant(NamedTuple):
    """Whose object a link code or a session token opens."""

    object_id: str
    merchant_id: str
    livemode: bool


_ENTER = text("SELECT set_config('meridian.merchant_id', :merchant_id, true)")
_ENTER_AS = text("""
SELECT set_config('meridian.merchant_id', :merchant_id, true), set_config('meridian.request_id', :request_id, true),
       set_config('meridian.actor', :actor, true)
""")
_BY_LINK_CODE = text("SELECT link_id AS object_id, merchant_id, livemode FROM tenant_of_link_code(:code)")
_BY_SESSION = text("SELECT session_id AS object_id, merchant_id, livemode FROM tenant_of_session(:token_hash)")


def enter_tenant(connection: Connection, merchant_id: str) -> None:
    """Show this transaction, until it ends, the rows of one merchant."""
    connection.execute(_ENTER, {"merchant_id": merchant_id})


def enter_tenant_as(connection: Connection, merchant_id: str, actor: str, request_id: str) -> None:
    """The same, and tell the audit log who writes, and for which request."""
    connection.execute(_ENTER_AS, {"merchant_id": merchant_id, "actor": actor, "request_id": request_id})


def tenant_of_link_code(connection: Connection, code: str) -> Tenant | None:
    """Find whose link a code opens; `object_id` is the link's."""
    row = connection.execute(_BY_LINK_CODE, {"code": code}).mappings().one_or_none()
    return None if row is None else Tenant(**row)


def tenant_of_session(connection: Connection, token_hash: bytes) -> Tenant | None:
    """Find whose checkout session a token opens, by the token's SHA-256; `object_id` is the session's."""
    row = connection.execute(_BY_SESSION, {"token_hash": token_hash}).mappings().one_or_none()
    return None if row is None else Tenant(**row)


@contextmanager
def tenant_scope(
    database: Database, region: Region, tenant: Tenant, *, correlation_id: str, now: datetime, actor: str = ""
) -> Iterator[Scope]:
    """Open a transaction for a tenant that is already known; commits when the block ends, rolls back when it raises."""
    with database.transaction() as connection:
        enter_tenant_as(connection, tenant.merchant_id, actor, correlation_id)
        yield Scope(connection, region, tenant.merchant_id, tenant.livemode, correlation_id, now, actor)
