"""What nobody told us the end of: the gateway is asked, and its answer goes the way that a webhook's news goes."""

from contextlib import AbstractContextManager

from regions.money import Money
from web.background import scopes
from web.background.queue import claim_open
from web.db.scope import Scope
from web.db.steps import Settled, gateway_call
from web.gateways.capabilities import Lookup
from web.gateways.domain import Answer, RefundAnswer, RefundOrder, StepFact
from web.gateways.protocol import Gateway
from web.payments import orders
from web.payments import repository as payments
from web.payments.domain import ASKED_ATTEMPTS
from web.payments.models import Attempt, DueAttempt, Payment
from web.payments.service import apply_outcome, inquiry_about
from web.refunds import repository as refunds
from web.refunds.domain import RefundStatus
from web.refunds.models import DueRefund, Refund
from web.refunds.service import apply_refund_outcome
from web.wiring import Wiring


def step_attempts(wiring: Wiring) -> bool:
    """Resolve one attempt whose outcome is open and whose time has come; False when there is none."""
    claimed = claim_open(wiring, payments.claim_due_attempts)
    if claimed is not None:
        _resolve_attempt(wiring, claimed)
    return claimed is not None


def step_refunds(wiring: Wiring) -> bool:
    """Resolve, or send, one pending refund whose time has come; False when there is none."""
    claimed = claim_open(wiring, refunds.claim_due)
    if claimed is not None:
        _resolve_refund(wiring, claimed)
    return claimed is not None


def _resolve_attempt(wiring: Wiring, claimed: DueAttempt) -> None:
    gateway = wiring.gateways[claimed.gateway]

    def intend(scope: Scope) -> Attempt | Settled[Payment | None]:
        attempt = payments.get_attempt(scope, claimed.id)
        if attempt.status in ASKED_ATTEMPTS:
            return attempt
        return Settled(None)

    def mine() -> AbstractContextManager[Scope]:
        return scopes.opened(wiring, claimed)

    def ask(attempt: Attempt) -> Answer:
        order = orders.kept(mine, wiring.vault, gateway, attempt.id)
        return gateway.resolve(inquiry_about(attempt, order=order))

    gateway_call(
        mine,
        intend=intend,
        call=ask,
        conclude=lambda scope, attempt, answer: apply_outcome(scope, attempt.id, answer, gateway.not_found_after),
        process="worker",
    )


def _resolve_refund(wiring: Wiring, claimed: DueRefund) -> None:
    gateway = wiring.gateways[claimed.gateway]
    order = RefundOrder(claimed.id, claimed.payment_reference, Money(claimed.amount_minor, claimed.currency))

    def intend(scope: Scope) -> RefundOrder | Settled[Refund | None]:
        refund = refunds.get(scope, claimed.id)
        if refund is None or refund.status is not RefundStatus.PENDING:
            return Settled(None)
        # Sending again is how a gateway without a look-up is asked. Once it has taken the refund that tells nothing
        # more, and after its keys have expired it would give the money twice: its webhook tells the end.
        is_taken = refund.gateway_reference is not None and gateway.capabilities.lookup is Lookup.RESEND
        return Settled(None) if is_taken else order

    gateway_call(
        lambda: scopes.opened(wiring, claimed),
        intend=intend,
        call=lambda intent: _ask_or_send(gateway, intent),
        conclude=lambda scope, intent, answer: apply_refund_outcome(scope, intent.refund_id, answer),
        process="worker",
    )


def _ask_or_send(gateway: Gateway, order: RefundOrder) -> RefundAnswer:
    """A refund that the gateway does not know is sent, or sent again: the same key never gives the money twice."""
    answer = gateway.resolve_refund(order)
    return gateway.refund(order) if answer.fact is StepFact.NOT_FOUND else answer
