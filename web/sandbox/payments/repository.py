"""Every query on payments."""

from datetime import timedelta
from typing import Any

from psycopg.rows import class_row

from web.sandbox.database import Conn
from web.sandbox.ids import psp_reference, secret_id
from web.sandbox.payments.domain import ActionKind, Outcome, Payment, ThreeDs

_COLUMNS = (
    "id, account, reference, amount_minor, currency, status, decline_code, three_ds, return_url, action_kind,"
    " action_id, scenario, brand, last4, fingerprint, capture_reference, created_at, due_at, captured_at, batch_id"
)


def insert_awaiting(
    connection: Conn,
    *,
    account: str,
    reference: str,
    amount_minor: int,
    currency: str,
    three_ds: ThreeDs,
    return_url: str | None,
    action_kind: ActionKind,
) -> Payment:
    """A new payment that nothing has been decided about yet."""
    values = [
        psp_reference(),
        account,
        reference,
        amount_minor,
        currency,
        three_ds,
        return_url,
        action_kind,
        secret_id(),
    ]
    return _one(
        connection,
        "INSERT INTO payments"  # noqa: S608 - constants only
        " (id, account, reference, amount_minor, currency, three_ds, return_url, action_kind, action_id, status)"
        f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'requires_action') RETURNING {_COLUMNS}",
        values,
    )


def apply(connection: Conn, payment: Payment, outcome: Outcome, due_in_seconds: float | None) -> Payment:
    """Store an outcome and the card that led to it. `due_in_seconds`: when the clock moves the payment on."""
    is_captured = outcome.status == "captured"
    return _one(
        connection,
        "UPDATE payments"  # noqa: S608 - constants only
        " SET status = %s, decline_code = %s, action_kind = coalesce(%s, action_kind),"
        " scenario = %s, brand = %s, last4 = %s, fingerprint = %s,"
        " capture_reference = %s, captured_at = CASE WHEN %s THEN clock_timestamp() END,"
        " due_at = clock_timestamp() + %s::interval"
        f" WHERE id = %s RETURNING {_COLUMNS}",
        [
            outcome.status,
            outcome.decline_code,
            outcome.action_kind,
            payment.scenario,
            payment.brand,
            payment.last4,
            payment.fingerprint,
            psp_reference() if is_captured else None,
            is_captured,
            None if due_in_seconds is None else timedelta(seconds=due_in_seconds),
            payment.id,
        ],
    )


def find(connection: Conn, account: str, payment_id: str, *, for_update: bool = False) -> Payment | None:
    """One payment of the account."""
    lock = " FOR UPDATE" if for_update else ""
    cursor = connection.cursor(row_factory=class_row(Payment))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM payments WHERE account = %s AND id = %s{lock}",  # noqa: S608 - constants only
        [account, payment_id],
    ).fetchone()


def find_by_reference(connection: Conn, account: str, reference: str) -> list[Payment]:
    """All payments under a merchant's reference, oldest first."""
    cursor = connection.cursor(row_factory=class_row(Payment))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM payments WHERE account = %s AND reference = %s ORDER BY created_at, id",  # noqa: S608
        [account, reference],
    ).fetchall()


def find_by_action(connection: Conn, action_id: str, *, for_update: bool = False) -> Payment | None:
    """The payment behind the unguessable part of an action's URL."""
    lock = " FOR UPDATE" if for_update else ""
    cursor = connection.cursor(row_factory=class_row(Payment))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM payments WHERE action_id = %s{lock}",  # noqa: S608 - constants only
        [action_id],
    ).fetchone()


def take_due(connection: Conn) -> Payment | None:
    """One payment whose time has come, locked; payments that someone else holds are left to them."""
    cursor = connection.cursor(row_factory=class_row(Payment))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM payments WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED"  # noqa: S608
    ).fetchone()


def _one(connection: Conn, query: str, values: list[Any]) -> Payment:
    payment = connection.cursor(row_factory=class_row(Payment)).execute(query, values).fetchone()
    if payment is None:
        raise LookupError("the payment is gone")
    return payment
