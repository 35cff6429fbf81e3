"""The payer's edge: no key and no cookie; the unguessable part of the URL finds the tenant."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from web.clock import utc_now
from web.db.scope import Scope, Tenant, enter_tenant_as, tenant_of_link_code, tenant_of_session
from web.http.answers import request_id
from web.http.problems import NotFoundError
from web.wiring import wired

_ACTOR = "payer"


def hash_token(token: str) -> bytes:
    """What the database keeps of a session token: SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


@contextmanager
def link_scope(code: str) -> Iterator[tuple[Scope, str]]:
    """The transaction of a payer's request by link code, and the link's id. Commits when the block ends.

    Raises NotFoundError for a code that opens nothing.
    """
    with _payer_scope(lambda connection: tenant_of_link_code(connection, code)) as opened:
        yield opened


@contextmanager
def session_scope(token: str) -> Iterator[tuple[Scope, str]]:
    """The transaction of a payer's request by session token, and the session's id. Commits when the block ends.

    Raises NotFoundError for a token that opens nothing. A view that asks a gateway passes it on in three steps:
    `gateway_call(lambda: only_scope(session_scope(token)), …)`, or opens `tenant_scope` once the tenant is known.
    """
    with _payer_scope(lambda connection: tenant_of_session(connection, hash_token(token))) as opened:
        yield opened


@contextmanager
def _payer_scope(find: Callable[[Connection], Tenant | None]) -> Iterator[tuple[Scope, str]]:
    wiring = wired()
    with wiring.database.transaction() as connection:
        tenant = find(connection)
        if tenant is None:
            raise NotFoundError("This address does not open anything.")
        enter_tenant_as(connection, tenant.merchant_id, _ACTOR, request_id())
        scope = Scope(connection, wiring.region, tenant.merchant_id, tenant.livemode, request_id(), utc_now(), _ACTOR)
        yield scope, tenant.object_id
