"""Every query on captures and voids."""

from dataclasses import fields

from psycopg.rows import class_row

from web.sandbox.captures.domain import Capture, Void
from web.sandbox.database import Conn
from web.sandbox.ids import psp_reference
from web.sandbox.payments.domain import Payment

_CAPTURE = ", ".join(field.name for field in fields(Capture))
_VOID = ", ".join(field.name for field in fields(Void))


def insert_automatic(connection: Conn, payment: Payment, amount_minor: int) -> Capture:
    """Money that nobody had to ask for: an automatic capture, or a payer's transfer."""
    return insert(connection, payment, None, amount_minor, payment.currency, failure_code=None, is_final=True)


def insert(
    connection: Conn,
    payment: Payment,
    reference: str | None,
    amount_minor: int,
    currency: str,
    *,
    failure_code: str | None,
    is_final: bool,
) -> Capture:
    """A new capture of the payment, whose lock the caller holds."""
    is_good = failure_code is None
    capture = (
        connection.cursor(row_factory=class_row(Capture))
        .execute(
            "INSERT INTO captures (id, account, payment_id, reference, amount_minor, currency, status, failure_code,"  # noqa: S608 - constants only
            " is_final, captured_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s,"
            f" CASE WHEN %s THEN clock_timestamp() END) RETURNING {_CAPTURE}",
            [
                psp_reference(),
                payment.account,
                payment.id,
                reference,
                amount_minor,
                currency,
                "succeeded" if is_good else "failed",
                failure_code,
                is_final,
                is_good,
            ],
        )
        .fetchone()
    )
    if capture is None:
        raise LookupError("the capture is gone")
    return capture


def insert_void(connection: Conn, payment: Payment, reference: str, failure_code: str | None) -> Void:
    """A new void of the payment, whose lock the caller holds."""
    status = "succeeded" if failure_code is None else "failed"
    void = (
        connection.cursor(row_factory=class_row(Void))
        .execute(
            "INSERT INTO voids (id, account, payment_id, reference, status, failure_code)"  # noqa: S608 - constants only
            f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_VOID}",
            [psp_reference(), payment.account, payment.id, reference, status, failure_code],
        )
        .fetchone()
    )
    if void is None:
        raise LookupError("the void is gone")
    return void


def captures_by_reference(connection: Conn, account: str, reference: str) -> list[Capture]:
    """All captures under a merchant's reference, oldest first."""
    cursor = connection.cursor(row_factory=class_row(Capture))
    return cursor.execute(
        f"SELECT {_CAPTURE} FROM captures WHERE account = %s AND reference = %s ORDER BY created_at, id",  # noqa: S608 - constants only
        [account, reference],
    ).fetchall()


def voids_by_reference(connection: Conn, account: str, reference: str) -> list[Void]:
    """All voids under a merchant's reference, oldest first."""
    cursor = connection.cursor(row_factory=class_row(Void))
    return cursor.execute(
        f"SELECT {_VOID} FROM voids WHERE account = %s AND reference = %s ORDER BY created_at, id",  # noqa: S608 - constants only
        [account, reference],
    ).fetchall()
