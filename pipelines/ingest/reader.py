"""Reads the region's topics: every partition assigned by us, from offsets that we name."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipelines.broker import client_settings
from pipelines.ingest.records import Chunk, Record
from pipelines.positions import parse_partition_key

logger = logging.getLogger(__name__)
Headers = list[tuple[str, bytes | str | None]] | dict[str, bytes | str | None]

READ_RECORDS = 10_000  # at a time; the client itself buffers no more than 64 MB
SLICE_SECONDS = 0.02  # between two looks at whether somebody waits
_POSITION = re.compile(rb"[0-9]{1,18}:[0-9]{1,18}:[0-9]{1,18}")
WATERMARK_SECONDS = 2.0


class Incoming(NamedTuple):
    """What was read: the relay's records by partition, and those that the relay did not send."""

    chunks: list[Chunk]
    foreign: list[Record]


class Limits(NamedTuple):
    """How much to read at a time: records, and bytes of values."""

    records: int
    size: int


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
                "fetch.wait.max.ms": 250,  # of a broker with nothing new: Kafka answers at once when there is something
                "fetch.error.backoff.ms": 100,
                "queued.max.messages.kbytes": 65536,
            }
        )
        self._consumer.assign([TopicPartition(*parse_partition_key(key), self.next_offsets[key]) for key in partitions])

    def read(self, limits: Limits, seconds: float, is_waited_for: Callable[[], bool]) -> Incoming:
        """What arrives within `seconds`, and for longer while nobody waits for it, but not much more than `limits`."""
        chunks: dict[tuple[str, int], Chunk] = {}
        foreign: list[Record] = []
        count = size = 0
        deadline = time.monotonic() + seconds
        while count < limits.records and size < limits.size:
            left = deadline - time.monotonic()
            if left <= 0 and is_waited_for():
                break
            messages = self._consumer.consume(READ_RECORDS, min(max(left, SLICE_SECONDS), seconds))
            if not messages and left > 0 and count:
                continue
            count += len(messages)
            size += self._take(messages, chunks, foreign)
        return Incoming(list(chunks.values()), foreign)

    def _take(self, messages: list[Message], chunks: dict[tuple[str, int], Chunk], foreign: list[Record]) -> int:
        """Put messages where they belong; returns their size."""
        size = 0
        for message in messages:
            if message.error() is not None:
                logger.debug("read: %s", message.error())
                continue
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            if topic is None or partition is None or offset is None:
                raise KafkaException("a record without topic, partition or offset")
            chunk = chunks.get((topic, partition))
            if chunk is None:
                chunk = chunks[topic, partition] = Chunk(topic, partition)
            value = message.value()
            size += 0 if value is None else len(value)
            stamp = _stamp(message.headers(), chunk.positions[-1] if chunk.positions else None)
            if stamp is None:
                foreign.append(Record(topic, partition, offset, "", message.key(), value))
            else:
                chunk.add(offset, *stamp, message.key(), value)
            chunk.next_offset = offset + 1
        for chunk in chunks.values():
            self.next_offsets[chunk.name] = chunk.next_offset
        return size

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


def _stamp(headers: Headers | None, before: bytes | None) -> tuple[bytes, bytes] | None:
    """The relay's two headers, `position` and `after`, or nothing unless both are there and well-formed.

    `before` is a position that was found well-formed: mostly it is the `after` of the next record.
    """
    if headers is None:
        return None
    if isinstance(headers, list) and len(headers) == 2 and headers[0][0] == "position" and headers[1][0] == "after":  # noqa: PLR2004 - as the relay does
        position, after = headers[0][1], headers[1][1]
    else:
        named = dict(headers)
        position, after = named.get("position"), named.get("after")
    if not isinstance(position, bytes) or not isinstance(after, bytes) or not _POSITION.fullmatch(position):
        return None
    return (position, after) if after == before or not after or _POSITION.fullmatch(after) else None
