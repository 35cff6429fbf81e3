from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, TextClause, text

from regions.vault import SealedJson
from web.db.scope import Scope
from web.gateways.domain import Answer, CaptureMode, Fact
from web.http.paging import Listing, fetch
from web.payments import slots
from web.payments.domain import ATTEMPT, PAYMENT, AttemptStatus, PaymentStatus
from web.payments.models import Attempt, DueAttempt, Payment, Standing
from web.payments.schemas import ListPayments

_PAYMENT = ", ".join(f"p.{field.name}" for field in fields(Payment))
_ATTEMPT = ", ".join(f"a.{field.name}" for field in fields(Attempt))

_INSERT_PAYMENT = text("""
INSERT INTO payments (id, merchant_id, livemode, link_id, session_id, amount_minor, currency, status, failure_code,
                      created_at, failed_at)
VALUES (:id, :merchant_id, :livemode, :link_id, :session_id, :amount_minor, :currency, :status, :failure_code,
        :now, CAST(:failed_at AS timestamptz))
""")
_INSERT_ATTEMPT = text("""
INSERT INTO attempts (id, merchant_id, payment_id, gateway, gateway_account, method, payment_token, capture_mode,
                      authorisation_seconds, amount_minor, currency, status, created_at, resolve_after, routing)
VALUES (:id, :merchant_id, :payment_id, :gateway, :gateway_account, :method, :payment_token, :capture_mode,
        :authorisation_seconds, :amount_minor, :currency, 'submitted', :now, :resolve_after, CAST(:routing AS jsonb))
""")
_GET_PAYMENT = text(f"SELECT {_PAYMENT} FROM payments p WHERE p.id = :id AND p.livemode = :livemode")  # noqa: S608
_LOCK_PAYMENT = text(f"{_GET_PAYMENT.text} FOR NO KEY UPDATE")
_GET_ATTEMPT = text(f"SELECT {_ATTEMPT} FROM attempts a WHERE a.id = :id")  # noqa: S608
_LOCK_ATTEMPT = text(f"{_GET_ATTEMPT.text} FOR NO KEY UPDATE")
_LATEST_ATTEMPT = text(f"""
SELECT {_ATTEMPT} FROM attempts a WHERE a.payment_id = :id ORDER BY a.created_at DESC, a.id DESC LIMIT 1
""")  # noqa: S608
_REFERENCES = text("SELECT id, reference FROM links WHERE id = ANY (:ids)")
_TRAIL = text("""
SELECT id, gateway, gateway_account, gateway_reference, method, status, decline_code, routing, created_at, finished_at
  FROM attempts WHERE payment_id = :id ORDER BY created_at, id
""")
_LATEST_ID = text("SELECT id FROM attempts WHERE payment_id = :id ORDER BY created_at DESC, id DESC LIMIT 1")
_LATEST_ATTEMPTS = text(f"""
SELECT DISTINCT ON (a.payment_id) {_ATTEMPT} FROM attempts a WHERE a.payment_id = ANY (:ids)
 ORDER BY a.payment_id, a.created_at DESC, a.id DESC
""")  # noqa: S608
_PAYMENT_OF_SESSION = text(f"""
SELECT {_PAYMENT} FROM payments p WHERE p.session_id = :id
 ORDER BY p.status = 'succeeded' DESC, p.status IN ('processing', 'requires_action', 'authorised') DESC,
          p.created_at DESC, p.id DESC
 LIMIT 1
""")  # noqa: S608
_WHERE = text("""
SELECT p.id AS payment_id, p.link_id, p.session_id, p.livemode,
       CASE l.usage WHEN 'single' THEN 1 ELSE l.max_payments END AS capacity
  FROM attempts a JOIN payments p ON p.id = a.payment_id JOIN links l ON l.id = p.link_id
 WHERE a.id = :id
""")
_LINK = text("""
SELECT status, expires_at, CASE usage WHEN 'single' THEN 1 ELSE max_payments END AS capacity,
       CAST(terms ->> 'capture_after_hours' AS integer) AS capture_after_hours, terms -> 'splits' AS splits,
       EXISTS (SELECT FROM renewal_periods x WHERE x.link_id = links.id) AS is_renewal
  FROM links WHERE id = :id
""")
_LOCK_LINK = text(f"{_LINK.text} FOR NO KEY UPDATE")
_LOCK_SESSION = text("SELECT status FROM checkout_sessions WHERE id = :id FOR NO KEY UPDATE")
_SESSION_WINNER = text("SELECT id FROM payments WHERE session_id = :id AND status = 'succeeded' LIMIT 1")
_SAVE_ATTEMPT = text("""
UPDATE attempts
   SET status = :status, gateway_reference = CASE WHEN :has_money THEN coalesce(:reference, gateway_reference)
                                                    ELSE coalesce(gateway_reference, :reference) END,
       action_url = CASE WHEN NOT :is_decided_there THEN coalesce(:action_url, action_url) END,
       decline_code = coalesce(:decline_code, decline_code),
       card_token = coalesce(:card_token, card_token), card_brand = coalesce(:card_brand, card_brand),
       card_last4 = coalesce(:card_last4, card_last4), resolve_after = :resolve_after,
       finished_at = CASE WHEN :has_finished THEN :now ELSE finished_at END,
       sealed_order = CASE WHEN :has_finished THEN NULL ELSE sealed_order END
 WHERE id = :id
""")
_SAVE_PAYMENT = text("""
UPDATE payments
   SET status = :status, failure_code = :failure_code, capturable_minor = :capturable_minor,
       pending_capture_minor = :pending_capture_minor, captured_minor = :captured_minor, is_late = :is_late,
       authorised_at = :authorised_at, authorised_until = :authorised_until, capture_after = :capture_after,
       released_at = :released_at, succeeded_at = :succeeded_at, failed_at = :failed_at
 WHERE id = :id
""")
_PAYER = text("SELECT subject_id, payer FROM checkout_sessions WHERE id = :id AND payer IS NOT NULL")
_GIVE = text("UPDATE attempts SET payment_id = :payment_id WHERE id = :id")
_CLAIM_DUE = text("""
WITH due AS (
  SELECT id FROM attempts
   WHERE status IN ('submitted', 'requires_action', 'unknown', 'authorised') AND resolve_after <= :now
     AND gateway <> ALL(:shut)
   ORDER BY resolve_after LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE attempts a SET resolve_after = :leased_until, resolve_count = a.resolve_count + 1
  FROM due, payments p
 WHERE a.id = due.id AND p.id = a.payment_id
RETURNING a.id, a.merchant_id, p.livemode, a.gateway
""")
_WHOSE = text("""
SELECT a.id, a.merchant_id, p.livemode, a.gateway
  FROM attempts a JOIN payments p ON p.id = a.payment_id WHERE a.id = :id
""")
_SAVED = (
    "id", "failure_code", "capturable_minor", "pending_capture_minor", "captured_minor", "is_late", "authorised_at",
    "authorised_until", "capture_after", "released_at", "succeeded_at", "failed_at",
)  # fmt: skip


