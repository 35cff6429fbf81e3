"""The state machine of disputes, and what each step moves. No clock, no database.

A dispute climbs: inquiry < needs_response < under_review < won < lost. News that is lower changes nothing, so any order
ends alike; a loss after a win is a second chargeback.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from regions.money import Money
from web.gateways.disputes import DisputeStatus
from web.ledger.domain import Entry, gateway_clearing
from web.transitions import Machine

DISPUTES = "disputes"  # what gateways have taken back and what is contested
RESERVE = "reserve:disputes"  # what of it we hold back from those whose money it is

_D = DisputeStatus
DISPUTE = Machine(
    "dispute",
    {
        _D.INQUIRY: frozenset({_D.NEEDS_RESPONSE, _D.UNDER_REVIEW, _D.WON, _D.LOST}),
        _D.NEEDS_RESPONSE: frozenset({_D.UNDER_REVIEW, _D.WON, _D.LOST}),
        _D.UNDER_REVIEW: frozenset({_D.WON, _D.LOST}),
        _D.WON: frozenset({_D.LOST}),
        _D.LOST: frozenset(),
    },
)
OPEN = frozenset({_D.INQUIRY, _D.NEEDS_RESPONSE, _D.UNDER_REVIEW})
CONTESTABLE = frozenset({_D.INQUIRY, _D.NEEDS_RESPONSE})


class Held(StrEnum):
    """Where a dispute's money is."""

    OURS = "ours"  # the gateway has it for us, as before
    CONTESTED = "contested"  # the gateway has taken it back
    GONE = "gone"


_HELD: Mapping[DisputeStatus, Held] = MappingProxyType(
    {
        _D.INQUIRY: Held.OURS,
        _D.NEEDS_RESPONSE: Held.CONTESTED,
        _D.UNDER_REVIEW: Held.CONTESTED,
        _D.WON: Held.OURS,
        _D.LOST: Held.GONE,
    }
)


class Step(StrEnum):
    """One movement of a dispute's money, and the kind of its journal."""

    TAKEN = "dispute"
    TAKEN_AGAIN = "dispute_again"  # after a win: journals of one kind are booked once a dispute
    WON = "dispute_won"
    LOST = "dispute_lost"


def next_dispute_status(status: DisputeStatus, said: DisputeStatus) -> DisputeStatus:
    """Where a dispute stands after news of it."""
    return said if DISPUTE.allows(status, said) else status


def held(status: DisputeStatus | None) -> Held:
    """Where the money is; None is before the dispute."""
    return Held.OURS if status is None else _HELD[status]


def steps(was: DisputeStatus | None, to: DisputeStatus, taken_count: int) -> Sequence[Step]:
    """What moves between two states; `taken_count` is how often the money was taken back before."""
    before, after = held(was), held(to)
    if before is after:
        return ()
    if after is Held.OURS:
        return (Step.WON,)
    taken = () if before is Held.CONTESTED else (Step.TAKEN_AGAIN if taken_count else Step.TAKEN,)
    return (*taken, Step.LOST) if after is Held.GONE else taken


def entries(step: Step, gateway: str, owed: str, amount: Money) -> tuple[Entry, ...]:
    """What a step books. `owed` is the account of those whose money it is: it falls at once, so nobody is paid it out.

    Taken back: the gateway holds less for us, and we hold that much back. Won: the reverse. Lost: who was owed bears
    it.
    """
    if step is Step.LOST:
        return Entry(RESERVE, amount), Entry(DISPUTES, -amount)
    moved = -amount if step is Step.WON else amount
    return Entry(DISPUTES, moved), Entry(gateway_clearing(gateway), -moved), Entry(owed, moved), Entry(RESERVE, -moved)
