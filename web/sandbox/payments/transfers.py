"""What payers push: transfers that arrive at once or by and by, of whatever amount they like."""

from datetime import timedelta
from typing import Any

from web.sandbox.database import Conn
from web.sandbox.edge.problems import InvalidFieldError, NotFoundError
from web.sandbox.ids import psp_reference
from web.sandbox.payments import repository, service
from web.sandbox.payments.domain import METHODS, Payment
from web.sandbox.settings import Settings


def send(connection: Conn, settings: Settings, payment: Payment, amount_minor: int) -> None:
    """The payer sends money; the caller holds the payment's lock. Raises InvalidFieldError."""
    method = METHODS[payment.method]
    if not method.is_pushed:
        raise InvalidFieldError("/payment_id", f"Nobody can push money to a payment by {payment.method}.")
    if amount_minor < 1:
        raise InvalidFieldError("/amount_minor", "Give at least one minor unit.")
    wait = timedelta(seconds=settings.pending_seconds if method.settles_later else 0)
    connection.execute(
        "INSERT INTO transfers (id, account, payment_id, amount_minor, due_at) VALUES (%s, %s, %s, %s, now() + %s)",
        [psp_reference(), payment.account, payment.id, amount_minor, wait],
    )


def send_to(
    connection: Conn, settings: Settings, account: str, payment_id: str, amount_minor: int | None
) -> dict[str, Any]:
    """The same for one payment of an account, all of it unless an amount is given. Raises NotFoundError."""
    payment = repository.find(connection, account, payment_id, for_update=True)
    if payment is None:
        raise NotFoundError("payment")
    send(connection, settings, payment, payment.amount_minor if amount_minor is None else amount_minor)
    return payment.document(settings.base_url)


def arrive(connection: Conn, settings: Settings) -> bool:
    """Let one transfer arrive whose time has come; False when there is none."""
    row = connection.execute(
        "SELECT id, account, payment_id, amount_minor FROM transfers WHERE due_at <= now()"
        " ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    ).fetchone()
    if row is None:
        return False
    connection.execute("UPDATE transfers SET due_at = NULL WHERE id = %s", [row["id"]])
    payment = repository.find(connection, row["account"], row["payment_id"], for_update=True)
    if payment is None:
        raise LookupError("the payment is gone")
    service.receive(connection, settings, payment, row["amount_minor"])
    return True
