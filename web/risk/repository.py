from functools import cache

from regions.features import feature_set
from web.db.engine import driver_of
from web.db.scope import Scope
from web.risk.models import Reading, Signals
from web.risk.sql import compile_features


@cache
def _statement() -> str:
    return compile_features(feature_set())


def read_features(scope: Scope, signals: Signals, link_id: str, currency: str) -> Reading:
    """Every feature of this merchant and mode, in one round trip. What this transaction has told does not count."""
    parameters = {
        "email_token": signals.email_token,
        "card_token": signals.card_token,
        "device_token": signals.device_token,
        "ip_token": signals.ip_token,
        "link": link_id,
        "merchant": scope.merchant_id,
        "livemode": scope.livemode,
        "match_currency": currency,
    }
    [row] = driver_of(scope.connection).execute(_statement(), parameters).fetchall()
    as_of, snapshot, *values = row
    return Reading(as_of, snapshot, dict(zip(feature_set().names, values, strict=True)))
