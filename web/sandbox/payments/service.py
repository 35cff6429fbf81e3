"""Charging: one place where a payment gets an outcome, whoever asks (the API, the payer's pages, the clock)."""

from dataclasses import dataclass, replace

from web.sandbox.captures import repository as captures
from web.sandbox.cards import saved, tokens
from web.sandbox.cards.domain import Card
from web.sandbox.cards.scenarios import Scenario, scenario_of
from web.sandbox.control import faults
from web.sandbox.database import Conn
from web.sandbox.edge.idempotency import HeldError
from web.sandbox.edge.problems import InvalidFieldError, ProblemError
from web.sandbox.payments import repository
from web.sandbox.payments.domain import (
    METHODS,
    CaptureMode,
    MethodName,
    Outcome,
    Payment,
    ThreeDs,
    authorise,
    charge,
    end_of_wait,
    is_disputed_later,
)
from web.sandbox.settings import Account, Settings
from web.sandbox.webhooks import outbox


@dataclass(frozen=True)
class Result:
    """A payment after a step, how long its answer is to be held back, and whether it is to be a 500."""

    payment: Payment
    hold_seconds: float = 0
    is_lost: bool = False


@dataclass(frozen=True)
class Order:
    """What the merchant asks for."""

    reference: str
    amount_minor: int
    currency: str
    payment_token: str | None
    return_url: str | None
    three_ds: ThreeDs
    method: MethodName = "card"
    capture_mode: CaptureMode = "automatic"
    saved_method: str | None = None
    save_for: str | None = None
    is_payer_present: bool = True


def create(connection: Conn, settings: Settings, account: Account, order: Order) -> Result:
    """Charge a token or a saved method, or wait for the payer on the method's page when there is neither.

    Raises InvalidFieldError for a token that cannot be used, HeldError for the card that gets lost before charging.
    """
    card = _card_of(connection, account.name, order)
    if _scenario(card, order.amount_minor) is Scenario.TIMEOUT_BEFORE_CHARGE:
        lost = ProblemError(504, "gateway_timeout", "The request timed out on its way; nothing was charged.")
        raise HeldError(lost, settings.hold_seconds)
    payment = repository.insert_awaiting(
        connection,
        account=account.name,
        reference=order.reference,
        amount_minor=order.amount_minor,
        currency=order.currency,
        method=order.method,
        three_ds=order.three_ds,
        capture_mode=order.capture_mode,
        return_url=order.return_url,
        action_kind="redirect",
        saved_method=order.saved_method,
        save_for=order.save_for,
    )
    if card is None and order.saved_method is not None:
        return approve(connection, settings, payment)  # by the mandate
    if card is None:
        return _decide(connection, settings, payment, Outcome("requires_action"))
    return pay_with_card(connection, settings, payment, card, is_payer_present=order.is_payer_present)


def pay_with_card(
    connection: Conn, settings: Settings, payment: Payment, card: Card, *, is_payer_present: bool = True
) -> Result:
    """Authorise a payment that waits for its card. The caller holds the payment's lock."""
    held = payment.with_card(card)
    return _decide(connection, settings, held, authorise(held, is_payer_present=is_payer_present))


def approve(connection: Conn, settings: Settings, payment: Payment) -> Result:
    """The payer has agreed in the bank's or the wallet's own app. The caller holds the payment's lock."""
    agreed = payment.without_card()
    return _decide(connection, settings, agreed, charge(agreed))


def finish_challenge(connection: Conn, settings: Settings, payment: Payment, *, is_passed: bool) -> Result:
    """The payer's answer to the 3-D Secure challenge. The caller holds the payment's lock."""
    if not is_passed:
        return decline(connection, settings, payment, "authentication_failed")
    return _decide(connection, settings, payment, charge(payment))


def decline(connection: Conn, settings: Settings, payment: Payment, code: str) -> Result:
    """End a payment without charging. The caller holds the payment's lock."""
    return _decide(connection, settings, payment, Outcome("declined", decline_code=code))


def end_wait(connection: Conn, settings: Settings, payment: Payment) -> Result:
    """A pending payment's money arrives, or does not. The caller holds the payment's lock."""
    return _decide(connection, settings, payment, end_of_wait(payment))


def let_go(connection: Conn, settings: Settings, payment: Payment, code: str) -> Result:
    """End an authorisation: what was captured stays, the rest is the payer's again. The caller holds the lock."""
    if payment.captured_minor:
        return settle_for_captured(connection, settings, payment)
    return _decide(connection, settings, payment, Outcome("voided", decline_code=code))


def settle_for_captured(connection: Conn, settings: Settings, payment: Payment) -> Result:
    """Nothing more will be captured of this payment. The caller holds the payment's lock."""
    return _announce(connection, settings, payment, Outcome("captured"), None)


def receive(connection: Conn, settings: Settings, payment: Payment, amount_minor: int) -> Result:
    """A payer's transfer has arrived: enough, too little or too much. The caller holds the payment's lock."""
    captures.insert_automatic(connection, payment, amount_minor)
    paid = replace(payment.without_card(), captured_minor=payment.captured_minor + amount_minor)
    is_enough = paid.captured_minor >= paid.amount_minor
    return _announce(connection, settings, paid, Outcome("captured" if is_enough else "pending"), None)


def _card_of(connection: Conn, account: str, order: Order) -> Card | None:
    if order.payment_token is not None:
        return tokens.consume(connection, account, order.payment_token)
    if order.saved_method is not None:
        kept = saved.require(connection, account, order.saved_method)
        if kept.method != order.method:
            raise InvalidFieldError("/method", f"The saved method is a {kept.method}.")
        return kept.card
    return None


def _scenario(card: Card | None, amount_minor: int) -> Scenario:
    return scenario_of(Scenario.SUCCEED if card is None else card.scenario, amount_minor)


def _decide(connection: Conn, settings: Settings, payment: Payment, outcome: Outcome) -> Result:
    is_good = outcome.status in {"authorised", "captured"}
    if is_good and payment.save_for and payment.saved_method is None and payment.scenario is not None:
        payment = replace(payment, saved_method=saved.keep(connection, payment))
    if outcome.status == "captured" and not payment.captured_minor:
        captures.insert_automatic(connection, payment, payment.amount_minor)
        payment = replace(payment, captured_minor=payment.amount_minor)
    due_in_seconds = {
        "requires_action": settings.action_seconds,
        "pending": settings.pending_seconds,
        "authorised": settings.authorisation_seconds,
    }.get(outcome.status)
    if outcome.status == "requires_action" and METHODS[payment.method].is_pushed:
        due_in_seconds = settings.transfer_seconds
    decided = _announce(connection, settings, payment, outcome, due_in_seconds).payment
    is_charge = outcome.status in {"captured", "authorised"}
    is_held = outcome.is_held or (is_charge and faults.take_timeout(connection, decided.account))
    is_lost = outcome.is_lost or (is_charge and faults.take_error(connection, decided.account))
    return Result(decided, settings.hold_seconds if is_held else 0, is_lost)


def _announce(
    connection: Conn, settings: Settings, payment: Payment, outcome: Outcome, due_in_seconds: float | None
) -> Result:
    decided = repository.apply(connection, payment, outcome, due_in_seconds)
    if outcome.status != "pending" or decided.captured_minor:
        outbox.enqueue(connection, decided.account, f"payment.{outcome.status}", decided.document(settings.base_url))
    if outcome.status == "captured" and is_disputed_later(decided):
        repository.plan_dispute(connection, decided.id, settings.dispute_seconds)
    return Result(decided)
