"""Notices about endpoints that the dispatcher had to disable: an event each, for whoever else listens."""

from regions.events import timestamp
from regions.ids import new_id
from web.clock import utc_now
from web.db.scope import Scope, enter_tenant
from web.outbox import service as outbox
from web.webhooks import repository
from web.wiring import Wiring


def step(wiring: Wiring) -> bool:
    """Tell of one endpoint; False when there is none to tell of."""
    with wiring.database.transaction() as connection:
        found = repository.lock_untold(connection)
        if found is None:
            return False
        enter_tenant(connection, found.merchant_id)
        correlation_id = new_id("request", wiring.region.code)
        scope = Scope(connection, wiring.region, found.merchant_id, found.livemode, correlation_id, utc_now())
        data = {"webhook_endpoint_id": found.id, "reason": found.reason, "disabled_at": timestamp(found.disabled_at)}
        outbox.append(scope, "webhook_endpoint.disabled", found.id, data)
        repository.tell(scope, found.id)
    return True
