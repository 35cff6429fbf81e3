"""A new epoch of the relay, for a database that was restored: what the lake has is not sent again, all else is."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipelines.broker import client_settings, topic_partitions
from pipelines.ingest.reader import position_of
from pipelines.leadership import Task, connect, lead
from pipelines.positions import START, Position, parse_partition_key, parse_positions, partition_key
from pipelines.relay import repository
from regions.errors import MeridianError
from warehouse.lake import Lake, LakeTableMissingError

if TYPE_CHECKING:
    from regions.region import Region

READ_SECONDS = 10.0


class NotReadyError(MeridianError):
    """Something still runs or lags; the message says what to do first."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The new epoch: events that the lake has and that are not sent again, and events that only the lake knows."""

    epoch: int
    already_sent: int
    only_in_lake: int
    is_other_cluster: bool


def begin(region: Region, relay_env: Mapping[str, str], lake_env: Mapping[str, str]) -> Begun:
    """Begin a new epoch. The relay must be stopped, and the ingest must have taken all that Kafka holds.

    Raises NotReadyError, changing nothing.
    """
    stop = threading.Event()
    with connect(region, region.database_url(relay_env), "meridian new epoch") as connection:
        threading.Timer(1.0, stop.set).start()
        if not lead(connection, Task.RELAY, stop):
            raise NotReadyError(f"A relay of region {region.code} runs: stop it first")
        cursor = repository.read_cursor(connection)
        in_lake = _beyond(region, relay_env, lake_env, cursor.epoch, cursor.batch)
        unsent = repository.unsent_ids(connection)
        epoch, skipped, is_other = repository.new_epoch(connection, sorted(in_lake & unsent))
    return Begun(epoch, skipped, len(in_lake - unsent), is_other)


def _beyond(
    region: Region, relay_env: Mapping[str, str], lake_env: Mapping[str, str], epoch: int, batch: int
) -> set[str]:
    """The events in the lake that were sent after a batch. Raises NotReadyError while Kafka holds more."""
    lake = Lake.open(region, lake_env)
    try:
        reached = parse_positions(lake.positions())
        files = lake.files("events")
    except LakeTableMissingError:
        reached, files = {}, None
    finally:
        lake.close()
    for key, last in _last_positions(region, region.kafka_bootstrap_servers(relay_env), reached).items():
        if last > reached.get(key, START):
            raise NotReadyError(f"Kafka holds events of {key} that the lake has not: let the ingest finish first")
    if files is None:
        return set()
    rows = duckdb.execute(
        f"SELECT event_id FROM {files.duckdb_sql()} "  # noqa: S608 - a list of our own files
        "WHERE (split_part(position, ':', 1)::INTEGER, split_part(position, ':', 2)::BIGINT) > (?, ?)",
        [epoch, batch],
    ).fetchall()
    return {str(row[0]) for row in rows}


def _last_positions(region: Region, bootstrap: str, reached: Iterable[str]) -> dict[str, Position]:
    """The position of the last record of every partition that has one, declared or `reached`."""
    declared = (partition_key(topic, n) for topic, count in topic_partitions(region).items() for n in range(count))
    name = f"meridian-new-epoch-{region.code}"
    consumer = Consumer(client_settings(bootstrap, name) | {"group.id": name, "enable.auto.commit": False})
    found = {}
    try:
        for key in sorted({*declared, *reached}):
            topic, number = parse_partition_key(key)
            limits = consumer.get_watermark_offsets(TopicPartition(topic, number), READ_SECONDS)
            if limits is None:
                raise NotReadyError(f"Kafka does not answer about {key}")
            if limits[1] > limits[0]:
                found[key] = _position_at(consumer, topic, number, limits[1] - 1)
    except KafkaException as error:
        raise NotReadyError(f"Kafka does not answer: {error.args[0].str()}") from error
    finally:
        consumer.close()
    return found


def _position_at(consumer: Consumer, topic: str, number: int, offset: int) -> Position:
    consumer.assign([TopicPartition(topic, number, offset)])
    message = consumer.poll(READ_SECONDS)
    if message is None or message.error() is not None:
        raise NotReadyError(f"Kafka does not answer about {topic}/{number}")
    found = position_of(message)
    return START if found is None else found  # without one it is not the relay's
