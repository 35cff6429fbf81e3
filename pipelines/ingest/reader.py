"""Reads the region's topics: every partition assigned by us, from offsets that we name."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipelines.broker import client_settings
from pipelines.ingest.records import Chunk, Record
from pipelines.positions import Position, parse_partition_key, partition_key
from pipelines.stamps import read_stamps

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
        arrived: dict[tuple[str, int], _Arrived] = {}
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
            size += self._take(messages, arrived)
        foreign: list[Record] = []
        chunks = [_chunk(*place, of_partition, foreign) for place, of_partition in arrived.items()]
        return Incoming(chunks, foreign)

    def _take(self, messages: list[Message], arrived: dict[tuple[str, int], _Arrived]) -> int:
        """Put messages where they belong; returns their size."""
        size = 0
        for message in messages:
            if message.error() is not None:
                logger.debug("read: %s", message.error())
                continue
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            if topic is None or partition is None or offset is None:
                raise KafkaException("a record without topic, partition or offset")
            found = arrived.get((topic, partition))
            if found is None:
                found = arrived[topic, partition] = _Arrived()
            value = message.value()
            size += 0 if value is None else len(value)
            found.messages.append(message)
            found.offsets.append(offset)
            found.values.append(value)
        for (topic, partition), found in arrived.items():
            self.next_offsets[partition_key(topic, partition)] = found.offsets[-1] + 1
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


@dataclass(slots=True)
class _Arrived:
    """Records of one partition, as they came."""

    messages: list[Message] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)


def _chunk(topic: str, partition: int, arrived: _Arrived, foreign: list[Record]) -> Chunk:
    """The relay's records of one partition; what the relay did not send is added to `foreign`."""
    messages, values = arrived.messages, [value or b"" for value in arrived.values]
    sizes = np.fromiter(map(len, values), np.int64, len(values))
    numbers, is_stamped = read_stamps(np.frombuffer(b"".join(values), np.uint8), sizes.cumsum(), sizes)
    for row in np.flatnonzero(~is_stamped).tolist():
        if (found := of_headers(messages[row].headers())) is not None:
            numbers[row], is_stamped[row] = found, True
    chunk = Chunk(topic, partition, arrived.offsets, numbers, [message.key() for message in messages], arrived.values)
    if is_stamped.all():
        return chunk
    foreign += [
        Record(topic, partition, chunk.offsets[row], "", chunk.keys[row], chunk.values[row])
        for row in np.flatnonzero(~is_stamped).tolist()
    ]
    return chunk.take(np.flatnonzero(is_stamped).tolist())


def of_headers(headers: Headers | None) -> tuple[int, ...] | None:
    """Position and `after` as six numbers, as the relay sent them before it stamped values: in two headers."""
    named = dict(headers or [])
    position, after = named.get("position"), named.get("after")
    if not isinstance(position, bytes) or not isinstance(after, bytes) or not _POSITION.fullmatch(position):
        return None
    if after and not _POSITION.fullmatch(after):
        return None
    return tuple(int(number) for number in (position + b":" + (after or b"0:0:0")).split(b":"))


def position_of(message: Message) -> Position | None:
    """Where one record stands, if the relay sent it."""
    value = message.value() or b""
    size = np.array([len(value)])
    numbers, is_stamped = read_stamps(np.frombuffer(value, np.uint8), size, size)
    found = tuple(numbers[0].tolist()) if is_stamped[0] else of_headers(message.headers())
    return None if found is None else Position(*found[:3])
