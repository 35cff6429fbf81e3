"""Where a record stands in the region's one order of events. Pure."""

from __future__ import annotations

from dataclasses import dataclass


class PositionError(ValueError):
    """A text that is not a position."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The place of one record: the relay's epoch, its batch, the ordinal in the batch (from 1).

    Positions of one region are totally ordered, also across partitions. `START` stands before every record.
    """

    epoch: int
    batch: int
    ordinal: int

    def __str__(self) -> str:
        """`epoch:batch:ordinal`, as in record headers, table properties and the database."""
        return f"{self.epoch}:{self.batch}:{self.ordinal}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read `epoch:batch:ordinal`; the empty text is `START`.

        Raises PositionError.
        """
        if not text:
            return START
        parts = text.split(":")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):  # noqa: PLR2004 - three parts
            raise PositionError(f"{text!r} is not a position (epoch:batch:ordinal)")
        return cls(int(parts[0]), int(parts[1]), int(parts[2]))


START = Position(0, 0, 0)


def partition_key(topic: str, partition: int) -> str:
    """The name of a partition in position maps: `eu.links.v1/0`."""
    return f"{topic}/{partition}"


def parse_partition_key(key: str) -> tuple[str, int]:
    """The topic and the partition number of a name made by `partition_key`."""
    topic, _, number = key.rpartition("/")
    return topic, int(number)


def parse_positions(texts: dict[str, str]) -> dict[str, Position]:
    """A map of partition name to position, as stored, parsed."""
    return {key: Position.parse(text) for key, text in texts.items()}


def format_positions(positions: dict[str, Position]) -> dict[str, str]:
    """A map of partition name to position, as stored."""
    return {key: str(position) for key, position in positions.items()}


def missing(target: dict[str, Position], reached: dict[str, Position]) -> dict[str, Position]:
    """The partitions in which `reached` is not yet at `target`, with what was reached there."""
    return {key: reached.get(key, START) for key, position in target.items() if reached.get(key, START) < position}