def insert_payment(scope: Scope, values: Mapping[str, Any], failure_code: str | None = None) -> None:
    """Insert a payment that is being processed; with `failure_code`, one that has failed."""
    status = PaymentStatus.PROCESSING if failure_code is None else PaymentStatus.FAILED
    stands = {
        "status": status.value,
        "failure_code": failure_code,
        "failed_at": None if failure_code is None else scope.now,
    }
    parameters = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "now": scope.now}
    scope.connection.execute(_INSERT_PAYMENT, {**values, **stands, **parameters})


def insert_attempt(scope: Scope, values: Mapping[str, Any]) -> None:
    """Insert an attempt that is about to be sent; `routing` says why it goes where it goes."""
    routing = values.get("routing")
    said = None if routing is None else orjson.dumps(routing).decode()
    parameters = {**values, "merchant_id": scope.merchant_id, "now": scope.now, "routing": said}
    scope.connection.execute(_INSERT_ATTEMPT, parameters)


def get_payment(scope: Scope, payment_id: str) -> Payment | None:
    """One payment of this merchant and mode."""
    return _find_payment(scope, _GET_PAYMENT, id=payment_id, livemode=scope.livemode)


def lock_payment(scope: Scope, payment_id: str) -> Payment | None:
    """One payment, locked until the transaction ends."""
    return _find_payment(scope, _LOCK_PAYMENT, id=payment_id, livemode=scope.livemode)


