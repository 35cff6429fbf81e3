"""What comes from Kafka, column by column: records of one partition in the order of their offsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipelines.positions import partition_key


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
    """Records of one partition. `positions` and `afters` are the relay's two headers, as they came."""

    topic: str
    partition: int
    offsets: list[int] = field(default_factory=list)
    positions: list[bytes] = field(default_factory=list)
    afters: list[bytes] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    next_offset: int = 0  # behind the last record that was read, also if it is not among these

    def add(self, offset: int, position: bytes, after: bytes, key: bytes | None, value: bytes | None) -> None:
        """Append one record."""
        self.offsets.append(offset)
        self.positions.append(position)
        self.afters.append(after)
        self.keys.append(key)
        self.values.append(value)

    @property
    def name(self) -> str:
        """The partition's name in position maps."""
        return partition_key(self.topic, self.partition)

    def __len__(self) -> int:
        return len(self.offsets)

    def is_run(self) -> bool:
        """Whether each record names the one before it as its `after`, and positions grow."""
        if self.afters[1:] != self.positions[:-1]:
            return False
        numbers = np.fromstring(b":".join(self.positions).decode("ascii"), dtype=np.int64, sep=":").reshape(-1, 3)
        epoch, batch, ordinal = (numbers[1:] - numbers[:-1]).T
        is_later = (epoch > 0) | ((epoch == 0) & ((batch > 0) | ((batch == 0) & (ordinal > 0))))
        return bool(is_later.all())

    def record(self, index: int) -> Record:
        """One record."""
        position = self.positions[index].decode("ascii")
        return Record(self.topic, self.partition, self.offsets[index], position, self.keys[index], self.values[index])

    def take(self, indices: Sequence[int]) -> Chunk:
        """Some of the records."""
        return Chunk(
            self.topic,
            self.partition,
            [self.offsets[index] for index in indices],
            [self.positions[index] for index in indices],
            [self.afters[index] for index in indices],
            [self.keys[index] for index in indices],
            [self.values[index] for index in indices],
        )


def chunks_of(records: Iterable[Record]) -> list[Chunk]:
    """Accepted records, by partition."""
    found: dict[tuple[str, int], Chunk] = {}
    for record in records:
        chunk = found.setdefault((record.topic, record.partition), Chunk(record.topic, record.partition))
        chunk.add(record.offset, record.position.encode("ascii"), b"", record.key, record.value)
    return list(found.values())


def records_of(chunks: Iterable[Chunk]) -> Iterator[Record]:
    """Every record of some chunks."""
    for chunk in chunks:
        for index in range(len(chunk)):
            yield chunk.record(index)
