"""The circuit breaker of one gateway, as a table of transitions. No clock, no database: everything comes in.

closed --too many calls broke off--> open --its time is over--> half open --enough went well--> closed
                                      ^------------one broke off-----------'
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from web.gateways.domain import Answer, CaptureAnswer, Fact, RefundAnswer, SaveAnswer, StepFact, VoidAnswer


class Health(StrEnum):
    """What a call says about the gateway itself, whatever it says about the money."""

    GOOD = "good"  # it answered, a decline too
    BAD = "bad"  # no answer, a broken one, or a shut door
    NEUTRAL = "neutral"  # says nothing: the key is being worked on


class State(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one call at a time finds out


@dataclass(frozen=True, slots=True)
class Policy:
    """When a breaker opens and closes."""

    window_seconds: int
    calls_min: int
    failure_percent: int
    open_seconds: int
    open_seconds_max: int
    probe_seconds: int
    closes_after: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """One gateway's breaker. `open_count` counts how often it opened in a row, `went_well` the good probes."""

    gateway: str
    state: State = State.CLOSED
    open_until: datetime | None = None
    probe_until: datetime | None = None
    open_count: int = 0
    went_well: int = 0
    changed_at: datetime | None = None


# What is about us or the way to the gateway, also where the failure itself is definite.
_BAD_CODES = frozenset({"gateway_unreachable", "gateway_busy", "gateway_rejected_credentials"})
_NEUTRAL_CODES = frozenset({"gateway_conflict", "amount_mismatch"})

Said = Answer | CaptureAnswer | RefundAnswer | VoidAnswer | SaveAnswer


def health_of(answer: Said) -> Health:
    """What an answer says about its gateway."""
    if answer.code in _NEUTRAL_CODES:
        return Health.NEUTRAL
    if answer.fact in {Fact.UNKNOWN, StepFact.UNKNOWN} or answer.code in _BAD_CODES:
        return Health.BAD
    return Health.GOOD


def refusal(circuit: Circuit, now: datetime) -> str | None:
    """Why nothing goes through right now, for people to read; None: calls may go, or one may probe."""
    if circuit.state is State.CLOSED:
        return None
    if circuit.state is State.OPEN and circuit.open_until is not None and now < circuit.open_until:
        return "its breaker is open"
    if circuit.probe_until is not None and now < circuit.probe_until:
        return "its breaker is half open, and one call is finding out"
    return None


def probing(circuit: Circuit, now: datetime, policy: Policy) -> Circuit:
    """The circuit once a call has been let through that `refusal` did not refuse."""
    if circuit.state is State.CLOSED:
        return circuit
    changed = circuit.changed_at if circuit.state is State.HALF_OPEN else now
    until = now + timedelta(seconds=policy.probe_seconds)
    return replace(circuit, state=State.HALF_OPEN, probe_until=until, changed_at=changed)


def after(circuit: Circuit, health: Health, calls: int, failures: int, now: datetime, policy: Policy) -> Circuit:
    """The circuit after a call; `calls` and `failures` of the window count it too.

    A call that was under way when it opened changes nothing: the time to be left alone stands.
    """
    match circuit.state, health:
        case State.CLOSED, Health.BAD:
            is_too_bad = calls >= policy.calls_min and failures * 100 >= calls * policy.failure_percent
            return _opened(circuit, now, policy) if is_too_bad else circuit
        case State.HALF_OPEN, Health.BAD:
            return _opened(circuit, now, policy)
        case State.HALF_OPEN, Health.GOOD:
            went_well = circuit.went_well + 1
            is_well = went_well >= policy.closes_after
            closed = Circuit(circuit.gateway, changed_at=now)
            return closed if is_well else replace(circuit, went_well=went_well, probe_until=None)
        case State.HALF_OPEN, Health.NEUTRAL:
            return replace(circuit, probe_until=None)
        case _:
            return circuit


def _opened(circuit: Circuit, now: datetime, policy: Policy) -> Circuit:
    seconds = min(policy.open_seconds << min(circuit.open_count, 16), policy.open_seconds_max)
    until = now + timedelta(seconds=seconds)
    return Circuit(circuit.gateway, State.OPEN, until, None, circuit.open_count + 1, 0, now)
