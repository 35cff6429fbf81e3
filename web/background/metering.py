"""Captures whose price depends on their month's volume are priced, one month of a merchant at a time."""

import logging
from datetime import timedelta

from regions.errors import MeridianError
from web.background import scopes
from web.clock import utc_now
from web.pricing import repository, service
from web.wiring import Wiring

log = logging.getLogger(__name__)
_WAIT = timedelta(minutes=1)


def step(wiring: Wiring) -> bool:
    """Price some captures of one month; False when there are none. A month that cannot be priced waits, alone."""
    month = None
    try:
        with wiring.database.transaction() as connection:
            month = repository.lock_month(connection, now := utc_now())
            if month is not None:
                service.price_month(scopes.entered(wiring, connection, month, now), month)
    except MeridianError:
        if month is None:
            raise
        log.exception("captures cannot be priced", extra={"merchant_id": month.merchant_id})
        with wiring.database.transaction() as connection:
            repository.wait(connection, month, utc_now() + _WAIT)
    return month is not None
