from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from web.db.scope import Scope
from web.http.paging import Listing, fetch
from web.renewals.domain import OPEN_PERIODS, PERIOD, PeriodStatus, Unit
from web.renewals.models import Chargeable, DuePeriod, Period, Renewal
from web.renewals.schemas import ListRenewals

_RENEWAL = ", ".join(f"t.{field.name}" for field in fields(Renewal))
_PERIOD = ", ".join(f"p.{field.name}" for field in fields(Period))
_OPEN = ", ".join(f"'{status.value}'" for status in OPEN_PERIODS)
_MADE = tuple(field.name for field in fields(Renewal) if field.name not in {"merchant_id", "livemode", "ended_at"})
_CHANGED = (
    "subject_id", "payment_method_id", "refused_code", "collection", "amount_minor", "description", "periods_max",
    "mandate", "mandate_reference", "mandate_creditor_id", "status", "ended_reason", "ended_at", "next_number",
    "next_opens_at",
)  # fmt: skip
_MOVED = (
    "status", "link_id", "payment_id", "tries", "outages", "notified_at", "try_after", "failure_code", "link_reason",
    "link_expires_at", "finished_at",
)  # fmt: skip

_INSERT = text(f"""
INSERT INTO renewals (merchant_id, livemode, {", ".join(_MADE)})
VALUES (:merchant_id, :livemode, {", ".join(f":{name}" for name in _MADE)})
""")  # noqa: S608
_GET = text(f"SELECT {_RENEWAL} FROM renewals t WHERE t.id = :id AND t.livemode = :livemode")  # noqa: S608
_LOCK = text(f"{_GET.text} FOR NO KEY UPDATE")
_SAVE = text(f"UPDATE renewals SET {', '.join(f'{name} = :{name}' for name in _CHANGED)} WHERE id = :id")  # noqa: S608
_OF_SUBJECT = text(
    "SELECT id FROM renewals WHERE subject_id = :subject_id AND livemode = :livemode AND status = 'active'"
)
_TO_OPEN = text(f"""
SELECT {_RENEWAL} FROM renewals t WHERE t.status = 'active' AND t.next_opens_at <= :now
 ORDER BY t.next_opens_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608
_INSERT_PERIOD = text("""
INSERT INTO renewal_periods (renewal_id, number, merchant_id, livemode, amount_minor, due_at, status, try_after,
                             created_at)
VALUES (:renewal_id, :number, :merchant_id, :livemode, :amount_minor, :due_at, 'due', :now, :now)
""")
_PERIODS = text(f"SELECT {_PERIOD} FROM renewal_periods p WHERE p.renewal_id = :id ORDER BY p.number DESC LIMIT 100")  # noqa: S608
_OPEN_PERIODS = text(f"""
SELECT {_PERIOD} FROM renewal_periods p WHERE p.renewal_id = :id AND p.status IN ({_OPEN}) ORDER BY p.number
""")  # noqa: S608
_GET_PERIOD = text(f"SELECT {_PERIOD} FROM renewal_periods p WHERE p.renewal_id = :id AND p.number = :number")  # noqa: S608
_LOCK_PERIOD = text(f"{_GET_PERIOD.text} FOR NO KEY UPDATE")
_LOCK_BY_LINK = text(f"SELECT {_PERIOD} FROM renewal_periods p WHERE p.link_id = :link_id FOR NO KEY UPDATE")  # noqa: S608
_LAST_LINK = text("""
SELECT link_id FROM renewal_periods WHERE renewal_id = :id AND number < :number AND link_id IS NOT NULL
 ORDER BY number DESC LIMIT 1
""")
_MOVE = text(f"""
UPDATE renewal_periods SET {", ".join(f"{name} = :{name}" for name in _MOVED)}
 WHERE renewal_id = :renewal_id AND number = :number
""")  # noqa: S608
# A period whose method is at a gateway that lets nothing through waits; one without a method waits for nobody.
_CLAIM = text("""
WITH due AS (
  SELECT p.renewal_id, p.number, coalesce(m.gateway, '') AS gateway
    FROM renewal_periods p JOIN renewals r ON r.id = p.renewal_id
    LEFT JOIN saved_methods m ON m.id = r.payment_method_id AND m.status = 'active' AND r.refused_code IS NULL
   WHERE p.status = 'due' AND p.try_after <= :now AND (m.gateway IS NULL OR m.gateway <> ALL (:shut))
   ORDER BY p.try_after LIMIT :limit FOR UPDATE OF p SKIP LOCKED
)
UPDATE renewal_periods p SET try_after = :leased_until FROM due
 WHERE p.renewal_id = due.renewal_id AND p.number = due.number
RETURNING p.renewal_id, p.number, p.merchant_id, p.livemode, due.gateway
""")
# A link whose payer is about to pay is not over: its payment ends first.
_TO_END = text("""
SELECT p.renewal_id, p.number, p.merchant_id, p.livemode, '' AS gateway FROM renewal_periods p
 WHERE p.status = 'link' AND p.link_expires_at <= :now
   AND NOT EXISTS (SELECT FROM payments x WHERE x.link_id = p.link_id
                      AND x.status IN ('processing', 'requires_action', 'authorised'))
 ORDER BY p.link_expires_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED
""")
_CHARGEABLE = text("""
SELECT m.gateway, m.gateway_saved_id, m.method, m.mandate_reference, m.mandate_creditor_id, m.subject_id,
       m.consent_locale AS locale, s.payer ->> 'retention_class' AS retention_class,
       s.payer ->> 'ciphertext' AS ciphertext
  FROM saved_methods m JOIN attempts a ON a.id = m.attempt_id JOIN payments p ON p.id = a.payment_id
  JOIN checkout_sessions s ON s.id = p.session_id
 WHERE m.id = :id AND m.livemode = :livemode AND m.status = 'active' AND m.gateway_saved_id IS NOT NULL
   AND s.payer IS NOT NULL
""")
_SAVED_BY = text("SELECT id, subject_id FROM saved_methods WHERE attempt_id = :attempt_id AND status = 'active'")


def insert(scope: Scope, renewal: Renewal) -> None:
    """Insert a renewal."""
    values = {name: getattr(renewal, name) for name in _MADE}
    scope.connection.execute(_INSERT, {**values, "merchant_id": scope.merchant_id, "livemode": scope.livemode})


def get(scope: Scope, renewal_id: str, *, is_locked: bool = False) -> Renewal | None:
    """One renewal of this merchant and mode."""
    values = {"id": renewal_id, "livemode": scope.livemode}
    row = scope.connection.execute(_LOCK if is_locked else _GET, values).mappings().one_or_none()
    return None if row is None else _renewal(row)


def save(scope: Scope, renewal: Renewal) -> None:
    """Write what may change of a renewal; its row is locked."""
    scope.connection.execute(_SAVE, {name: getattr(renewal, name) for name in ("id", *_CHANGED)})


def page(scope: Scope, asked: ListRenewals) -> tuple[list[Renewal], bool]:
    """A page of the merchant's renewals, newest first, and whether there are more."""
    filters: list[str] = []
    values: dict[str, Any] = {}
    for name in ("subject_id", "status"):
        if (value := getattr(asked, name)) is not None:
            filters.append(f"t.{name} = :{name}")
            values[name] = value
    return fetch(scope, Listing("renewals", _RENEWAL, filters, values), asked, _renewal)


def active_of(scope: Scope, subject_id: str) -> list[str]:
    """The ids of a payer's renewals that go on, in the scope's mode."""
    return list(scope.connection.execute(_OF_SUBJECT, {"subject_id": subject_id, "livemode": scope.livemode}).scalars())


def lock_to_open(connection: Connection, now: datetime) -> Renewal | None:
    """Lock one renewal whose next period is to be opened; other workers skip it."""
    row = connection.execute(_TO_OPEN, {"now": now}).mappings().one_or_none()
    return None if row is None else _renewal(row)


def open_period(scope: Scope, renewal: Renewal, due_at: datetime) -> None:
    """Insert the renewal's next period; the renewal's row is locked."""
    values = {"renewal_id": renewal.id, "number": renewal.next_number, "amount_minor": renewal.amount_minor}
    mine = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "now": scope.now}
    scope.connection.execute(_INSERT_PERIOD, {**values, **mine, "due_at": due_at})


