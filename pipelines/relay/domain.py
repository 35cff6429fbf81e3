"""How the relay numbers records, and how far back it must go for a consumer that lost some. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipelines.positions import Position


@dataclass(slots=True)
class Numbering:
    """Numbers the records of one batch in order; the same batch and the same `partitions` give the same stamps.

    `partitions` maps a partition's name to its last position before the batch, and is advanced record by record.
    """

    epoch: int
    batch: int
    partitions: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def stamp(self, partition: str) -> tuple[str, str]:
        """Position and `after` of the batch's next record, which goes to `partition`.

        `after` is the position of the record before it in its partition, "" if there is none.
        """
        self.count += 1
        position = f"{self.epoch}:{self.batch}:{self.count}"
        after = self.partitions.get(partition, "")
        self.partitions[partition] = position
        return position, after


def rewind_target(requests: Iterable[str]) -> Position | None:
    """The lowest position that a consumer asks to be served after, or None when nobody asks."""
    return min((Position.parse(text) for text in requests), default=None)
