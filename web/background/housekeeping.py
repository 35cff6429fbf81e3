"""What only time brings about: sessions end, old idempotency keys go."""

from datetime import timedelta

from sqlalchemy import text

from web.background import scopes
from web.checkout import repository, sessions
from web.clock import utc_now
from web.links import repository as links
from web.links import service as link_service
from web.rates import repository as rates
from web.routing import repository as routing
from web.routing.rules import load_routing
from web.wiring import Wiring

# Merchants may repeat a request for a day; the region's retention rule allows a week at most.
IDEMPOTENCY_KEYS_KEPT = timedelta(days=1)
_BATCH = 1000
_LINKS_A_STEP = 100
_FORGET_KEYS = text("""
DELETE FROM idempotency_keys WHERE (merchant_id, livemode, key) IN (
  SELECT merchant_id, livemode, key FROM idempotency_keys WHERE created_at < :before LIMIT :batch
)
""")


def step_sessions(wiring: Wiring) -> bool:
    """Expire one session whose time has passed; False when there is none."""
    now = utc_now()
    with wiring.database.transaction() as connection:
        due = repository.lock_one_due(connection, now)
        if due is None:
            return False
        sessions.expire(scopes.entered(wiring, connection, due, now), due.id, due.link_id)
    return True


def step_links(wiring: Wiring) -> bool:
    """Tell of links whose time has passed; False when there are none left."""
    now = utc_now()
    with wiring.database.transaction() as connection:
        due = links.lock_due(connection, now, _LINKS_A_STEP)
        for link in due:
            link_service.announce_expiry(scopes.entered(wiring, connection, link, now), link.id, link.expires_at)
    return len(due) == _LINKS_A_STEP


def step_rates(wiring: Wiring) -> bool:
    """Drop a batch of allowances that are full again; False when none is left."""
    with wiring.database.transaction() as connection:
        return rates.forget_full(connection, _BATCH) == _BATCH


def step_gateway_calls(wiring: Wiring) -> bool:
    """Forget counts of calls to gateways that no decision looks at any more."""
    window = timedelta(minutes=load_routing().success.window_minutes)
    with wiring.database.transaction() as connection:
        routing.forget_calls(connection, utc_now() - 2 * window)
    return False


def step_idempotency_keys(wiring: Wiring) -> bool:
    """Forget a batch of idempotency keys that nobody may repeat any more; False when none is left."""
    with wiring.database.transaction() as connection:
        values = {"before": utc_now() - IDEMPOTENCY_KEYS_KEPT, "batch": _BATCH}
        return connection.execute(_FORGET_KEYS, values).rowcount == _BATCH
