"""How the relay numbers records, and how far back it must go for a consumer that lost some. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.positions import Position, parse_partition_key, partition_key


@dataclass(slots=True)
class Numbering:
    """Numbers the records of one batch in order; the same batch and the same `partitions` give the same stamps.

    `partitions` maps every partition's name to its last position before the batch, and is advanced record by record.
    """

    epoch: int
    batch: int
    partitions: dict[str, str] = field(default_factory=dict)
    count: int = 0
    _prefix: str = field(init=False)

    def __post_init__(self) -> None:
        self._prefix = f"{self.epoch}:{self.batch}:"

    def stamp(self, partition: str) -> tuple[str, str]:
        """Position and `after` of the batch's next record, which goes to `partition`.

        `after` is the position of the record before it in its partition, "" if there is none.
        """
        self.count = count = self.count + 1
        partitions = self.partitions
        after = partitions.get(partition, "")
        partitions[partition] = position = f"{self._prefix}{count}"
        return position, after

    def advance(self, partition: str, ordinal: int) -> int | Position:
        """The last position of a partition, which moves on to this batch's `ordinal`; who calls sets `count`.

        One of this batch is told by its ordinal alone.
        """
        before = self.partitions.get(partition, "")
        self.partitions[partition] = f"{self._prefix}{ordinal}"
        of_batch = before.removeprefix(self._prefix)
        return Position.parse(before) if of_batch == before else int(of_batch)


def with_declared(partitions: Mapping[str, str], declared: Mapping[str, int]) -> dict[str, str]:
    """A map of last positions that names every partition in use: "" where nothing was sent yet.

    Topics may grow, and a batch that is sent again must put each event where it was: so each batch's map names the
    partitions of its time. It never shrinks: who declares fewer than are in use changes nothing.
    """
    named = (partition_key(topic, number) for topic, count in declared.items() for number in range(count))
    return dict.fromkeys(named, "") | dict(partitions)


def partition_counts(named: Iterable[str]) -> dict[str, int]:
    """How many partitions each topic has, from the names of all of them."""
    return dict(Counter(parse_partition_key(key)[0] for key in named))


def rewind_target(requests: Iterable[str]) -> Position | None:
    """The lowest position that a consumer asks to be served after, or None when nobody asks."""
    return min((Position.parse(text) for text in requests), default=None)
