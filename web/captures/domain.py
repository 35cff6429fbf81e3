"""The state machine of captures and voids, and how much may be captured. No clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from web.gateways.capabilities import Capabilities
from web.gateways.domain import StepFact
from web.transitions import Machine


class StepStatus(StrEnum):
    """Where a capture or a void stands."""

    PENDING = "pending"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


_S, _F = StepStatus, StepFact
_ROWS: Mapping[StepStatus, Mapping[StepFact, StepStatus]] = {
    # What the gateway has not definitely refused stays pending, and is sent again under the same key.
    _S.PENDING: {
        _F.UNKNOWN: _S.PENDING,
        _F.NOT_FOUND: _S.PENDING,
        _F.PENDING: _S.PENDING,
        _F.FAILED: _S.FAILED,
        _F.SUCCEEDED: _S.SUCCEEDED,
    },
    _S.FAILED: {
        _F.UNKNOWN: _S.FAILED,
        _F.NOT_FOUND: _S.FAILED,
        _F.PENDING: _S.FAILED,
        _F.FAILED: _S.FAILED,
        _F.SUCCEEDED: _S.SUCCEEDED,  # it was done after all
    },
    _S.SUCCEEDED: dict.fromkeys(StepFact, _S.SUCCEEDED),
}
STEP_TRANSITIONS: Mapping[tuple[StepStatus, StepFact], StepStatus] = MappingProxyType(
    {(status, fact): then for status, row in _ROWS.items() for fact, then in row.items()}
)
STEP = Machine("capture or void", {status: frozenset(row.values()) - {status} for status, row in _ROWS.items()})


def next_step_status(status: StepStatus, fact: StepFact) -> StepStatus:
    """Where a capture or a void stands once a fact is known."""
    return STEP_TRANSITIONS[status, fact]


@dataclass(frozen=True)
class Ask:
    """A capture that a merchant asks for, against what is set aside, in minor units."""

    amount_minor: int
    capturable_minor: int
    is_final: bool

    @property
    def is_covered(self) -> bool:
        """Whether that much is still set aside."""
        return 0 < self.amount_minor <= self.capturable_minor


def unsupported(capabilities: Capabilities, ask: Ask) -> str | None:
    """Why the gateway cannot make this capture, as a sentence, or None."""
    is_partial = ask.amount_minor < ask.capturable_minor
    if is_partial and not capabilities.has_partial_capture:
        return "The gateway captures the whole amount or nothing."
    if not ask.is_final and not capabilities.has_multiple_captures:
        return "The gateway makes one capture a payment: it must be the final one."
    return None
