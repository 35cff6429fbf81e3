"""Reads the region's topics: every partition assigned by us, from offsets that we name."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipelines.broker import client_settings
from pipelines.ingest.parse import Record
from pipelines.positions import Position, PositionError, parse_partition_key, partition_key

logger = logging.getLogger(__name__)

READ_RECORDS = 500  # of at most 1 MB each
WATERMARK_SECONDS = 2.0


class Incoming(NamedTuple):
    """A record and its place. `position` is None for a record that the relay did not send."""

    partition: str
    position: Position | None
    after: Position | None
    record: Record


class Extent(NamedTuple):
    """Where a partition begins and ends, and where we read next."""

    low: int
    high: int
    next_offset: int


class PartitionReader:
    """Reads all partitions together. Offsets live here and in the lake, never in Kafka's consumer groups."""

    def __init__(self, bootstrap: str, client_id: str, partitions: list[str], offsets: Mapping[str, int]) -> None:
        self.next_offsets = {key: offsets.get(key, 0) for key in partitions}
        self._consumer = Consumer(
            client_settings(bootstrap, client_id)
            | {
                "group.id": client_id,  # required by the client, never used: no commits, no subscription
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 100,
                "queued.max.messages.kbytes": 65536,
            }
        )
        self._consumer.assign([TopicPartition(*parse_partition_key(key), self.next_offsets[key]) for key in partitions])

    def read(self, records_max: int, bytes_max: int, seconds: float) -> list[Incoming]:
        """What arrives within `seconds`, but not much more than the limits say."""
        found: list[Incoming] = []
        size = 0
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and len(found) < records_max and size < bytes_max:
            for message in self._consumer.consume(READ_RECORDS, left):
                error = message.error()
                if error is not None:
                    logger.debug("read: %s", error.str())
                    continue
                incoming = _incoming(message)
                self.next_offsets[incoming.partition] = incoming.record.offset + 1
                size += len(incoming.record.value or b"")
                found.append(incoming)
        return found

    def extent(self, key: str) -> Extent:
        """The partition's current limits, asked of the broker. Raises KafkaException."""
        limits = self._consumer.get_watermark_offsets(TopicPartition(*parse_partition_key(key)), WATERMARK_SECONDS)
        if limits is None:
            raise KafkaException(f"no answer about {key}")
        low, high = limits
        return Extent(low, high, max(low, self.next_offsets[key]))

    def reread(self, key: str, low: int) -> None:
        """Go back to the partition's start."""
        self.next_offsets[key] = low
        topic, number = parse_partition_key(key)
        self._consumer.incremental_unassign([TopicPartition(topic, number)])
        self._consumer.incremental_assign([TopicPartition(topic, number, low)])

    def close(self) -> None:
        """Leave. Nothing is committed: the lake knows where it is."""
        self._consumer.close()


def _incoming(message: Message) -> Incoming:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise KafkaException("a record without topic, partition or offset")
    headers = dict(message.headers() or ())
    position, after = _stamp(headers.get("position"), headers.get("after"))
    key, value = message.key(), message.value()
    record = Record(
        topic=topic,
        partition=partition,
        offset=offset,
        position="" if position is None else str(position),
        key=key,
        value=value,
    )
    return Incoming(partition_key(topic, partition), position, after, record)


def _stamp(position: object, after: object) -> tuple[Position, Position] | tuple[None, None]:
    """The two headers, or nothing unless both are there and well-formed."""
    if not isinstance(position, bytes) or not isinstance(after, bytes) or not position:
        return None, None
    try:
        return Position.parse(position.decode("ascii", "replace")), Position.parse(after.decode("ascii", "replace"))
    except PositionError:
        return None, None
