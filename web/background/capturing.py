"""Captures and voids that nobody told us the end of, and those that time asks for."""

from regions.money import Money
from web.background import scopes
from web.background.queue import claim_open
from web.captures import repository, service
from web.captures.domain import StepStatus
from web.captures.models import Capture, DueCapture, DueVoid, Void
from web.clock import utc_now
from web.db.scope import Scope
from web.db.steps import Settled, gateway_call
from web.gateways.capabilities import Lookup
from web.gateways.domain import CaptureAnswer, CaptureOrder, StepFact, VoidAnswer, VoidOrder
from web.gateways.protocol import Gateway
from web.wiring import Wiring


def step_due(wiring: Wiring) -> bool:
    """Order the capture, or the void, of one authorised payment whose time has come; False when there is none."""
    now = utc_now()
    with wiring.database.transaction() as connection:
        due = repository.lock_due_payment(connection, now)
        if due is None:
            return False
        service.when_due(scopes.entered(wiring, connection, due, now), due.id, is_expired=due.is_expired)
    return True


def step_captures(wiring: Wiring) -> bool:
    """Resolve, or send, one pending capture whose time has come; False when there is none."""
    claimed = claim_open(wiring, repository.claim_captures)
    if claimed is not None:
        _resolve_capture(wiring, claimed)
    return claimed is not None


def step_voids(wiring: Wiring) -> bool:
    """The same for voids."""
    claimed = claim_open(wiring, repository.claim_voids)
    if claimed is not None:
        _resolve_void(wiring, claimed)
    return claimed is not None


def _resolve_capture(wiring: Wiring, claimed: DueCapture) -> None:
    gateway = wiring.gateways[claimed.gateway]
    amount = Money(claimed.amount_minor, claimed.currency)
    order = CaptureOrder(claimed.id, claimed.payment_reference, amount, claimed.is_final)

    def intend(scope: Scope) -> CaptureOrder | Settled[Capture | None]:
        if _is_to_be_asked(gateway, repository.get_capture(scope, claimed.id)):
            return order
        return Settled(None)

    gateway_call(
        lambda: scopes.opened(wiring, claimed),
        intend=intend,
        call=lambda intent: _ask_or_capture(gateway, intent),
        conclude=lambda scope, intent, answer: service.apply_capture_outcome(scope, intent.capture_id, answer),
        process="worker",
    )


def _resolve_void(wiring: Wiring, claimed: DueVoid) -> None:
    gateway = wiring.gateways[claimed.gateway]
    order = VoidOrder(claimed.id, claimed.payment_reference)

    def intend(scope: Scope) -> VoidOrder | Settled[Void | None]:
        if _is_to_be_asked(gateway, repository.get_void(scope, claimed.id)):
            return order
        return Settled(None)

    gateway_call(
        lambda: scopes.opened(wiring, claimed),
        intend=intend,
        call=lambda intent: _ask_or_void(gateway, intent),
        conclude=lambda scope, intent, answer: service.apply_void_outcome(scope, intent.void_id, answer),
        process="worker",
    )


def _is_to_be_asked(gateway: Gateway, step: Capture | Void | None) -> bool:
    # Sending again is how a gateway without a look-up is asked. Once it has taken the order that tells nothing more.
    if step is None or step.status is not StepStatus.PENDING:
        return False
    return step.gateway_reference is None or gateway.capabilities.lookup is not Lookup.RESEND


def _ask_or_capture(gateway: Gateway, order: CaptureOrder) -> CaptureAnswer:
    """A capture that the gateway does not know is sent, or sent again: the same key never takes the money twice."""
    answer = gateway.resolve_capture(order)
    return gateway.capture(order) if answer.fact is StepFact.NOT_FOUND else answer


def _ask_or_void(gateway: Gateway, order: VoidOrder) -> VoidAnswer:
    answer = gateway.resolve_void(order)
    return gateway.void(order) if answer.fact is StepFact.NOT_FOUND else answer
