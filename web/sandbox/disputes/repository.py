"""Every query on disputes."""

import json
from dataclasses import fields
from datetime import datetime, timedelta

from psycopg.rows import class_row

from web.sandbox.cards.scenarios import Complaint
from web.sandbox.database import Conn
from web.sandbox.disputes.domain import Dispute, Verdict
from web.sandbox.ids import psp_reference
from web.sandbox.payments.domain import Payment

_COLUMNS = ", ".join(field.name for field in fields(Dispute))


def insert(
    connection: Conn, payment: Payment, complaint: Complaint, amount_minor: int, respond_within_seconds: float
) -> Dispute:
    """A new dispute of the payment, whose lock the caller holds; the money goes back to the payer for now."""
    within = timedelta(seconds=respond_within_seconds)
    dispute = _one(
        connection,
        "INSERT INTO disputes (id, account, payment_id, reason, network_code, amount_minor, currency, status,"  # noqa: S608 - constants only
        " evidence_due_at, due_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, 'needs_response', clock_timestamp() + %s, clock_timestamp() + %s)"
        f" RETURNING {_COLUMNS}",
        [
            psp_reference(),
            payment.account,
            payment.id,
            complaint.reason,
            complaint.network_code,
            amount_minor,
            payment.currency,
            within,
            within,
        ],
    )
    _move(connection, dispute, "chargeback")
    return dispute


def submit(connection: Conn, dispute: Dispute, evidence: dict[str, str], due_in_seconds: float | None) -> Dispute:
    """Hand evidence in; `due_in_seconds`: when the bank decides by itself."""
    due_in = None if due_in_seconds is None else timedelta(seconds=due_in_seconds)
    return _one(
        connection,
        "UPDATE disputes SET status = 'under_review', evidence = %s, submitted_at = clock_timestamp(),"  # noqa: S608 - constants only
        f" due_at = clock_timestamp() + %s::interval WHERE id = %s RETURNING {_COLUMNS}",
        [json.dumps(evidence), due_in, dispute.id],
    )


def close(connection: Conn, dispute: Dispute, verdict: Verdict) -> Dispute:
    """The bank has decided; a won dispute's money comes back to the merchant."""
    if verdict == "won":
        _move(connection, dispute, "chargeback_reversed")
    return _one(
        connection,
        "UPDATE disputes SET status = %s, closed_at = clock_timestamp(), due_at = NULL WHERE id = %s"  # noqa: S608 - constants only
        f" RETURNING {_COLUMNS}",
        [verdict, dispute.id],
    )


def find(connection: Conn, account: str, dispute_id: str, *, for_update: bool = False) -> Dispute | None:
    """One dispute of the account."""
    lock = " FOR UPDATE" if for_update else ""
    cursor = connection.cursor(row_factory=class_row(Dispute))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM disputes WHERE account = %s AND id = %s{lock}",  # noqa: S608 - constants only
        [account, dispute_id],
    ).fetchone()


def page(connection: Conn, account: str, since: datetime | None, after: str | None, limit: int) -> list[Dispute]:
    """The account's disputes opened since then, oldest first; `after` is the id of the last one of the page before."""
    cursor = connection.cursor(row_factory=class_row(Dispute))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM disputes WHERE account = %(account)s"  # noqa: S608 - constants only
        " AND (%(since)s::timestamptz IS NULL OR opened_at >= %(since)s)"
        " AND (%(after)s::text IS NULL OR (opened_at, id) > (SELECT d.opened_at, d.id FROM disputes d"
        " WHERE d.id = %(after)s AND d.account = %(account)s))"
        " ORDER BY opened_at, id LIMIT %(limit)s",
        {"account": account, "since": since, "after": after, "limit": limit},
    ).fetchall()


def disputed_minor(connection: Conn, payment_id: str) -> int:
    """How much of a payment is back with the payer because of disputes."""
    row = connection.execute(
        "SELECT coalesce(sum(amount_minor), 0)::bigint AS total FROM disputes"
        " WHERE payment_id = %s AND status <> 'won'",
        [payment_id],
    ).fetchone()
    return 0 if row is None else int(row["total"])


def take_due(connection: Conn) -> Dispute | None:
    """One dispute whose time has come, locked; those that someone else holds are left to them."""
    cursor = connection.cursor(row_factory=class_row(Dispute))
    return cursor.execute(
        f"SELECT {_COLUMNS} FROM disputes WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED"  # noqa: S608 - constants only
    ).fetchone()


def _move(connection: Conn, dispute: Dispute, kind: str) -> None:
    connection.execute(
        "INSERT INTO dispute_movements (id, account, dispute_id, payment_id, kind, amount_minor, currency)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [
            psp_reference(),
            dispute.account,
            dispute.id,
            dispute.payment_id,
            kind,
            dispute.amount_minor,
            dispute.currency,
        ],
    )


def _one(connection: Conn, query: str, values: list[object]) -> Dispute:
    dispute = connection.cursor(row_factory=class_row(Dispute)).execute(query, values).fetchone()
    if dispute is None:
        raise LookupError("the dispute is gone")
    return dispute
