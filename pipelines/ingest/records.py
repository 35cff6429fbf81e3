"""What comes from Kafka, column by column: records of one partition in the order of their offsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np

from pipelines.positions import Position, partition_key
from pipelines.stamps import Numbers


class Record(NamedTuple):
    """A record as read from Kafka. `position` is empty for one that the relay did not send."""

    topic: str
    partition: int
    offset: int
    position: str
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class Chunk:
    """Records of one partition. `numbers` has six of each: its position, and that of the record before it (`after`)."""

    topic: str
    partition: int
    offsets: list[int]
    numbers: Numbers
    keys: list[bytes | None]
    values: list[bytes | None]

    @property
    def name(self) -> str:
        """The partition's name in position maps."""
        return partition_key(self.topic, self.partition)

    def __len__(self) -> int:
        return len(self.offsets)

    def position(self, index: int) -> Position:
        """Where a record stands."""
        return Position(*self.numbers[index, :3].tolist())

    def after(self, index: int) -> Position:
        """Where the record before it stands, in its partition."""
        return Position(*self.numbers[index, 3:].tolist())

    def is_run(self) -> bool:
        """Whether each record names the one before it as its `after`, and positions grow."""
        before, behind = self.numbers[:-1, :3], self.numbers[1:, :3]
        if not np.array_equal(self.numbers[1:, 3:], before):
            return False
        epoch, batch, ordinal = (behind - before).T
        is_later = (epoch > 0) | ((epoch == 0) & ((batch > 0) | ((batch == 0) & (ordinal > 0))))
        return bool(is_later.all())

    def record(self, index: int) -> Record:
        """One record."""
        position = str(self.position(index))
        return Record(self.topic, self.partition, self.offsets[index], position, self.keys[index], self.values[index])

    def take(self, indices: Sequence[int]) -> Chunk:
        """Some of the records."""
        return Chunk(
            self.topic,
            self.partition,
            [self.offsets[index] for index in indices],
            self.numbers[list(indices)],
            [self.keys[index] for index in indices],
            [self.values[index] for index in indices],
        )


def chunks_of(records: Iterable[Record]) -> list[Chunk]:
    """Accepted records, by partition."""
    found: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        found.setdefault((record.topic, record.partition), []).append(record)
    return [
        Chunk(
            topic,
            partition,
            [record.offset for record in of_partition],
            np.array([(*astuple(Position.parse(record.position)), 0, 0, 0) for record in of_partition], np.int64),
            [record.key for record in of_partition],
            [record.value for record in of_partition],
        )
        for (topic, partition), of_partition in found.items()
    ]


def records_of(chunks: Iterable[Chunk]) -> Iterator[Record]:
    """Every record of some chunks."""
    for chunk in chunks:
        for index in range(len(chunk)):
            yield chunk.record(index)
