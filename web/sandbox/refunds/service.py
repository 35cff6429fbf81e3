"""Refunding: never more than was captured, decided under the payment's lock."""

from web.sandbox.database import Conn
from web.sandbox.disputes import repository as disputes
from web.sandbox.edge.problems import NotFoundError
from web.sandbox.payments import repository as payments
from web.sandbox.refunds import repository
from web.sandbox.refunds.domain import Refund, decide
from web.sandbox.refunds.domain import finish as ending_of
from web.sandbox.settings import Settings
from web.sandbox.webhooks import outbox


def create(
    connection: Conn,
    settings: Settings,
    account: str,
    payment_id: str,
    *,
    reference: str,
    amount_minor: int,
    currency: str,
) -> Refund:
    """Refund a payment, wholly or in part. A refusal is a refund that failed. Raises NotFoundError."""
    payment = payments.find(connection, account, payment_id, for_update=True)
    if payment is None:
        raise NotFoundError("payment")
    gone_minor = repository.refunded_minor(connection, payment_id) + disputes.disputed_minor(connection, payment_id)
    outcome = decide(payment, gone_minor, amount_minor, currency)
    refund = repository.insert(
        connection,
        payment,
        reference=reference,
        amount_minor=amount_minor,
        currency=currency,
        outcome=outcome,
        due_in_seconds=settings.pending_seconds,
    )
    _announce(connection, refund)
    return refund


def finish_pending(connection: Conn, refund: Refund) -> Refund:
    """End a pending refund whose time has come. The caller holds the refund's lock."""
    payment = payments.find(connection, refund.account, refund.payment_id)
    if payment is None:
        raise NotFoundError("payment")
    finished = repository.finish(connection, refund, ending_of(payment))
    _announce(connection, finished)
    return finished


def _announce(connection: Conn, refund: Refund) -> None:
    if refund.status != "pending":
        outbox.enqueue(connection, refund.account, f"refund.{refund.status}", refund.document())
