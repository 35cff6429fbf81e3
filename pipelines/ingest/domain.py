"""Which records of a partition the lake accepts, and what to do when its chain breaks. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pipelines.positions import START, Position

STANDING_LOOKS_MAX = 20  # at one offset while there is more to read


class Verdict(Enum):
    """What becomes of a record."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"  # at or below the last accepted position: the lake has it
    AHEAD = "ahead"  # a record before it is missing; it comes again when the relay sends again


@dataclass(slots=True)
class Chains:
    """The last accepted position of every partition.

    Each record names the one before it in its partition (`after`). It is accepted if `after <= last < position`, so
    repeats, reordering and holes in Kafka never change the accepted sequence: it is a prefix of what was sent.
    """

    last: dict[str, Position] = field(default_factory=dict)

    def offer(self, partition: str, position: Position, after: Position) -> Verdict:
        """Judge the next record read from `partition`, and move on if it is accepted."""
        last = self.last.get(partition, START)
        if position <= last:
            return Verdict.REPEATED
        if after > last:
            return Verdict.AHEAD
        self.last[partition] = position
        return Verdict.ACCEPTED

    def offer_run(self, partition: str, first: Position, final: Position, after: Position) -> bool:
        """Accept a run of records at once; False, and nothing changes, if its beginning does not fit.

        In a run each record names the one before it as its `after`, and positions grow: that is the caller's word.
        Accepting them one by one would come to the same.
        """
        if not after <= self.last.get(partition, START) < first:
            return False
        self.last[partition] = final
        return True

    def copy(self) -> Chains:
        """A copy to work on while a commit may still fail."""
        return Chains(dict(self.last))


def rewind_request(last: dict[str, Position], sent: dict[str, Position]) -> Position | None:
    """The position after which the relay must send again, or None when nothing is missing.

    `sent` is what the relay has had acknowledged. A partition that has it all sets no limit, however old its last
    record is.
    """
    behind = [last.get(key, START) for key, position in sent.items() if last.get(key, START) < position]
    return min(behind, default=None)


class Repair(Enum):
    """The next step for a partition whose chain is broken."""

    NONE = "none"
    REREAD = "reread"  # read the partition again from its start: the records may lie before our offset
    REWIND = "rewind"  # they are not in Kafka: ask the relay to send them again


@dataclass(slots=True)
class Diagnosis:
    """Follows the broken chain of one partition: first read it again from its start, then ask for what Kafka has lost.

    Judge only at the partition's end, and only against what the relay had sent *before* that end was looked up: then a
    partition that is behind at its end does not hold what is missing.
    """

    is_reread: bool = False
    offset: int = -1
    looks: int = 0

    def stands_still(self, next_offset: int) -> bool:
        """Whether the partition's reader was found at this offset, short of the end, so often that it is stuck."""
        self.looks = self.looks + 1 if next_offset == self.offset else 1
        self.offset = next_offset
        return self.looks >= STANDING_LOOKS_MAX

    def at_end(self, *, is_behind: bool, is_rewind_pending: bool) -> Repair:
        """What to do at the partition's end. `is_rewind_pending`: the relay was asked and has not finished."""
        if not is_behind:
            self.is_reread = False
            return Repair.NONE
        if is_rewind_pending:
            return Repair.NONE
        self.is_reread = not self.is_reread
        return Repair.REREAD if self.is_reread else Repair.REWIND
