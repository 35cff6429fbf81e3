"""The state machines of attempts and payments, as tables. No clock, no database: everything comes in as an argument.

An attempt climbs: submitted < unknown < requires_action < authorised < failed < voided < succeeded. Its next state is
always the higher of where it stands and what the fact says, so late, repeated and reordered facts end alike. Money is
the highest: a capture that arrives after we have called an attempt failed still makes it succeeded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from regions.money import Money
from web.gateways.declines import Reason
from web.gateways.domain import Answer, Fact
from web.transitions import Machine


class AttemptStatus(StrEnum):
    """Where one try at one gateway stands."""

    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    REQUIRES_ACTION = "requires_action"
    AUTHORISED = "authorised"  # the money is set aside and waits for our capture
    FAILED = "failed"
    VOIDED = "voided"  # it was set aside and has been let go: no money has moved
    SUCCEEDED = "succeeded"


class PaymentStatus(StrEnum):
    """Where one intention to move money stands."""

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    AUTHORISED = "authorised"  # the payer is done; the money waits for our capture
    FAILED = "failed"
    VOIDED = "voided"  # the authorisation was let go, or ran out, before anything was captured
    SUCCEEDED = "succeeded"
    SUPERSEDED = "superseded"  # captured, but the link or the session was already paid: the money goes back


_A, _P, _F = AttemptStatus, PaymentStatus, Fact
_ATTEMPT_FACTS = (
    _F.UNKNOWN, _F.NOT_FOUND, _F.PENDING, _F.REQUIRES_ACTION, _F.AUTHORISED, _F.DECLINED, _F.VOIDED, _F.CAPTURED,
)  # fmt: skip
_ATTEMPT_ROWS: Mapping[AttemptStatus, tuple[AttemptStatus, ...]] = {
    # what becomes of it once it is    unknown, not found, pending, an action, authorised, declined, voided, captured
    _A.SUBMITTED: (
        _A.UNKNOWN, _A.UNKNOWN, _A.SUBMITTED, _A.REQUIRES_ACTION, _A.AUTHORISED, _A.FAILED, _A.VOIDED, _A.SUCCEEDED,
    ),
    _A.UNKNOWN: (
        _A.UNKNOWN, _A.UNKNOWN, _A.UNKNOWN, _A.REQUIRES_ACTION, _A.AUTHORISED, _A.FAILED, _A.VOIDED, _A.SUCCEEDED,
    ),
    _A.REQUIRES_ACTION: (
        *[_A.REQUIRES_ACTION] * 4, _A.AUTHORISED, _A.FAILED, _A.VOIDED, _A.SUCCEEDED,
    ),
    _A.AUTHORISED: (*[_A.AUTHORISED] * 5, _A.FAILED, _A.VOIDED, _A.SUCCEEDED),
    _A.FAILED: (*[_A.FAILED] * 6, _A.VOIDED, _A.SUCCEEDED),
    _A.VOIDED: (*[_A.VOIDED] * 7, _A.SUCCEEDED),
    _A.SUCCEEDED: (_A.SUCCEEDED,) * 8,
}  # fmt: skip
ATTEMPT_TRANSITIONS: Mapping[tuple[AttemptStatus, Fact], AttemptStatus] = MappingProxyType(
    {
        (status, fact): then
        for status, row in _ATTEMPT_ROWS.items()
        for fact, then in zip(_ATTEMPT_FACTS, row, strict=True)
    }
)
ATTEMPT = Machine("attempt", {status: frozenset(row) - {status} for status, row in _ATTEMPT_ROWS.items()})

_TAKEN = frozenset({_P.SUCCEEDED, _P.SUPERSEDED})
PAYMENT = Machine(
    "payment",
    {
        _P.PROCESSING: _TAKEN | {_P.REQUIRES_ACTION, _P.AUTHORISED, _P.FAILED, _P.VOIDED},
        _P.REQUIRES_ACTION: _TAKEN | {_P.AUTHORISED, _P.FAILED, _P.VOIDED},
        _P.AUTHORISED: _TAKEN | {_P.FAILED, _P.VOIDED},
        _P.FAILED: _TAKEN | {_P.VOIDED},  # the money came after all, or was set aside and is let go
        _P.VOIDED: _TAKEN,
        _P.SUCCEEDED: frozenset(),
        _P.SUPERSEDED: frozenset(),
    },
)
# What a payment is to become once its attempt stands there.
_FOLLOWS: Mapping[AttemptStatus, PaymentStatus] = MappingProxyType(
    {
        _A.SUBMITTED: _P.PROCESSING,
        _A.UNKNOWN: _P.PROCESSING,
        _A.REQUIRES_ACTION: _P.REQUIRES_ACTION,
        _A.AUTHORISED: _P.AUTHORISED,
        _A.FAILED: _P.FAILED,
        _A.VOIDED: _P.VOIDED,
        _A.SUCCEEDED: _P.SUCCEEDED,
    }
)

OPEN_ATTEMPTS = frozenset({_A.SUBMITTED, _A.UNKNOWN, _A.REQUIRES_ACTION})  # nobody knows yet what becomes of them
ASKED_ATTEMPTS = OPEN_ATTEMPTS | {_A.AUTHORISED}  # nor for good of these: the gateway is asked again
OPEN_PAYMENTS = frozenset({_P.PROCESSING, _P.REQUIRES_ACTION, _P.AUTHORISED})  # money may still move

NEVER_ARRIVED = "not_processed"  # the failure code of an attempt that the gateway has never seen
LET_GO = frozenset({Reason.VOIDED, Reason.AUTHORISATION_EXPIRED})


def next_attempt_status(status: AttemptStatus, fact: Fact) -> AttemptStatus:
    """Where an attempt stands once a fact is known."""
    return ATTEMPT_TRANSITIONS[status, fact]


def next_payment_status(status: PaymentStatus, attempt: AttemptStatus) -> PaymentStatus:
    """Where a payment stands once its attempt has moved: where the attempt leads, if it may go there."""
    then = _FOLLOWS[attempt]
    return then if PAYMENT.allows(status, then) else status


def weigh(
    answer: Answer,
    expected: Money,
    *,
    known_reference: str | None,
    age: timedelta,
    not_found_after: timedelta,
    is_manual: bool = False,
) -> Answer:
    """What an answer proves, given what we asked for and when.

    "Not found" is a failure only once the gateway's stated delay has passed, and never for an attempt that the gateway
    has named to us before. A capture of another amount or currency proves nothing: a person has to look. What is
    captured of a `is_manual` attempt, our captures tell: of the attempt it proves that the money was set aside.
    """
    if answer.fact is Fact.DECLINED and answer.code in LET_GO:
        return replace(answer, fact=Fact.VOIDED)
    if answer.fact is Fact.CAPTURED and is_manual and answer.moved and answer.moved.currency == expected.currency:
        return replace(answer, fact=Fact.AUTHORISED, moved=expected)
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
