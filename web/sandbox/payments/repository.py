"""Every query on payments."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

from psycopg.rows import class_row

from web.sandbox.database import Conn
from web.sandbox.ids import psp_reference, secret_id
from web.sandbox.payments.domain import ActionKind, CaptureMode, MethodName, Outcome, Payment, ThreeDs

_COLUMNS = ", ".join(field.name for field in fields(Payment))


def insert_awaiting(
    connection: Conn,
    *,
    account: str,
    reference: str,
    amount_minor: int,
    currency: str,
    method: MethodName,
    three_ds: ThreeDs,
    capture_mode: CaptureMode,
    return_url: str | None,
    action_kind: ActionKind,
    saved_method: str | None = None,
    save_for: str | None = None,
) -> Payment:
    """A new payment that nothing has been decided about yet."""
    values = {
        "id": psp_reference(),
        "account": account,
        "reference": reference,
        "amount_minor": amount_minor,
        "currency": currency,
        "method": method,
        "three_ds": three_ds,
        "capture_mode": capture_mode,
        "return_url": return_url,
        "action_kind": action_kind,
        "action_id": secret_id(),
        "saved_method": saved_method,
        "save_for": save_for,
        "status": "requires_action",
    }
    return _one(
        connection,
        f"INSERT INTO payments ({', '.join(values)})"  # noqa: S608 - constants only
        f" VALUES ({', '.join(f'%({name})s' for name in values)}) RETURNING {_COLUMNS}",
        values,
    )


def apply(connection: Conn, payment: Payment, outcome: Outcome, due_in_seconds: float | None) -> Payment:
    """Store an outcome and the card that led to it. `due_in_seconds`: when the clock moves the payment on."""
    return _one(
        connection,
        "UPDATE payments"  # noqa: S608 - constants only
        " SET status = %(status)s, decline_code = %(decline_code)s,"
        " action_kind = coalesce(%(action_kind)s, action_kind),"
        " scenario = %(scenario)s, brand = %(brand)s, last4 = %(last4)s, fingerprint = %(fingerprint)s,"
        " saved_method = %(saved_method)s, captured_minor = %(captured_minor)s,"
        " authorised_at = CASE WHEN %(is_good)s THEN coalesce(authorised_at, clock_timestamp()) ELSE authorised_at END,"
        " captured_at = CASE WHEN %(status)s = 'captured' THEN coalesce(captured_at, clock_timestamp()) END,"
        " due_at = clock_timestamp() + %(due_in)s::interval"
        f" WHERE id = %(id)s RETURNING {_COLUMNS}",
        {
            "status": outcome.status,
            "decline_code": outcome.decline_code,
            "action_kind": outcome.action_kind,
            "scenario": payment.scenario,
            "brand": payment.brand,
            "last4": payment.last4,
            "fingerprint": payment.fingerprint,
            "saved_method": payment.saved_method,
            "captured_minor": payment.captured_minor,
            "is_good": outcome.status in {"authorised", "captured"},
            "due_in": None if due_in_seconds is None else timedelta(seconds=due_in_seconds),
            "id": payment.id,
        },
    )


def add_captured(connection: Conn, payment_id: str, amount_minor: int) -> None:
    """A part of what was set aside has been taken, and more may follow."""
    connection.execute(
        "UPDATE payments SET captured_minor = captured_minor + %s WHERE id = %s", [amount_minor, payment_id]
    )


def plan_dispute(connection: Conn, payment_id: str, in_seconds: float) -> None:
    """The payer will complain after so long."""
    connection.execute(
        "UPDATE payments SET dispute_due_at = clock_timestamp() + %s WHERE id = %s",
        [timedelta(seconds=in_seconds), payment_id],
    )


def take_to_dispute(connection: Conn) -> Payment | None:
    """One payment whose payer complains now, locked, and no more to be disputed by the clock."""
    cursor = connection.cursor(row_factory=class_row(Payment))
    return cursor.execute(
        "UPDATE payments SET dispute_due_at = NULL WHERE id = (SELECT id FROM payments"  # noqa: S608 - constants only
        " WHERE dispute_due_at <= now() AND captured_minor > 0 ORDER BY dispute_due_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
        f" RETURNING {_COLUMNS}"
    ).fetchone()


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


def _one(connection: Conn, query: str, values: dict[str, Any]) -> Payment:
    payment = connection.cursor(row_factory=class_row(Payment)).execute(query, values).fetchone()
    if payment is None:
        raise LookupError("the payment is gone")
    return payment
