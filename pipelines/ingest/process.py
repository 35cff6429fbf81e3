"""The ingest as a process: one leader, which never gives up on what went away while it runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import psycopg
from confluent_kafka import KafkaException
from sqlalchemy.exc import OperationalError

from pipelines.backoff import Backoff
from pipelines.broker import ensure_topics
from pipelines.ingest.chains import partitions_of
from pipelines.ingest.reader import PartitionReader
from pipelines.ingest.service import Ingest
from pipelines.ingest.writer import LakeWriter
from pipelines.leadership import Task, connect, lead
from regions.errors import UnavailableError
from warehouse.lake import Lake
from warehouse.lake_writer import AnotherWriterError

if TYPE_CHECKING:
    import threading

    from regions.region import Region

logger = logging.getLogger(__name__)

LINGER_SECONDS = 0.5
# What may pass by itself. Anything else is an error of ours: the process ends, and its supervisor tells.
PASSING = (psycopg.OperationalError, OperationalError, KafkaException, OSError, UnavailableError, AnotherWriterError)


def run(region: Region, env: Mapping[str, str], stop: threading.Event) -> None:
    """Ingest until `stop` is set.

    At the start an unreachable broker or database is an UnavailableError; later it is logged and tried again.
    """
    bootstrap = region.kafka_bootstrap_servers(env)
    url = region.database_url(env)
    connect(region, url, "meridian ingest").close()
    ensure_topics(region, bootstrap)
    backoff = Backoff()
    while not stop.is_set():
        try:
            with connect(region, url, "meridian ingest") as connection:
                if not lead(connection, Task.INGEST, stop):
                    return
                _ingest(region, env, connection, stop)
        except PASSING as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            logger.warning("the ingest starts over: %s", reason, extra={"wait_seconds": backoff.next_seconds()})
            backoff.wait(stop)


def _ingest(region: Region, env: Mapping[str, str], connection: psycopg.Connection, stop: threading.Event) -> None:
    lake = Lake.open(region, env)
    try:
        writer = LakeWriter(region.code, lake)
        partitions = partitions_of(region, connection)
        bootstrap = region.kafka_bootstrap_servers(env)
        reader = PartitionReader(bootstrap, f"meridian-ingest-{region.code}", partitions, writer.offsets)
        ingest = Ingest(connection, writer, reader)
        try:
            while not stop.is_set():
                ingest.step(LINGER_SECONDS)
        finally:
            ingest.close()
            reader.close()
    finally:
        lake.close()
