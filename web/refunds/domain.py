"""The arithmetic and the state machine of refunds. No clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from web.gateways.domain import StepFact
from web.transitions import Machine


class RefundStatus(StrEnum):
    """Where a refund stands."""

    PENDING = "pending"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


_S, _F = RefundStatus, StepFact

# A refund that the gateway has not definitely refused stays pending, and is sent again under the same key.
REFUND_TRANSITIONS: Mapping[tuple[RefundStatus, StepFact], RefundStatus] = MappingProxyType(
    {
        (_S.PENDING, _F.SUCCEEDED): _S.SUCCEEDED,
        (_S.PENDING, _F.FAILED): _S.FAILED,
        (_S.PENDING, _F.PENDING): _S.PENDING,
        (_S.PENDING, _F.NOT_FOUND): _S.PENDING,
        (_S.PENDING, _F.UNKNOWN): _S.PENDING,
        (_S.FAILED, _F.SUCCEEDED): _S.SUCCEEDED,  # the money went after all; booked while it can be
        (_S.FAILED, _F.FAILED): _S.FAILED,
        (_S.FAILED, _F.PENDING): _S.FAILED,
        (_S.FAILED, _F.NOT_FOUND): _S.FAILED,
        (_S.FAILED, _F.UNKNOWN): _S.FAILED,
        (_S.SUCCEEDED, _F.SUCCEEDED): _S.SUCCEEDED,
        (_S.SUCCEEDED, _F.FAILED): _S.SUCCEEDED,
        (_S.SUCCEEDED, _F.PENDING): _S.SUCCEEDED,
        (_S.SUCCEEDED, _F.NOT_FOUND): _S.SUCCEEDED,
        (_S.SUCCEEDED, _F.UNKNOWN): _S.SUCCEEDED,
    }
)

REFUND = Machine(
    "refund",
    {
        _S.PENDING: frozenset({_S.FAILED, _S.SUCCEEDED}),
        _S.FAILED: frozenset({_S.SUCCEEDED}),
        _S.SUCCEEDED: frozenset(),
    },
)


def next_refund_status(status: RefundStatus, fact: StepFact) -> RefundStatus:
    """Where a refund stands once a fact is known."""
    return REFUND_TRANSITIONS[status, fact]


@dataclass(frozen=True)
class Balance:
    """What has happened to a payment's money, in minor units, read under the payment's lock."""

    captured_minor: int
    refunded_minor: int
    pending_refund_minor: int
    disputed_minor: int

    @property
    def kept_minor(self) -> int:
        """What no refund has taken or asks for. What a bank has taken back is in it: it may take refunded money too."""
        return self.captured_minor - self.refunded_minor - self.pending_refund_minor

    @property
    def refundable_minor(self) -> int:
        """What may still be given back; a bank may take back what was refunded already, so it is never below zero."""
        return max(0, self.kept_minor - self.disputed_minor)

    def covers(self, amount_minor: int) -> bool:
        """Whether a refund of this amount may be made."""
        return 0 < amount_minor <= self.refundable_minor
