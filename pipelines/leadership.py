"""One leader per region and task, by a PostgreSQL advisory lock that lives as long as its connection."""

from __future__ import annotations

import logging
import threading
from enum import IntEnum

import psycopg

from regions.errors import UnavailableError
from regions.region import Region

logger = logging.getLogger(__name__)

LOCK_CLASS = 0x4D52  # "MR": our half of the advisory lock's key


class Task(IntEnum):
    """What is led. The numbers are advisory lock keys: never reuse one."""

    RELAY = 1
    INGEST = 2
    RETENTION = 7
    MAINTENANCE = 8
    WEBHOOKS = 9


class DatabaseUnreachableError(UnavailableError):
    """The region's database does not answer."""


def connect(region: Region, url: str, application: str) -> psycopg.Connection:
    """A connection in autocommit mode that notices a dead server. Raises DatabaseUnreachableError."""
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=10,
            application_name=application,
            # Both ends notice within about ten seconds that the other's machine is gone: we start over, and the server
            # frees the lock of a leader that vanished. One whose process died frees it at once.
            keepalives_idle=4,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
            options="-c tcp_keepalives_idle=4 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 "
            "-c tcp_user_timeout=10000",
        )
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DatabaseUnreachableError(
            f"The database of region {region.code} does not answer ({reason}): start it, "
            f"or correct DATABASE_URL_{region.code.upper()}"
        ) from error


def lead(connection: psycopg.Connection, task: Task, stop: threading.Event, poll_seconds: float = 0.1) -> bool:
    """Wait until this connection holds the task's lock, which ends with it; False if `stop` came first."""
    is_waiting = False
    while not stop.is_set():
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, int(task))).fetchone()
        if row is not None and row[0]:
            logger.info("leading", extra={"task": task.name.lower()})
            return True
        if not is_waiting:
            is_waiting = True
            logger.info("another process leads: standing by", extra={"task": task.name.lower()})
        stop.wait(poll_seconds)
    return False
