"""What payments and refunds book. A superseded payment's money is owed to its payer from the start."""

from regions.money import Money
from web import ledger
from web.db.scope import Scope
from web.ledger.domain import MERCHANT_PAYABLE_PENDING, gateway_clearing
from web.payments.domain import PaymentStatus
from web.payments.models import Payment

PAYER_REFUNDABLE = "payer_refundable"


def post_capture(scope: Scope, payment: Payment, gateway: str, amount: Money, capture_id: str | None = None) -> None:
    """Book captured money: the gateway holds it, we owe it to the merchant, or to the payer if it has to go back.

    What is captured at once is booked as the payment, what we asked for as that capture.
    """
    kind, source_id = ("payment", payment.id) if capture_id is None else ("capture", capture_id)
    held, owed = gateway_clearing(gateway), owed_account(payment)
    ledger.post_journal(scope, _transfer(kind, source_id, scope, held, owed, amount))


def owed_account(payment: Payment) -> str:
    """Whom a payment's money is owed to: its merchant, or its payer if it has to go back."""
    return PAYER_REFUNDABLE if payment.status is PaymentStatus.SUPERSEDED else MERCHANT_PAYABLE_PENDING


def post_refund(scope: Scope, payment: Payment, gateway: str, refund_id: str, amount: Money) -> None:
    """Book money given back: the capture's booking, the other way round."""
    if payment.status is PaymentStatus.SUPERSEDED:
        journal = _transfer("refund", refund_id, scope, PAYER_REFUNDABLE, gateway_clearing(gateway), amount)
    else:
        journal = ledger.refund_journal(refund_id, gateway, amount, scope.now)
    ledger.post_journal(scope, journal)


def _transfer(kind: str, source_id: str, scope: Scope, debit: str, credit: str, amount: Money) -> ledger.Journal:
    entries = (ledger.Entry(debit, amount), ledger.Entry(credit, -amount))
    return ledger.Journal(kind, source_id, scope.now, entries)
