from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, text

from web.captures.domain import STEP, StepStatus
from web.captures.models import Capture, DueCapture, DuePayment, DueVoid, Owner, Void
from web.captures.schemas import ListCaptures
from web.db.scope import Scope
from web.http.paging import Listing, fetch

Table = Literal["captures", "voids"]

_CAPTURE = ", ".join(field.name for field in fields(Capture))
_VOID = ", ".join(field.name for field in fields(Void))
_INSERT_CAPTURE = text("""
INSERT INTO captures (id, merchant_id, livemode, payment_id, attempt_id, gateway, amount_minor, currency, is_final,
                      status, created_at, resolve_after)
VALUES (:id, :merchant_id, :livemode, :payment_id, :attempt_id, :gateway, :amount_minor, :currency, :is_final,
        'pending', :now, :resolve_after)
""")
_INSERT_VOID = text("""
INSERT INTO voids (id, merchant_id, livemode, payment_id, attempt_id, gateway, reason, status, created_at,
                   resolve_after)
VALUES (:id, :merchant_id, :livemode, :payment_id, :attempt_id, :gateway, :reason, 'pending', :now, :resolve_after)
""")
_GET_CAPTURE = text(f"SELECT {_CAPTURE} FROM captures WHERE id = :id AND livemode = :livemode")  # noqa: S608
_GET_VOID = text(f"SELECT {_VOID} FROM voids WHERE id = :id AND livemode = :livemode")  # noqa: S608
_LOCK_CAPTURE = text(f"{_GET_CAPTURE.text} FOR NO KEY UPDATE")
_LOCK_VOID = text(f"{_GET_VOID.text} FOR NO KEY UPDATE")
_SAVE = {
    table: text(f"""
UPDATE {table} SET status = :status, gateway_reference = coalesce(gateway_reference, :reference),
       failure_code = :failure_code, resolve_after = :resolve_after,
       finished_at = CASE WHEN :has_finished THEN :now ELSE finished_at END
 WHERE id = :id
""")  # noqa: S608 - one of two names
    for table in ("captures", "voids")
}
_VOIDS_OF = text("SELECT count(*) FROM voids WHERE attempt_id = :id")
_PENDING_VOID = text("SELECT EXISTS (SELECT FROM voids WHERE payment_id = :id AND status = 'pending')")
_ASK_AGAIN = text("UPDATE attempts SET resolve_after = :now WHERE id = :id AND status = 'authorised'")
_AUTHORISED = text("""
SELECT id, gateway, gateway_reference FROM attempts
 WHERE payment_id = :id AND status IN ('authorised', 'succeeded') AND capture_mode = 'manual'
 ORDER BY created_at DESC, id DESC LIMIT 1
""")
_CLAIM_CAPTURES = text("""
WITH due AS (
  SELECT id FROM captures WHERE status = 'pending' AND resolve_after <= :now AND gateway <> ALL(:shut)
   ORDER BY resolve_after LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE captures c SET resolve_after = :leased_until, resolve_count = c.resolve_count + 1
  FROM due, attempts a
 WHERE c.id = due.id AND a.id = c.attempt_id
RETURNING c.id, c.merchant_id, c.livemode, c.gateway, a.gateway_reference AS payment_reference, c.amount_minor,
          c.currency, c.is_final
""")
_CLAIM_VOIDS = text("""
WITH due AS (
  SELECT id FROM voids WHERE status = 'pending' AND resolve_after <= :now AND gateway <> ALL(:shut)
   ORDER BY resolve_after LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE voids v SET resolve_after = :leased_until, resolve_count = v.resolve_count + 1
  FROM due, attempts a
 WHERE v.id = due.id AND a.id = v.attempt_id
RETURNING v.id, v.merchant_id, v.livemode, v.gateway, a.gateway_reference AS payment_reference
""")
# Two queries, one of which each index serves. What is under way is left to end first.
_TIME_HAS_COME = text("""
SELECT p.id, p.merchant_id, p.livemode, due.is_expired
  FROM ((SELECT id, authorised_until AS at, true AS is_expired FROM payments
          WHERE capturable_minor > 0 AND authorised_until <= :now AND pending_capture_minor = 0)
        UNION ALL
        (SELECT id, capture_after, false FROM payments
          WHERE capturable_minor > 0 AND capture_after <= :now AND authorised_until > :now
            AND pending_capture_minor = 0)) AS due
  JOIN payments p ON p.id = due.id
 WHERE NOT EXISTS (SELECT FROM voids v WHERE v.payment_id = p.id AND v.status = 'pending')
 ORDER BY due.at LIMIT 1 FOR NO KEY UPDATE OF p SKIP LOCKED
""")


def insert_capture(scope: Scope, values: Mapping[str, Any]) -> None:
    """Insert a capture that is pending."""
    scope.connection.execute(_INSERT_CAPTURE, {**values, **_whose(scope)})


