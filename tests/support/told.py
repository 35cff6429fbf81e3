"""What gateways and banks tell: each function makes one message, whose effect is its call with a scope."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from regions.money import Money
from web.captures.service import apply_capture_outcome, apply_void_outcome
from web.db.scope import Scope
from web.disputes.models import Disputed
from web.disputes.service import apply_news
from web.gateways.declines import DisputeReason
from web.gateways.disputes import Dispute, DisputeStatus
from web.gateways.domain import (
    Action,
    ActionKind,
    Answer,
    CaptureAnswer,
    Card,
    Fact,
    RefundAnswer,
    StepFact,
    VoidAnswer,
)
from web.payments import repository as payments
from web.payments.service import apply_outcome
from web.payouts import service as payouts
from web.payouts.domain import PayoutStatus
from web.refunds.service import apply_refund_outcome

PRICE = Money(1999, "EUR")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOT_FOUND_AFTER = timedelta(minutes=10)
News = Callable[[Scope], object]


def told(attempt_id: str, fact: Fact, code: str | None = None, reference: str | None = None) -> News:
    """What the gateway says of an attempt."""
    action = Action(ActionKind.THREE_DS, "https://psp.example/3ds/1") if fact is Fact.REQUIRES_ACTION else None
    moved = PRICE if fact in {Fact.CAPTURED, Fact.AUTHORISED} else None
    named = None if fact in {Fact.NOT_FOUND, Fact.UNKNOWN} else reference or f"psp_{attempt_id[-8:]}"
    card = Card("visa", "4242", "fp_1") if moved else None
    answer = Answer(fact, named, code, action, card, moved=moved)
    return lambda scope: apply_outcome(scope, attempt_id, answer, NOT_FOUND_AFTER)


def told_of_capture(capture_id: str, fact: StepFact, amount_minor: int) -> News:
    """The same of a capture."""
    answer = CaptureAnswer(fact, f"cap_{capture_id[-8:]}", *_step(fact, amount_minor))
    return lambda scope: apply_capture_outcome(scope, capture_id, answer)


def told_of_refund(refund_id: str, fact: StepFact, amount_minor: int) -> News:
    """The same of a refund."""
    answer = RefundAnswer(fact, f"ref_{refund_id[-8:]}", *_step(fact, amount_minor))
    return lambda scope: apply_refund_outcome(scope, refund_id, answer)


def told_of_void(void_id: str, fact: StepFact) -> News:
    """The same of a void."""
    answer = VoidAnswer(fact, f"void_{void_id[-8:]}", _step(fact, 0)[0])
    return lambda scope: apply_void_outcome(scope, void_id, answer)


def told_of_dispute(attempt_id: str, status: DisputeStatus, amount_minor: int = PRICE.amount_minor) -> News:
    """The same of a dispute."""

    def hear(scope: Scope) -> object:
        attempt = payments.get_attempt(scope, attempt_id)
        of = Disputed(attempt.payment_id, attempt_id, scope.merchant_id, False, "sandbox", "MeridianEU")
        reason, amount = DisputeReason.GENERAL, Money(amount_minor, "EUR")
        dispute = Dispute(f"dp_{attempt_id[-8:]}", attempt.gateway_reference or "", amount, status, reason, NOW)
        return apply_news(scope, of, dispute)

    return hear


def told_of_payout(payout_id: str, status: PayoutStatus) -> News:
    """What the bank says of a payout."""
    return lambda scope: payouts.end(scope, payout_id, status, "ac04" if status is PayoutStatus.FAILED else None)


def _step(fact: StepFact, amount_minor: int) -> tuple[str | None, Money | None]:
    code = "refused" if fact is StepFact.FAILED else None
    return code, Money(amount_minor, "EUR") if fact is StepFact.SUCCEEDED and amount_minor else None