def periods(scope: Scope, renewal_id: str, *, only_open: bool = False) -> list[Period]:
    """The newest periods, the newest first; or those that are open, the oldest first."""
    rows = scope.connection.execute(_OPEN_PERIODS if only_open else _PERIODS, {"id": renewal_id}).mappings()
    return [_period(row) for row in rows]


def get_period(scope: Scope, renewal_id: str, number: int, *, is_locked: bool = False) -> Period:
    """One period that exists."""
    values = {"id": renewal_id, "number": number}
    return _period(scope.connection.execute(_LOCK_PERIOD if is_locked else _GET_PERIOD, values).mappings().one())


def lock_by_link(scope: Scope, link_id: str) -> Period | None:
    """The period that a link pays, locked."""
    row = scope.connection.execute(_LOCK_BY_LINK, {"link_id": link_id}).mappings().one_or_none()
    return None if row is None else _period(row)


def last_link(scope: Scope, renewal_id: str, number: int) -> str | None:
    """The link of the last period before this one that had one."""
    found: str | None = scope.connection.execute(_LAST_LINK, {"id": renewal_id, "number": number}).scalar_one_or_none()
    return found


def move(scope: Scope, period: Period, status: PeriodStatus, **changes: Any) -> Period:
    """Write where a locked period stands now. Raises IllegalTransitionError."""
    PERIOD.move(period.status, status)
    moved = replace(period, status=status, **changes)
    values = {name: getattr(moved, name) for name in ("renewal_id", "number", *_MOVED)}
    scope.connection.execute(_MOVE, values | {"status": status.value})
    return moved


