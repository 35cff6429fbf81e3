from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Flask, current_app

from regions.region import Region
from regions.vault import Vault
from web.db.engine import Database
from web.gateways.protocol import Gateway
from web.http.callers import KnownCallers
from web.merchants.key_use import KeyUse
from web.rates.limiter import RateLimiter
from web.settings import Settings

EXTENSION = "meridian"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything one process of a region's web service works with. Made once, in `web/app.py` or `web/worker.py`."""

    region: Region
    settings: Settings
    database: Database
    vault: Vault
    gateways: Mapping[str, Gateway]
    key_use: KeyUse = field(default_factory=KeyUse)
    known_callers: KnownCallers = field(default_factory=KnownCallers)
    limiter: RateLimiter = field(init=False)

    def __post_init__(self) -> None:
        """One limiter a process, over its own connections."""
        object.__setattr__(self, "limiter", RateLimiter(self.database))


def install(app: Flask, wiring: Wiring) -> None:
    """Give an app its wiring."""
    app.extensions[EXTENSION] = wiring


def wired() -> Wiring:
    """The wiring of the app that serves the current request."""
    wiring: Wiring = current_app.extensions[EXTENSION]
    return wiring
