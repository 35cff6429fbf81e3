"""Deleted methods that their gateways still have are forgotten there too."""

import logging

from web.clock import utc_now
from web.routing import service as routing
from web.saved import repository
from web.wiring import Wiring

log = logging.getLogger(__name__)


def step(wiring: Wiring) -> bool:
    """Let one gateway forget one method; False when there is none to be asked about now."""
    now = utc_now()
    with wiring.database.transaction() as connection:
        shut = routing.shut_gateways(connection, now)
        found = repository.claim_to_forget(connection, now, shut)
    if found is None:
        return False
    if wiring.gateways[found.gateway].forget(found.gateway_saved_id, found.subject_id):
        with wiring.database.transaction() as connection:
            repository.forgotten(connection, found.id)
    else:
        log.warning("the gateway has not forgotten a method yet", extra={"payment_method_id": found.id})
    return True