def insert_void(scope: Scope, values: Mapping[str, Any]) -> None:
    """Insert a void that is pending."""
    scope.connection.execute(_INSERT_VOID, {**values, **_whose(scope)})


def get_capture(scope: Scope, capture_id: str, *, is_locked: bool = False) -> Capture | None:
    """One capture of this merchant and mode."""
    row = _one(scope, _LOCK_CAPTURE if is_locked else _GET_CAPTURE, capture_id)
    return None if row is None else _capture(row)


def get_void(scope: Scope, void_id: str, *, is_locked: bool = False) -> Void | None:
    """One void of this merchant and mode."""
    row = _one(scope, _LOCK_VOID if is_locked else _GET_VOID, void_id)
    return None if row is None else Void(**{**row, "status": StepStatus(row["status"])})


def list_captures(scope: Scope, asked: ListCaptures) -> tuple[list[Capture], bool]:
    """A page of the merchant's captures, newest first, and whether there are more."""
    values = {name: str(value) for name in ("payment_id", "status") if (value := getattr(asked, name)) is not None}
    columns = ", ".join(f"t.{field.name}" for field in fields(Capture))
    return fetch(
        scope, Listing("captures", columns, [f"t.{name} = :{name}" for name in values], values), asked, _capture
    )


def save(
    scope: Scope,
    step: Capture | Void,
    status: StepStatus,
    reference: str | None,
    failure_code: str | None,
    resolve_after: datetime,
) -> None:
    """Write what an answer has taught about a capture or a void. Raises IllegalTransitionError."""
    STEP.move(step.status, status)
    scope.connection.execute(
        _SAVE["captures" if isinstance(step, Capture) else "voids"],
        {
            "id": step.id,
            "status": status.value,
            "reference": reference,
            "failure_code": failure_code,
            "resolve_after": resolve_after,
            "has_finished": status is not step.status,
            "now": scope.now,
        },
    )


def authorised_attempt(scope: Scope, payment_id: str) -> RowMapping | None:
    """Where a payment's money is set aside: `id`, `gateway`, `gateway_reference`."""
    return _one(scope, _AUTHORISED, payment_id)


def has_void(scope: Scope, attempt_id: str) -> bool:
    """Whether letting an attempt's money go was ever ordered."""
    return bool(scope.connection.execute(_VOIDS_OF, {"id": attempt_id}).scalar_one())


def has_pending_void(scope: Scope, payment_id: str) -> bool:
    """Whether a payment's money is being let go."""
    return bool(scope.connection.execute(_PENDING_VOID, {"id": payment_id}).scalar_one())


def ask_again(scope: Scope, attempt_id: str) -> None:
    """Let the resolver ask at once what became of an authorisation."""
    scope.connection.execute(_ASK_AGAIN, {"id": attempt_id, "now": scope.now})


def claim_captures(
    connection: Connection, now: datetime, lease: timedelta, limit: int, shut: Sequence[str] = ()
) -> list[DueCapture]:
    """Claim pending captures whose time has come, for one resolver: others skip them until the lease ends.

    Those at a gateway that is `shut` wait.
    """
    values = {"now": now, "leased_until": now + lease, "limit": limit, "shut": list(shut)}
    return [DueCapture(**row) for row in connection.execute(_CLAIM_CAPTURES, values).mappings()]


def claim_voids(
    connection: Connection, now: datetime, lease: timedelta, limit: int, shut: Sequence[str] = ()
) -> list[DueVoid]:
    """The same for voids."""
    values = {"now": now, "leased_until": now + lease, "limit": limit, "shut": list(shut)}
    return [DueVoid(**row) for row in connection.execute(_CLAIM_VOIDS, values).mappings()]


def lock_due_payment(connection: Connection, now: datetime) -> DuePayment | None:
    """Lock one payment that is to be captured, or let go, because its time has come; other workers skip it."""
    row = connection.execute(_TIME_HAS_COME, {"now": now}).mappings().one_or_none()
    return None if row is None else DuePayment(**row)


def whose(connection: Connection, table: Table, object_id: str) -> Owner | None:
    """Whose capture or void this is, at which gateway. The worker's role alone sees every merchant's."""
    statement = text(f"SELECT merchant_id, livemode, gateway FROM {table} WHERE id = :id")  # noqa: S608 - two names
    row = connection.execute(statement, {"id": object_id}).mappings().one_or_none()
    return None if row is None else Owner(**row)


def _whose(scope: Scope) -> dict[str, Any]:
    return {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "now": scope.now}


def _one(scope: Scope, statement: Any, object_id: str) -> RowMapping | None:
    return scope.connection.execute(statement, {"id": object_id, "livemode": scope.livemode}).mappings().one_or_none()


def _capture(row: RowMapping) -> Capture:
    return Capture(**{**row, "status": StepStatus(row["status"])})