def latest_payment_of_session(scope: Scope, session_id: str) -> Payment | None:
    """What a payer's page shows: the payment that succeeded, else the open one, else the last."""
    return _find_payment(scope, _PAYMENT_OF_SESSION, id=session_id)


def list_payments(scope: Scope, asked: ListPayments) -> tuple[list[Payment], bool]:
    """A page of the merchant's payments, newest first, and whether there are more."""
    filters = []
    values: dict[str, Any] = {}
    for name in ("link_id", "status"):
        if (value := getattr(asked, name)) is not None:
            filters.append(f"t.{name} = :{name}")
            values[name] = str(value)
    for name in ("reference", "campaign"):
        if (value := getattr(asked, name)) is not None:
            filters.append(
                f"t.link_id IN (SELECT id FROM links WHERE merchant_id = :merchant_id AND {name} = :{name})"  # noqa: S608
            )
            values[name] = value
    columns = ", ".join(f"t.{field.name}" for field in fields(Payment))
    return fetch(scope, Listing("payments", columns, filters, values), asked, _payment)


def get_attempt(scope: Scope, attempt_id: str) -> Attempt:
    """One attempt that exists."""
    return _attempt(_one(scope, _GET_ATTEMPT, attempt_id))


def latest_attempt(scope: Scope, payment_id: str) -> Attempt:
    """The attempt that speaks for a payment: its last one. Every payment has one."""
    return _attempt(_one(scope, _LATEST_ATTEMPT, payment_id))


def latest_attempts(scope: Scope, payment_ids: Sequence[str]) -> dict[str, Attempt]:
    """The attempts that speak for payments, by payment, in one query."""
    rows = scope.connection.execute(_LATEST_ATTEMPTS, {"ids": list(payment_ids)}).mappings()
    return {attempt.payment_id: attempt for attempt in map(_attempt, rows)}


def references(scope: Scope, payments: Iterable[Payment]) -> dict[str, str]:
    """What the merchant calls these payments' links, by link."""
    rows = scope.connection.execute(_REFERENCES, {"ids": [payment.link_id for payment in payments]})
    return {row.id: row.reference for row in rows}


def trail(scope: Scope, payment_id: str) -> list[RowMapping]:
    """Every attempt of a payment with why it went where it went, the first one first."""
    return list(scope.connection.execute(_TRAIL, {"id": payment_id}).mappings())


def lock_for_outcome(scope: Scope, attempt_id: str) -> Standing | None:
    """Lock whatever an attempt's outcome may change, always in the same order, and read it under those locks."""
    where = scope.connection.execute(_WHERE, {"id": attempt_id}).mappings().one_or_none()
    if where is None:
        return None
    # A link that may be paid any number of times is not locked: its payments have nothing to fight over.
    link = _one(scope, _LINK if where["capacity"] is None else _LOCK_LINK, where["link_id"])
    session = _one(scope, _LOCK_SESSION, where["session_id"])
    payment = lock_payment(scope, where["payment_id"])
    attempt = _attempt(_one(scope, _LOCK_ATTEMPT, attempt_id))
    if payment is None:  # of the other mode
        return None
    return Standing(
        payment=payment,
        attempt=attempt,
        is_latest=_one(scope, _LATEST_ID, payment.id)["id"] == attempt_id,
        capacity=link["capacity"],
        link_status=link["status"],
        link_expires_at=link["expires_at"],
        capture_after_hours=link["capture_after_hours"],
        splits=tuple(link["splits"] or ()),
        session_status=session["status"],
        is_renewal=link["is_renewal"],
        has_room=link["capacity"] is None or slots.has_room(scope, where["link_id"], payment.id, link["capacity"]),
        session_winner=scope.connection.execute(_SESSION_WINNER, {"id": where["session_id"]}).scalar_one_or_none(),
    )


