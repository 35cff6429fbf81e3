from dataclasses import dataclass

from flask import Flask, current_app

from regions.region import Region
from warehouse.builds import Warehouse
from web.console.commands import Commands
from web.console.settings import Settings
from web.db.engine import Database

EXTENSION = "meridian-console"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything one console process works with. Made once, in `web/console/app.py`."""

    region: Region
    settings: Settings
    database: Database
    warehouse: Warehouse
    commands: Commands | None = None  # None: this console can only read


def install(app: Flask, wiring: Wiring) -> None:
    """Give an app its wiring."""
    app.extensions[EXTENSION] = wiring


def wired() -> Wiring:
    """The wiring of the app that serves the current request."""
    wiring: Wiring = current_app.extensions[EXTENSION]
    return wiring
