from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from web.db.scope import Scope
from web.disputes.domain import DISPUTE, next_dispute_status
from web.disputes.models import Dispute, Disputed
from web.disputes.schemas import ListDisputes
from web.gateways.disputes import Dispute as Told
from web.gateways.disputes import DisputeStatus
from web.http.paging import Listing, fetch

_COLUMNS = ", ".join(field.name for field in fields(Dispute))
_GET = text(f"SELECT {_COLUMNS} FROM disputes WHERE id = :id AND livemode = :livemode")  # noqa: S608
_LOCK = text(f"{_GET.text} FOR NO KEY UPDATE")
_BY_REFERENCE = text(f"""
SELECT {_COLUMNS} FROM disputes WHERE gateway = :gateway AND gateway_reference = :reference FOR NO KEY UPDATE
""")  # noqa: S608
_INSERT = text("""
INSERT INTO disputes (id, merchant_id, livemode, payment_id, gateway, gateway_account, gateway_reference, amount_minor,
                      currency, status, reason, gateway_reason, opened_at, evidence_due_at, created_at)
VALUES (:id, :merchant_id, :livemode, :payment_id, :gateway, :gateway_account, :reference, :amount_minor, :currency,
        :status, :reason, :gateway_reason, :opened_at, :evidence_due_at, :now)
""")
_SAVE = text("""
UPDATE disputes SET status = :status, taken_count = :taken_count,
       evidence_due_at = coalesce(:evidence_due_at, evidence_due_at),
       contested_at = CASE WHEN :is_contested THEN coalesce(contested_at, :now) ELSE contested_at END,
       closed_at = CASE WHEN :is_closed THEN :now ELSE closed_at END
 WHERE id = :id
""")
_KEEP_KINDS = text("UPDATE disputes SET evidence_kinds = :kinds WHERE id = :id")
_MOVE_DISPUTED = text("UPDATE payments SET disputed_minor = disputed_minor + :moved WHERE id = :id")
_DISPUTED = text("""
SELECT p.id AS payment_id, a.id AS attempt_id, a.merchant_id, p.livemode, a.gateway, a.gateway_account
  FROM attempts a JOIN payments p ON p.id = a.payment_id
 WHERE a.gateway = :gateway AND (a.id = :attempt_id OR a.gateway_reference = :reference)
 ORDER BY a.id = :attempt_id DESC LIMIT 1
""")


def get(scope: Scope, dispute_id: str, *, is_locked: bool = False) -> Dispute | None:
    """One dispute of this merchant and mode."""
    values = {"id": dispute_id, "livemode": scope.livemode}
    row = scope.connection.execute(_LOCK if is_locked else _GET, values).mappings().one_or_none()
    return None if row is None else _dispute(row)


def by_reference(scope: Scope, gateway: str, reference: str) -> Dispute | None:
    """The dispute that a gateway calls so, locked; its payment is locked already."""
    values = {"gateway": gateway, "reference": reference}
    row = scope.connection.execute(_BY_REFERENCE, values).mappings().one_or_none()
    return None if row is None else _dispute(row)


def page(scope: Scope, asked: ListDisputes) -> tuple[list[Dispute], bool]:
    """A page of the merchant's disputes, newest first, and whether there are more."""
    values = {name: str(value) for name in ("payment_id", "status") if (value := getattr(asked, name)) is not None}
    columns = ", ".join(f"t.{field.name}" for field in fields(Dispute))
    listing = Listing("disputes", columns, [f"t.{name} = :{name}" for name in values], values)
    return fetch(scope, listing, asked, _dispute)


def insert(scope: Scope, dispute_id: str, of: Disputed, told: Told) -> None:
    """Insert a dispute as it was told, before any of its money has moved."""
    values: dict[str, Any] = {
        "id": dispute_id,
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "payment_id": of.payment_id,
        "gateway": of.gateway,
        "gateway_account": of.gateway_account,
        "reference": told.gateway_reference,
        "amount_minor": told.amount.amount_minor,
        "currency": told.amount.currency,
        "status": told.status.value,
        "reason": told.reason.value,
        "gateway_reason": told.gateway_reason,
        "opened_at": told.opened_at,
        "evidence_due_at": told.evidence_due_at,
        "now": scope.now,
    }
    scope.connection.execute(_INSERT, values)


def save(scope: Scope, dispute: Dispute, was: DisputeStatus | None, told: Told, taken_count: int) -> None:
    """Write where a dispute stands now; `was` is None for a new one. Raises IllegalTransitionError."""
    status = told.status if was is None else next_dispute_status(was, told.status)
    DISPUTE.move(dispute.status, status)
    values: dict[str, Any] = {
        "id": dispute.id,
        "status": status.value,
        "taken_count": taken_count,
        "evidence_due_at": told.evidence_due_at,
        "is_contested": status is DisputeStatus.UNDER_REVIEW,
        "is_closed": status in {DisputeStatus.WON, DisputeStatus.LOST} and status is not was,
        "now": scope.now,
    }
    scope.connection.execute(_SAVE, values)


def keep_kinds(scope: Scope, dispute_id: str, kinds: Sequence[str]) -> None:
    """Note which kinds of evidence were handed in. What they said is the gateway's alone."""
    scope.connection.execute(_KEEP_KINDS, {"id": dispute_id, "kinds": list(kinds)})


def move_disputed(scope: Scope, payment_id: str, moved_minor: int) -> None:
    """Change how much of a payment is disputed, under its lock."""
    scope.connection.execute(_MOVE_DISPUTED, {"id": payment_id, "moved": moved_minor})


def disputed(connection: Connection, gateway: str, attempt_id: str | None, reference: str) -> Disputed | None:
    """What a gateway's dispute is about. The worker's role alone sees every merchant's."""
    values = {"gateway": gateway, "attempt_id": attempt_id or "", "reference": reference}
    row = connection.execute(_DISPUTED, values).mappings().one_or_none()
    return None if row is None else Disputed(**row)


def _dispute(row: RowMapping) -> Dispute:
    return Dispute(**{**row, "status": DisputeStatus(row["status"])})
