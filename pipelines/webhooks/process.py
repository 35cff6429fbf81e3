"""Webhooks as a process: a router, of which one leads, and a dispatcher, of which any number run."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import psycopg
from confluent_kafka import KafkaException

from pipelines.backoff import Backoff
from pipelines.broker import ensure_topics
from pipelines.ingest.chains import partitions_of
from pipelines.ingest.reader import PartitionReader
from pipelines.leadership import Task, connect, lead
from pipelines.webhooks import repository
from pipelines.webhooks.dispatcher import Dispatcher
from pipelines.webhooks.domain import Policy
from pipelines.webhooks.network import SystemResolver
from pipelines.webhooks.router import Router
from pipelines.webhooks.sender import Sender
from regions.errors import UnavailableError
from regions.vault import Vault, open_vault

if TYPE_CHECKING:
    from regions.region import Region

logger = logging.getLogger(__name__)

LOCALHOST = "WEBHOOKS_TO_LOCALHOST"  # "1" on a developer's machine: test endpoints may be on it
LINGER_SECONDS = 0.1
PASSING = (psycopg.OperationalError, KafkaException, OSError, UnavailableError)


def run(region: Region, env: Mapping[str, str], stop: threading.Event) -> None:
    """Route and send until `stop` is set.

    At the start an unreachable broker or database is an UnavailableError; later it is logged and tried again.
    """
    bootstrap = region.kafka_bootstrap_servers(env)
    vault = open_vault(region.vault_uri(env))
    connect(region, region.database_url(env), "meridian webhooks").close()
    ensure_topics(region, bootstrap)
    failure: list[BaseException] = []
    routing = threading.Thread(target=_route_forever, args=(region, env, stop, failure), name="router", daemon=True)
    routing.start()
    try:
        dispatch(region, env, stop, vault, Policy())
    finally:
        stop.set()
        routing.join(timeout=10)
    if failure:
        raise failure[0]


def dispatch(region: Region, env: Mapping[str, str], stop: threading.Event, vault: Vault, policy: Policy) -> None:
    """Send until `stop` is set."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            asyncio.run(_dispatch(region, env, stop, vault, policy))
        except PASSING as error:
            logger.warning("the dispatcher starts over: %s", _first_line(error))
            backoff.wait(stop)


def route(region: Region, env: Mapping[str, str], stop: threading.Event) -> None:
    """Route until `stop` is set, while this process leads."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            with connect(region, region.database_url(env), "meridian webhooks router") as connection:
                if lead(connection, Task.WEBHOOKS, stop):
                    _route(region, env, connection, stop)
        except PASSING as error:
            logger.warning("the router starts over: %s", _first_line(error))
            backoff.wait(stop)


def _route_forever(region: Region, env: Mapping[str, str], stop: threading.Event, failure: list[BaseException]) -> None:
    """A router that fails for a reason of ours takes the process with it, and its supervisor tells."""
    try:
        route(region, env, stop)
    except BaseException as error:  # noqa: BLE001 - raised again by the main thread
        failure.append(error)
        stop.set()


def _route(region: Region, env: Mapping[str, str], connection: psycopg.Connection, stop: threading.Event) -> None:
    partitions = partitions_of(region, connection)
    bootstrap = region.kafka_bootstrap_servers(env)
    reader = PartitionReader(
        bootstrap, f"meridian-webhooks-{region.code}", partitions, repository.progress(connection).offsets
    )
    try:
        router = Router(region, connection, reader)
        while not stop.is_set():
            router.step(LINGER_SECONDS)
    finally:
        reader.close()


async def _dispatch(
    region: Region, env: Mapping[str, str], stop: threading.Event, vault: Vault, policy: Policy
) -> None:
    url, resolver = region.database_url(env), SystemResolver()
    sender = Sender(policy, resolver)
    stopping = asyncio.Event()
    watching = asyncio.create_task(_watch(stop, stopping))
    try:
        async with await _connection(url) as claiming, await _connection(url) as finishing:
            dispatcher = Dispatcher(
                region, vault, sender, (claiming, finishing), policy, may_be_local=env.get(LOCALHOST) == "1"
            )
            await dispatcher.run(stopping)
    finally:
        watching.cancel()
        await sender.close()
        resolver.close()


async def _connection(url: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, connect_timeout=10, application_name="meridian webhooks dispatcher", prepare_threshold=2
    )


async def _watch(stop: threading.Event, stopping: asyncio.Event) -> None:
    while not stop.is_set():  # noqa: ASYNC110 - a signal handler sets it, outside the loop
        await asyncio.sleep(0.1)
    stopping.set()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
