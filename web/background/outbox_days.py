"""The outbox's coming days, made ahead, and how far fraud features look back into it."""

import logging

from sqlalchemy import text

from regions.features import feature_set
from web.wiring import Wiring

log = logging.getLogger(__name__)

DAYS_AHEAD = 3
_CONSUMER = "online_features"  # registered by migration 0005
_REGISTER = text("""
UPDATE stream_consumers SET window_seconds = :seconds, updated_at = now()
 WHERE name = :name AND window_seconds IS DISTINCT FROM :seconds
""")
_MAKE = text("SELECT outbox_make_partitions(:days)")


def window_seconds() -> int:
    """How far back an assessment reads: the longest window, and the payment's events after its assessment."""
    features = feature_set()
    return max(feature.window_seconds for feature in features.features) + features.attribution_seconds


def step(wiring: Wiring) -> bool:
    """Make the days that are missing; the next look is due after the duty's pause."""
    with wiring.database.transaction() as connection:
        connection.execute(_REGISTER, {"name": _CONSUMER, "seconds": window_seconds()})
        made: int = connection.execute(_MAKE, {"days": DAYS_AHEAD}).scalar_one()
    if made:
        log.info("outbox days made", extra={"days": made})
    return False
