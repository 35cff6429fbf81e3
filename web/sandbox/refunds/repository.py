"""Every query on refunds."""

from datetime import timedelta

from psycopg.rows import class_row

from web.sandbox.database import Conn
from web.sandbox.ids import psp_reference
from web.sandbox.payments.domain import Payment
from web.sandbox.refunds.domain import Outcome, Refund

_COLUMNS = (
    "id, account, payment_id, reference, amount_minor, currency, status, failure_code, created_at, due_at, succeeded_at"
)


def insert(
    connection: Conn,
    payment: Payment,
    *,
    reference: str,
    amount_minor: int,
    currency: str,
    outcome: Outcome,
    due_in_seconds: float,
) -> Refund:
    """A new refund of the payment, whose lock the caller holds."""
    due_in = timedelta(seconds=due_in_seconds) if outcome.status == "pending" else None
    refund = (
        connection.cursor(row_factory=class_row(Refund))
        .execute(
            "INSERT INTO refunds"  # noqa: S608 - constants only
            " (id, account, payment_id, reference, amount_minor, currency, status, failure_code, due_at, succeeded_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp() + %s::interval,"
            " CASE WHEN %s THEN clock_timestamp() END)"
            f" RETURNING {_COLUMNS}",
            [
                psp_reference(),
                payment.account,
                payment.id,
                reference,
                amount_minor,
                currency,
                outcome.status,
                outcome.failure_code,
                due_in,
                outcome.status == "succeeded",
            ],
        )
        .fetchone()
    )
    if refund is None:
        raise LookupError("the refund is gone")
    return refund


def finish(connection: Conn, refund: Refund, outcome: Outcome) -> Refund:
    """Store how a pending refund ended."""
    finished = (
        connection.cursor(row_factory=class_row(Refund))
        .execute(
            "UPDATE refunds"  # noqa: S608 - constants only
            " SET status = %s, failure_code = %s, due_at = NULL,"
            f" succeeded_at = CASE WHEN %s THEN clock_timestamp() END WHERE id = %s RETURNING {_COLUMNS}",
            [outcome.status, outcome.failure_code, outcome.status == "succeeded", refund.id],
        )
        .fetchone()
    )
    if finished is None:
        raise LookupError("the refund is gone")
    return finished


def refunded_minor(connection: Conn, payment_id: str) -> int:
    """What has gone back already, or is on its way."""
    row = connection.execute(
        "SELECT coalesce(sum(amount_minor), 0)::bigint AS total FROM refunds"
        " WHERE payment_id = %s AND status <> 'failed'",
        [payment_id],
    ).fetchone()
    return 0 if row is None else int(row["total"])


def find(connection: Conn, account: str, refund_id: str) -> Refund | None:
    """One refund of the account."""
    cursor = connection.cursor(row_factory=class_row(Refund))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM refunds WHERE account = %s AND id = %s",  # noqa: S608 - constants only
        [account, refund_id],
    ).fetchone()


def find_by_reference(connection: Conn, account: str, reference: str) -> list[Refund]:
    """All refunds under a merchant's reference, oldest first."""
    cursor = connection.cursor(row_factory=class_row(Refund))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM refunds WHERE account = %s AND reference = %s ORDER BY created_at, id",  # noqa: S608
        [account, reference],
    ).fetchall()


def take_due(connection: Conn) -> Refund | None:
    """One pending refund whose time has come, locked; refunds that someone else holds are left to them."""
    cursor = connection.cursor(row_factory=class_row(Refund))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM refunds WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED"  # noqa: S608
    ).fetchone()
