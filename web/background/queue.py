"""Work at gateways that needs no payer: rows whose time has come, drained one by one, and left alone during an outage.

The rows are the queue: a refund, a capture, an open attempt. One claimed while a breaker is half open probes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from web.clock import utc_now
from web.routing import service as routing
from web.wiring import Wiring

# How long a worker has what it claimed to itself; longer than all the deadlines of two gateway calls together.
LEASE = timedelta(minutes=1)


class AtGateway(Protocol):
    """Something to be done at a gateway."""

    @property
    def gateway(self) -> str:
        """Which one."""


DueT = TypeVar("DueT", bound=AtGateway)
Claim = Callable[[Connection, datetime, timedelta, int, Sequence[str]], Sequence[DueT]]


def claim_open(wiring: Wiring, claim: Claim[DueT]) -> DueT | None:
    """Claim one due row at a gateway that lets calls through; None when there is none.

    `claim` takes the connection, the moment, the lease, a limit, and the gateways whose rows have to wait.
    """
    now = utc_now()
    with wiring.database.transaction() as connection:
        shut = routing.shut_gateways(connection, now)
        for due in claim(connection, now, LEASE, 1, shut):
            if routing.let_through(connection, due.gateway, now):
                return due
    return None
