"""The relay as a process: one leader, which never gives up on a broker or database that went away while it runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import psycopg

from pipelines.backoff import Backoff
from pipelines.broker import ensure_topics
from pipelines.leadership import Task, connect, lead
from pipelines.relay.producer import BatchProducer, DeliveryError, StoppedError
from pipelines.relay.repository import CursorMovedError
from pipelines.relay.service import Relay
from regions.errors import UnavailableError

if TYPE_CHECKING:
    import threading

    from regions.region import Region

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.1


def run(region: Region, env: Mapping[str, str], stop: threading.Event) -> None:
    """Relay until `stop` is set.

    At the start an unreachable broker or database is an UnavailableError; later it is logged and tried again.
    """
    bootstrap = region.kafka_bootstrap_servers(env)
    url = region.database_url(env)
    connect(region, url, "meridian relay").close()
    ensure_topics(region, bootstrap)
    backoff = Backoff()
    while not stop.is_set():
        try:
            with connect(region, url, "meridian relay") as connection:
                if not lead(connection, Task.RELAY, stop):
                    return
                _relay(region, connection, bootstrap, stop)
        except StoppedError:
            return
        except (psycopg.OperationalError, UnavailableError, CursorMovedError) as error:
            reason = str(error).strip().partition("\n")[0]
            logger.warning("the relay starts over: %s", reason, extra={"wait_seconds": backoff.next_seconds()})
            backoff.wait(stop)


def _relay(region: Region, connection: psycopg.Connection, bootstrap: str, stop: threading.Event) -> None:
    def look_at_topics() -> bool:
        """Whether the broker answers. One that came back empty has no topics: without them nothing is acknowledged."""
        try:
            created = ensure_topics(region, bootstrap, timeout_seconds=2)
        except UnavailableError as error:
            logger.warning("%s", error)
            return False
        if created:
            logger.warning("the broker had lost its topics", extra={"topics": len(created)})
        return True

    producer = BatchProducer(bootstrap, f"meridian-relay-{region.code}", stop, look_at_topics)
    relay = Relay(region, connection, producer)
    backoff = Backoff()
    try:
        while not stop.is_set():
            try:
                sent = relay.step()
            except DeliveryError as error:
                logger.warning("the batch is sent again: %s", error, extra={"wait_seconds": backoff.next_seconds()})
                look_at_topics()
                backoff.wait(stop)
                continue
            if sent:
                logger.debug("batch sent", extra={"events": sent})
            else:
                stop.wait(IDLE_SECONDS)
    finally:
        producer.close()
