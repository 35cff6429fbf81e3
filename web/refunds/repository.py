from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from web.db.scope import Scope
from web.http.paging import Listing, fetch
from web.refunds.domain import REFUND, RefundStatus
from web.refunds.models import DueRefund, Owner, Refund
from web.refunds.schemas import ListRefunds

_COLUMNS = ", ".join(f"r.{field.name}" for field in fields(Refund))

_GET = text(f"SELECT {_COLUMNS} FROM refunds r WHERE r.id = :id AND r.livemode = :livemode")  # noqa: S608
_LOCK = text(f"SELECT {_COLUMNS} FROM refunds r WHERE r.id = :id FOR NO KEY UPDATE")  # noqa: S608
_PAYMENT_OF = text("SELECT payment_id FROM refunds WHERE id = :id")
_CAPTURE_OF = text("""
SELECT gateway, gateway_account, gateway_reference FROM attempts
 WHERE payment_id = :id AND status = 'succeeded' ORDER BY finished_at LIMIT 1
""")
_INSERT = text("""
INSERT INTO refunds (id, merchant_id, livemode, payment_id, gateway, amount_minor, currency, reason, status, created_at,
                     resolve_after)
VALUES (:id, :merchant_id, :livemode, :payment_id, :gateway, :amount_minor, :currency, :reason, 'pending', :now,
        :resolve_after)
""")
_SAVE = text("""
UPDATE refunds SET status = :status, gateway_reference = coalesce(gateway_reference, :reference),
       failure_code = :failure_code, resolve_after = :resolve_after,
       finished_at = CASE WHEN :has_finished THEN :now ELSE finished_at END
 WHERE id = :id
""")
_MOVE_BALANCE = text("""
UPDATE payments SET pending_refund_minor = pending_refund_minor + :pending, refunded_minor = refunded_minor + :refunded
 WHERE id = :id
""")
_CLAIM_DUE = text("""
WITH due AS (
  SELECT id FROM refunds WHERE status = 'pending' AND resolve_after <= :now AND gateway <> ALL(:shut)
   ORDER BY resolve_after LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE refunds r SET resolve_after = :leased_until, resolve_count = r.resolve_count + 1
  FROM due, attempts a
 WHERE r.id = due.id AND a.payment_id = r.payment_id AND a.status = 'succeeded' AND a.gateway = r.gateway
RETURNING r.id, r.merchant_id, r.livemode, r.gateway, a.gateway_reference AS payment_reference, r.amount_minor,
          r.currency
""")
_WHOSE = text("SELECT merchant_id, livemode, gateway FROM refunds WHERE id = :id")


def get(scope: Scope, refund_id: str) -> Refund | None:
    """One refund of this merchant and mode."""
    row = scope.connection.execute(_GET, {"id": refund_id, "livemode": scope.livemode}).mappings().one_or_none()
    return None if row is None else _refund(row)


def list_refunds(scope: Scope, asked: ListRefunds) -> tuple[list[Refund], bool]:
    """A page of the merchant's refunds, newest first, and whether there are more."""
    values = {name: str(value) for name in ("payment_id", "status") if (value := getattr(asked, name)) is not None}
    columns = ", ".join(f"t.{field.name}" for field in fields(Refund))
    listing = Listing("refunds", columns, [f"t.{name} = :{name}" for name in values], values)
    return fetch(scope, listing, asked, _refund)


def payment_of(scope: Scope, refund_id: str) -> str | None:
    """Which payment a refund belongs to, so that its lock can be taken first."""
    found: str | None = scope.connection.execute(_PAYMENT_OF, {"id": refund_id}).scalar_one_or_none()
    return found


def lock(scope: Scope, refund_id: str) -> Refund:
    """One refund, locked until the transaction ends; its payment is locked already."""
    return _refund(scope.connection.execute(_LOCK, {"id": refund_id}).mappings().one())


def capture_of(scope: Scope, payment_id: str) -> RowMapping:
    """Where a payment's money was captured: `gateway`, `gateway_account`, `gateway_reference`."""
    return scope.connection.execute(_CAPTURE_OF, {"id": payment_id}).mappings().one()


def insert(scope: Scope, values: Mapping[str, Any]) -> None:
    """Insert a refund that is pending."""
    scope.connection.execute(
        _INSERT, {**values, "merchant_id": scope.merchant_id, "livemode": scope.livemode, "now": scope.now}
    )


def save(
    scope: Scope,
    refund: Refund,
    status: RefundStatus,
    reference: str | None,
    failure_code: str | None,
    resolve_after: datetime,
) -> None:
    """Write what an answer has taught about a refund. Raises IllegalTransitionError."""
    REFUND.move(refund.status, status)
    scope.connection.execute(
        _SAVE,
        {
            "id": refund.id,
            "status": status.value,
            "reference": reference,
            "failure_code": failure_code,
            "resolve_after": resolve_after,
            "has_finished": status is not refund.status,
            "now": scope.now,
        },
    )


def move_balance(scope: Scope, payment_id: str, *, pending: int = 0, refunded: int = 0) -> None:
    """Change a payment's pending and refunded sums under its lock; the table refuses more than was captured."""
    scope.connection.execute(_MOVE_BALANCE, {"id": payment_id, "pending": pending, "refunded": refunded})


def claim_due(
    connection: Connection, now: datetime, lease: timedelta, limit: int, shut: Sequence[str] = ()
) -> list[DueRefund]:
    """Claim pending refunds whose time has come, for one resolver: others skip them until the lease ends.

    Those at a gateway that is `shut` wait.
    """
    values = {"now": now, "leased_until": now + lease, "limit": limit, "shut": list(shut)}
    rows = connection.execute(_CLAIM_DUE, values).mappings()
    return [DueRefund(**row) for row in rows]


def whose(connection: Connection, refund_id: str) -> Owner | None:
    """Whose refund this is, at which gateway. The worker's role alone sees every merchant's."""
    row = connection.execute(_WHOSE, {"id": refund_id}).mappings().one_or_none()
    return None if row is None else Owner(**row)


def _refund(row: RowMapping) -> Refund:
    return Refund(**{**row, "status": RefundStatus(row["status"])})
