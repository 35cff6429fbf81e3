"""Deleted methods that their gateways still have are forgotten there too."""

from datetime import timedelta

from web.clock import utc_now
from web.routing import service as routing
from web.saved import repository
from web.wiring import Wiring


def step(wiring: Wiring) -> bool:
    """Let one gateway forget one method; False when there is none, or the gateway did not."""
    now = utc_now()
    with wiring.database.transaction() as connection:
        shut = routing.shut_gateways(connection, now)
        found = repository.lock_to_forget(connection, now, timedelta(0), shut)
    if found is None or not wiring.gateways[found.gateway].forget(found.gateway_saved_id, found.subject_id):
        return False
    with wiring.database.transaction() as connection:
        repository.forgotten(connection, found.id)
    return True