def claim_due(
    connection: Connection, now: datetime, lease: timedelta, limit: int, shut: Sequence[str] = ()
) -> list[DuePeriod]:
    """Claim periods whose time has come; those whose method is at a gateway that is `shut` wait."""
    values: Mapping[str, Any] = {"now": now, "leased_until": now + lease, "limit": limit, "shut": list(shut)}
    return [DuePeriod(**row) for row in connection.execute(_CLAIM, values).mappings()]


def lock_to_end(connection: Connection, now: datetime) -> DuePeriod | None:
    """Lock one period whose link has ended without being paid; other workers skip it."""
    row = connection.execute(_TO_END, {"now": now}).mappings().one_or_none()
    return None if row is None else DuePeriod(**row)


def chargeable(scope: Scope, payment_method_id: str | None) -> Chargeable | None:
    """A saved method that may be charged now, of this merchant and mode."""
    values = {"id": payment_method_id, "livemode": scope.livemode}
    row = scope.connection.execute(_CHARGEABLE, values).mappings().one_or_none()
    return None if row is None else Chargeable(**row)


def saved_by(scope: Scope, attempt_id: str) -> tuple[str, str] | None:
    """The method that was saved with an attempt, and whose it is."""
    row = scope.connection.execute(_SAVED_BY, {"attempt_id": attempt_id}).one_or_none()
    return None if row is None else (row[0], row[1])


def _renewal(row: RowMapping) -> Renewal:
    return Renewal(**{**row, "period_unit": Unit(row["period_unit"])})


def _period(row: RowMapping) -> Period:
    return Period(**{**row, "status": PeriodStatus(row["status"])})