def payer_of(scope: Scope, session_id: str) -> SealedJson | None:
    """What a session's payer has told, sealed; None once it is gone."""
    row = scope.connection.execute(_PAYER, {"id": session_id}).mappings().one_or_none()
    if row is None:
        return None
    sealed = row["payer"]
    return {
        "subject": row["subject_id"],
        "retention_class": sealed["retention_class"],
        "ciphertext": sealed["ciphertext"],
    }


def give_attempt(scope: Scope, attempt_id: str, payment_id: str) -> None:
    """Make an attempt another payment's; both are locked, or new."""
    scope.connection.execute(_GIVE, {"id": attempt_id, "payment_id": payment_id})


def save_attempt(
    scope: Scope, attempt: Attempt, status: AttemptStatus, answer: Answer, resolve_after: datetime
) -> None:
    """Write what an answer has taught about an attempt. A missing value keeps the old one: nothing known is lost.

    Raises IllegalTransitionError.
    """
    ATTEMPT.move(attempt.status, status)
    card = answer.card
    is_final = status in {AttemptStatus.FAILED, AttemptStatus.VOIDED, AttemptStatus.SUCCEEDED}
    scope.connection.execute(
        _SAVE_ATTEMPT,
        {
            "id": attempt.id,
            "status": status.value,
            "reference": answer.gateway_reference,
            # A hosted page has a reference of its own until there is a payment; money is found by the payment's.
            "has_money": answer.fact in {Fact.CAPTURED, Fact.AUTHORISED},
            "action_url": answer.action.url if answer.action else None,
            "is_decided_there": answer.fact is Fact.PENDING,  # the payer has done what the gateway asked for
            "decline_code": answer.code if answer.fact in {Fact.DECLINED, Fact.VOIDED} else None,
            "card_token": card.fingerprint if card else None,
            "card_brand": card.brand if card else None,
            "card_last4": card.last4 if card else None,
            "resolve_after": resolve_after,
            "has_finished": is_final and status is not attempt.status,
            "now": scope.now,
        },
    )


def save_payment(scope: Scope, payment: Payment, was: PaymentStatus) -> None:
    """Write what an outcome may change of a payment that was in that state. Raises IllegalTransitionError."""
    PAYMENT.move(was, payment.status)
    values = {name: getattr(payment, name) for name in _SAVED} | {"status": payment.status.value}
    scope.connection.execute(_SAVE_PAYMENT, values)


def claim_due_attempts(
    connection: Connection, now: datetime, lease: timedelta, limit: int, shut: Sequence[str] = ()
) -> list[DueAttempt]:
    """Claim open attempts whose time has come, for one resolver: others skip them until the lease ends.

    Those at a gateway that is `shut` wait.
    """
    values = {"now": now, "leased_until": now + lease, "limit": limit, "shut": list(shut)}
    rows = connection.execute(_CLAIM_DUE, values)
    return [DueAttempt(**row) for row in rows.mappings()]


def whose_attempt(connection: Connection, attempt_id: str) -> DueAttempt | None:
    """Whose attempt this is; the worker's role alone sees every merchant's."""
    row = connection.execute(_WHOSE, {"id": attempt_id}).mappings().one_or_none()
    return None if row is None else DueAttempt(**row)


def _one(scope: Scope, statement: TextClause, object_id: str) -> RowMapping:
    return scope.connection.execute(statement, {"id": object_id}).mappings().one()


def _find_payment(scope: Scope, statement: TextClause, **parameters: object) -> Payment | None:
    row = scope.connection.execute(statement, parameters).mappings().one_or_none()
    return None if row is None else _payment(row)


def _payment(row: RowMapping) -> Payment:
    return Payment(**{**row, "status": PaymentStatus(row["status"])})


def _attempt(row: RowMapping) -> Attempt:
    words = {"status": AttemptStatus(row["status"]), "capture_mode": CaptureMode(row["capture_mode"])}
    return Attempt(**{**row, **words})
