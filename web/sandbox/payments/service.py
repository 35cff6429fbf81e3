"""Charging: one place where a payment gets an outcome, whoever asks (the API, the payer's pages, the clock)."""

from dataclasses import dataclass

from web.sandbox.cards import tokens
from web.sandbox.cards.domain import Card, Scenario
from web.sandbox.control import faults
from web.sandbox.database import Conn
from web.sandbox.edge.idempotency import HeldError
from web.sandbox.edge.problems import ProblemError
from web.sandbox.payments import repository
from web.sandbox.payments.domain import Outcome, Payment, ThreeDs, authorise, charge
from web.sandbox.settings import Account, Settings
from web.sandbox.webhooks import outbox


@dataclass(frozen=True)
class Result:
    """A payment after a step, and how long its answer is to be held back."""

    payment: Payment
    hold_seconds: float = 0


@dataclass(frozen=True)
class Order:
    """What the merchant asks for."""

    reference: str
    amount_minor: int
    currency: str
    payment_token: str | None
    return_url: str | None
    three_ds: ThreeDs


def create(connection: Conn, settings: Settings, account: Account, order: Order) -> Result:
    """Charge a token, or wait for the payer on the redirect page when there is none.

    Raises InvalidFieldError for a token that cannot be used, HeldError for the card that gets lost before charging.
    """
    card = None if order.payment_token is None else tokens.consume(connection, account.name, order.payment_token)
    if card is not None and card.scenario == Scenario.TIMEOUT_BEFORE_CHARGE:
        lost = ProblemError(504, "gateway_timeout", "The request timed out on its way; nothing was charged.")
        raise HeldError(lost, settings.hold_seconds)
    payment = repository.insert_awaiting(
        connection,
        account=account.name,
        reference=order.reference,
        amount_minor=order.amount_minor,
        currency=order.currency,
        three_ds=order.three_ds,
        return_url=order.return_url,
        action_kind="redirect",
    )
    if card is None:
        return _decide(connection, settings, payment, Outcome("requires_action"))
    return pay_with_card(connection, settings, payment, card)


def pay_with_card(connection: Conn, settings: Settings, payment: Payment, card: Card) -> Result:
    """Authorise a payment that waits for its card. The caller holds the payment's lock."""
    return _decide(connection, settings, payment.with_card(card), authorise(card.scenario, payment.three_ds))


def finish_challenge(connection: Conn, settings: Settings, payment: Payment, *, is_passed: bool) -> Result:
    """The payer's answer to the 3-D Secure challenge. The caller holds the payment's lock."""
    if not is_passed:
        return decline(connection, settings, payment, "authentication_failed")
    return _decide(connection, settings, payment, charge(Scenario(payment.scenario or "")))


def decline(connection: Conn, settings: Settings, payment: Payment, code: str) -> Result:
    """End a payment without charging. The caller holds the payment's lock."""
    return _decide(connection, settings, payment, Outcome("declined", decline_code=code))


def capture_pending(connection: Conn, settings: Settings, payment: Payment) -> Result:
    """A pending payment's money arrives. The caller holds the payment's lock."""
    return _decide(connection, settings, payment, Outcome("captured"))


def _decide(connection: Conn, settings: Settings, payment: Payment, outcome: Outcome) -> Result:
    due_in_seconds = {"requires_action": settings.action_seconds, "pending": settings.pending_seconds}.get(
        outcome.status
    )
    decided = repository.apply(connection, payment, outcome, due_in_seconds)
    if outcome.status != "pending":
        outbox.enqueue(connection, decided.account, f"payment.{outcome.status}", decided.document(settings.base_url))
    is_held = outcome.is_held or (outcome.status == "captured" and faults.take_timeout(connection, decided.account))
    return Result(decided, settings.hold_seconds if is_held else 0)
