"""`python -m web.sandbox.sender`: sends webhooks and moves on what is due, until it is told to stop."""

import logging
import signal
import sys
import threading
from types import FrameType

import psycopg

from regions import logs
from regions.errors import MeridianError
from web.sandbox import clockwork
from web.sandbox.database import Database
from web.sandbox.settings import Settings
from web.sandbox.webhooks import repository
from web.sandbox.webhooks.delivery import Courier
from web.sandbox.webhooks.outbox import CHANNEL

log = logging.getLogger(__name__)

IDLE_SECONDS_MAX = 1.0
RECONNECT_SECONDS = 1.0


def run(settings: Settings, stop: threading.Event) -> None:
    """Deliver and move on until `stop`; a lost database is waited for."""
    database = Database(settings.database_url, size_max=12)
    courier = Courier(settings, database)
    try:
        while not stop.is_set():
            try:
                with psycopg.connect(settings.database_url, autocommit=True) as listener:
                    listener.execute(f"LISTEN {CHANNEL}")
                    _work(settings, database, courier, listener, stop)
            except psycopg.Error as error:
                log.warning("database lost, trying again: %s", error)
                stop.wait(RECONNECT_SECONDS)
    finally:
        courier.close()
        database.close()


def _work(
    settings: Settings, database: Database, courier: Courier, listener: psycopg.Connection, stop: threading.Event
) -> None:
    while not stop.is_set():
        clockwork.advance(settings, database)
        if courier.deliver_due():
            continue
        with database.transaction() as connection:
            wait = repository.seconds_until_due(connection)
        timeout = IDLE_SECONDS_MAX if wait is None else min(wait, IDLE_SECONDS_MAX)
        for _ in listener.notifies(timeout=timeout, stop_after=1):
            pass


def main() -> int:
    """Command line: runs in the foreground; SIGTERM and SIGINT end it after the deliveries under way."""
    logs.configure("sandbox-sender")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    try:
        settings = Settings.from_environment()
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    run(settings, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
