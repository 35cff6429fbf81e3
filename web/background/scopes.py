"""In whose name a duty writes: one tenant's at a time, under a request id of its own, and by no person."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from regions.ids import new_id
from web.clock import utc_now
from web.db.scope import Scope, Tenant, enter_tenant_as, tenant_scope
from web.wiring import Wiring


class Owned(Protocol):
    """A row of a tenant's."""

    @property
    def merchant_id(self) -> str:
        """Whose it is."""

    @property
    def livemode(self) -> bool:
        """Live, or test."""


def entered(wiring: Wiring, connection: Connection, row: Owned, now: datetime) -> Scope:
    """The scope of a row's tenant, in the transaction that has just locked the row."""
    correlation_id = new_id("request", wiring.region.code)
    enter_tenant_as(connection, row.merchant_id, "", correlation_id)
    return Scope(connection, wiring.region, row.merchant_id, row.livemode, correlation_id, now)


def opened(wiring: Wiring, row: Owned) -> AbstractContextManager[Scope]:
    """A transaction of its own in the scope of a row's tenant."""
    tenant = Tenant("", row.merchant_id, row.livemode)
    correlation_id = new_id("request", wiring.region.code)
    return tenant_scope(wiring.database, wiring.region, tenant, correlation_id=correlation_id, now=utc_now())
