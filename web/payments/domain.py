"""The state machines of attempts and payments, as tables. No clock, no database: everything comes in as an argument.

An attempt climbs: submitted < unknown < requires_action < failed < succeeded. Its next state is always the higher of
where it stands and what the fact says, so late, repeated and reordered facts end in the same state. Money is the
highest: a capture that arrives after we have called an attempt failed still makes it succeeded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from regions.money import Money
from web.gateways.domain import Answer, Fact


class AttemptStatus(StrEnum):
    """Where one try at one gateway stands."""

    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class PaymentStatus(StrEnum):
    """Where one intention to move money stands."""

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    SUPERSEDED = "superseded"  # captured, but the link or the session was already paid: the money goes back


_A, _P, _F = AttemptStatus, PaymentStatus, Fact

ATTEMPT_TRANSITIONS: Mapping[tuple[AttemptStatus, Fact], AttemptStatus] = MappingProxyType(
    {
        (_A.SUBMITTED, _F.CAPTURED): _A.SUCCEEDED,
        (_A.SUBMITTED, _F.DECLINED): _A.FAILED,
        (_A.SUBMITTED, _F.REQUIRES_ACTION): _A.REQUIRES_ACTION,
        (_A.SUBMITTED, _F.PENDING): _A.SUBMITTED,
        (_A.SUBMITTED, _F.AUTHORISED): _A.SUBMITTED,
        (_A.SUBMITTED, _F.NOT_FOUND): _A.UNKNOWN,
        (_A.SUBMITTED, _F.UNKNOWN): _A.UNKNOWN,
        (_A.UNKNOWN, _F.CAPTURED): _A.SUCCEEDED,
        (_A.UNKNOWN, _F.DECLINED): _A.FAILED,
        (_A.UNKNOWN, _F.REQUIRES_ACTION): _A.REQUIRES_ACTION,
        (_A.UNKNOWN, _F.PENDING): _A.UNKNOWN,
        (_A.UNKNOWN, _F.AUTHORISED): _A.UNKNOWN,
        (_A.UNKNOWN, _F.NOT_FOUND): _A.UNKNOWN,
        (_A.UNKNOWN, _F.UNKNOWN): _A.UNKNOWN,
        (_A.REQUIRES_ACTION, _F.CAPTURED): _A.SUCCEEDED,
        (_A.REQUIRES_ACTION, _F.DECLINED): _A.FAILED,
        (_A.REQUIRES_ACTION, _F.REQUIRES_ACTION): _A.REQUIRES_ACTION,
        (_A.REQUIRES_ACTION, _F.PENDING): _A.REQUIRES_ACTION,
        (_A.REQUIRES_ACTION, _F.AUTHORISED): _A.REQUIRES_ACTION,
        (_A.REQUIRES_ACTION, _F.NOT_FOUND): _A.REQUIRES_ACTION,
        (_A.REQUIRES_ACTION, _F.UNKNOWN): _A.REQUIRES_ACTION,
        (_A.FAILED, _F.CAPTURED): _A.SUCCEEDED,
        (_A.FAILED, _F.DECLINED): _A.FAILED,
        (_A.FAILED, _F.REQUIRES_ACTION): _A.FAILED,
        (_A.FAILED, _F.PENDING): _A.FAILED,
        (_A.FAILED, _F.AUTHORISED): _A.FAILED,
        (_A.FAILED, _F.NOT_FOUND): _A.FAILED,
        (_A.FAILED, _F.UNKNOWN): _A.FAILED,
        (_A.SUCCEEDED, _F.CAPTURED): _A.SUCCEEDED,
        (_A.SUCCEEDED, _F.DECLINED): _A.SUCCEEDED,
        (_A.SUCCEEDED, _F.REQUIRES_ACTION): _A.SUCCEEDED,
        (_A.SUCCEEDED, _F.PENDING): _A.SUCCEEDED,
        (_A.SUCCEEDED, _F.AUTHORISED): _A.SUCCEEDED,
        (_A.SUCCEEDED, _F.NOT_FOUND): _A.SUCCEEDED,
        (_A.SUCCEEDED, _F.UNKNOWN): _A.SUCCEEDED,
    }
)

# What a payment becomes when its attempt has moved. A payment that is not named here for an attempt's state stays.
PAYMENT_TRANSITIONS: Mapping[tuple[PaymentStatus, AttemptStatus], PaymentStatus] = MappingProxyType(
    {
        (_P.PROCESSING, _A.REQUIRES_ACTION): _P.REQUIRES_ACTION,
        (_P.PROCESSING, _A.FAILED): _P.FAILED,
        (_P.PROCESSING, _A.SUCCEEDED): _P.SUCCEEDED,
        (_P.REQUIRES_ACTION, _A.FAILED): _P.FAILED,
        (_P.REQUIRES_ACTION, _A.SUCCEEDED): _P.SUCCEEDED,
        (_P.FAILED, _A.SUCCEEDED): _P.SUCCEEDED,  # the money came after all
    }
)

OPEN_ATTEMPTS = frozenset({_A.SUBMITTED, _A.UNKNOWN, _A.REQUIRES_ACTION})
OPEN_PAYMENTS = frozenset({_P.PROCESSING, _P.REQUIRES_ACTION})

NEVER_ARRIVED = "not_processed"  # the failure code of an attempt that the gateway has never seen


def next_attempt_status(status: AttemptStatus, fact: Fact) -> AttemptStatus:
    """Where an attempt stands once a fact is known."""
    return ATTEMPT_TRANSITIONS[status, fact]


def next_payment_status(status: PaymentStatus, attempt: AttemptStatus) -> PaymentStatus:
    """Where a payment stands once its attempt has moved."""
    return PAYMENT_TRANSITIONS.get((status, attempt), status)


def weigh(
    answer: Answer, expected: Money, *, known_reference: str | None, age: timedelta, not_found_after: timedelta
) -> Answer:
    """What an answer proves, given what we asked for and when.

    "Not found" is a failure only once the gateway's stated delay has passed, and never for an attempt that the gateway
    has named to us before. A capture of another amount or currency proves nothing: a person has to look.
    """
    if answer.fact in {Fact.CAPTURED, Fact.AUTHORISED} and answer.moved != expected:
        return Answer(Fact.UNKNOWN, code="amount_mismatch")
    if answer.fact is not Fact.NOT_FOUND:
        return answer
    if known_reference is None and age >= not_found_after:
        return Answer(Fact.DECLINED, code=NEVER_ARRIVED)
    return Answer(Fact.UNKNOWN, code="not_found")


@dataclass(frozen=True)
class Capacity:
    """What a payment's link and session can still take, read under their locks, when its money has arrived."""

    has_room: bool  # whether the payment has one of the link's slots or could have; always, if it takes any number
    session_winner: str | None  # the payment that has already succeeded in the same session


def place_capture(payment_id: str, capacity: Capacity) -> PaymentStatus:
    """Whether captured money pays for something, or came for something already taken and has to go back."""
    if capacity.session_winner not in {None, payment_id}:
        return _P.SUPERSEDED
    if not capacity.has_room:
        return _P.SUPERSEDED
    return _P.SUCCEEDED


def came_late(arrived_at: datetime, *, link_expires_at: datetime | None, is_session_expired: bool) -> bool:
    """Whether money came after what it pays for had ended; it is booked all the same."""
    return is_session_expired or (link_expires_at is not None and arrived_at >= link_expires_at)


def resolve_delay(resolve_count: int, certain_in: timedelta | None = None) -> timedelta:
    """How long to wait before the gateway is asked again: 5 s, doubling, at most 10 minutes.

    `certain_in`: when the answer will be certain, if that is known. Waiting longer than that keeps a payer, and the
    link's one slot, waiting for nothing.
    """
    wait = min(timedelta(seconds=5 * (1 << min(resolve_count, 16))), timedelta(minutes=10))
    return wait if certain_in is None else min(wait, max(certain_in, timedelta(0)))
