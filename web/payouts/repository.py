from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from web.db.scope import Scope, Tenant
from web.http.paging import Listing, fetch
from web.payouts.domain import MERCHANT_RESERVE, RESERVE_DAYS, Balance, PayoutStatus, Schedule
from web.payouts.models import Payout, PayoutSettings, ToSend
from web.payouts.schemas import ListPayouts
from web.recon.domain import MERCHANT_PAYABLE_AVAILABLE

_SETTINGS = ", ".join(field.name for field in fields(PayoutSettings))
_PAYOUT = ", ".join(f"t.{field.name}" for field in fields(Payout))
_MINE = "merchant_id = :merchant_id AND livemode = :livemode"

_GET_SETTINGS = text(f"SELECT {_SETTINGS} FROM payout_settings WHERE {_MINE} AND currency = :currency")  # noqa: S608
_LOCK_SETTINGS = text(f"{_GET_SETTINGS.text} FOR UPDATE")
_ALL_SETTINGS = text(f"SELECT {_SETTINGS} FROM payout_settings WHERE {_MINE} ORDER BY currency")  # noqa: S608
_SAVE_SETTINGS = text("""
INSERT INTO payout_settings (merchant_id, livemode, currency, schedule, weekday, month_day, minimum_minor,
                             account_sealed, account_last4, next_due_on, updated_at)
VALUES (:merchant_id, :livemode, :currency, :schedule, :weekday, :month_day, :minimum_minor, :account_sealed,
        :account_last4, :next_due_on, :now)
ON CONFLICT (merchant_id, livemode, currency) DO UPDATE
   SET schedule = excluded.schedule, weekday = excluded.weekday, month_day = excluded.month_day,
       minimum_minor = excluded.minimum_minor, account_sealed = excluded.account_sealed,
       account_last4 = excluded.account_last4, next_due_on = excluded.next_due_on, updated_at = excluded.updated_at
""")
_SET_RESERVE = text(f"""
UPDATE payout_settings SET reserve_minor = :reserve_minor, reserve_bps = :reserve_bps, updated_at = :now
 WHERE {_MINE} AND currency = :currency
""")  # noqa: S608
_SET_DUE = text(f"UPDATE payout_settings SET next_due_on = :due WHERE {_MINE} AND currency = :currency")  # noqa: S608
_DUE = text(f"""
SELECT {_SETTINGS} FROM payout_settings WHERE next_due_on <= :today
 ORDER BY next_due_on LIMIT 1 FOR UPDATE SKIP LOCKED
""")  # noqa: S608
_SUMS = text("""
SELECT e.currency, -sum(e.amount_minor) FILTER (WHERE e.account = :available) AS available_minor,
       -sum(e.amount_minor) FILTER (WHERE e.account = 'merchant_payable_pending') AS pending_minor,
       -sum(e.amount_minor) FILTER (WHERE e.account = :reserve) AS reserved_minor,
       -sum(e.amount_minor) FILTER (WHERE e.account = :available AND j.kind = 'settlement' AND j.booked_at > :since)
         AS recent_minor
  FROM ledger_entries e JOIN ledger_journals j ON j.id = e.journal_id
 WHERE j.merchant_id = :merchant_id AND j.livemode = :livemode
   AND e.account IN (:available, 'merchant_payable_pending', :reserve)
 GROUP BY e.currency
""")
_PENDING_REFUNDS = text("""
SELECT currency, sum(amount_minor) AS amount_minor FROM refunds
 WHERE merchant_id = :merchant_id AND livemode = :livemode AND status = 'pending' GROUP BY currency
""")
_INSERT = text("""
INSERT INTO payouts (id, merchant_id, livemode, currency, amount_minor, status, created_at)
VALUES (:id, :merchant_id, :livemode, :currency, :amount_minor, 'created', :now)
""")
_GET = text(f"SELECT {_PAYOUT} FROM payouts t WHERE t.id = :id AND t.{_MINE}")  # noqa: S608
_LOCK = text(f"{_GET.text} FOR UPDATE")
_END = text("UPDATE payouts SET status = :status, failure_code = :failure_code, finished_at = :now WHERE id = :id")
_TO_SEND = text("""
SELECT p.id, p.amount_minor, s.account_sealed
  FROM payouts p JOIN payout_settings s USING (merchant_id, livemode, currency)
 WHERE p.status = 'created' AND p.livemode = :livemode AND p.currency = :currency
 ORDER BY p.id LIMIT :limit FOR UPDATE OF p SKIP LOCKED
""")
_WAITING = text("SELECT livemode, currency FROM payouts WHERE status = 'created' ORDER BY created_at LIMIT 1")
_INSERT_BATCH = text("""
INSERT INTO payout_batches (id, livemode, currency, execute_on, payout_count, total_minor, sha256, file_sealed,
                            created_at)
VALUES (:id, :livemode, :currency, :execute_on, :payout_count, :total_minor, :sha256, :file_sealed, :now)
""")
_SUBMIT = text("UPDATE payouts SET status = 'submitted', batch_id = :batch_id WHERE id = ANY (:ids)")
_BATCHES = text("""
SELECT id, livemode, currency, execute_on, payout_count, total_minor, sha256, created_at FROM payout_batches
 ORDER BY created_at DESC, id DESC LIMIT 100
""")
_FILE = text("SELECT file_sealed FROM payout_batches WHERE id = :id")
_TENANT = text("SELECT payout_id AS object_id, merchant_id, livemode FROM tenant_of_payout(:id)")


def settings(scope: Scope, currency: str, *, is_locked: bool = False) -> PayoutSettings | None:
    """How the merchant is paid out in a currency; locked, no other payout of it is made meanwhile."""
    statement = _LOCK_SETTINGS if is_locked else _GET_SETTINGS
    row = scope.connection.execute(statement, {**_mine(scope), "currency": currency}).mappings().one_or_none()
    return None if row is None else _settings(row)


def all_settings(scope: Scope) -> list[PayoutSettings]:
    """The same for every currency that has some."""
    return [_settings(row) for row in scope.connection.execute(_ALL_SETTINGS, _mine(scope)).mappings()]


def save_settings(scope: Scope, values: Mapping[str, Any]) -> None:
    """Keep what the merchant wants; what the platform holds back stays."""
    scope.connection.execute(_SAVE_SETTINGS, {**values, **_mine(scope), "now": scope.now})


def set_reserve(scope: Scope, currency: str, reserve_minor: int, reserve_bps: int) -> bool:
    """Keep what the platform holds back; False without settings."""
    values = {"currency": currency, "reserve_minor": reserve_minor, "reserve_bps": reserve_bps, "now": scope.now}
    return scope.connection.execute(_SET_RESERVE, {**values, **_mine(scope)}).rowcount == 1


def set_due(scope: Scope, currency: str, due: date | None) -> None:
    """Note when the next payout is due."""
    scope.connection.execute(_SET_DUE, {**_mine(scope), "currency": currency, "due": due})


def lock_due(connection: Connection, today: date) -> PayoutSettings | None:
    """Lock one merchant's currency whose payout is due; other workers skip it."""
    row = connection.execute(_DUE, {"today": today}).mappings().one_or_none()
    return None if row is None else _settings(row)


def balances(scope: Scope) -> dict[str, Balance]:
    """The merchant's money by currency, as the books have it."""
    since = scope.now - timedelta(days=RESERVE_DAYS)
    names = {"available": MERCHANT_PAYABLE_AVAILABLE, "reserve": MERCHANT_RESERVE, "since": since}
    refunds = {row.currency: int(row.amount_minor) for row in scope.connection.execute(_PENDING_REFUNDS, _mine(scope))}
    return {
        row["currency"]: Balance(
            available_minor=int(row["available_minor"] or 0),
            pending_minor=int(row["pending_minor"] or 0),
            pending_refunds_minor=refunds.get(row["currency"], 0),
            reserved_minor=int(row["reserved_minor"] or 0),
            recent_minor=int(row["recent_minor"] or 0),
        )
        for row in scope.connection.execute(_SUMS, {**names, **_mine(scope)}).mappings()
    }


def insert(scope: Scope, payout_id: str, currency: str, amount_minor: int) -> None:
    """Insert a payout that waits for the next file."""
    values = {"id": payout_id, "currency": currency, "amount_minor": amount_minor, "now": scope.now}
    scope.connection.execute(_INSERT, {**values, **_mine(scope)})


def get(scope: Scope, payout_id: str, *, is_locked: bool = False) -> Payout | None:
    """One payout of this merchant and mode."""
    statement = _LOCK if is_locked else _GET
    row = scope.connection.execute(statement, {**_mine(scope), "id": payout_id}).mappings().one_or_none()
    return None if row is None else _payout(row)


def list_payouts(scope: Scope, asked: ListPayouts) -> tuple[list[Payout], bool]:
    """A page of the merchant's payouts, newest first, and whether there are more."""
    values = {name: str(value) for name in ("currency", "status") if (value := getattr(asked, name)) is not None}
    return fetch(scope, Listing("payouts", _PAYOUT, [f"t.{name} = :{name}" for name in values], values), asked, _payout)


def end(scope: Scope, payout_id: str, status: PayoutStatus, failure_code: str | None) -> None:
    """Write how a payout ended."""
    values = {"id": payout_id, "status": status.value, "failure_code": failure_code, "now": scope.now}
    scope.connection.execute(_END, values)


def waiting(connection: Connection) -> tuple[bool, str] | None:
    """A mode and currency with payouts that are in no file yet."""
    row = connection.execute(_WAITING).one_or_none()
    return None if row is None else (bool(row.livemode), str(row.currency))


def lock_to_send(connection: Connection, currency: str, limit: int, *, livemode: bool) -> list[ToSend]:
    """Lock payouts that are in no file yet."""
    values = {"livemode": livemode, "currency": currency, "limit": limit}
    return [ToSend(**row) for row in connection.execute(_TO_SEND, values).mappings()]


def submit(connection: Connection, batch: Mapping[str, Any], payout_ids: Sequence[str], now: datetime) -> None:
    """Keep a file, and note which payouts are in it."""
    connection.execute(_INSERT_BATCH, {**batch, "now": now})
    connection.execute(_SUBMIT, {"batch_id": batch["id"], "ids": list(payout_ids)})


def batches(connection: Connection) -> list[RowMapping]:
    """The newest files, without what is in them."""
    return list(connection.execute(_BATCHES).mappings())


def file_of(connection: Connection, batch_id: str) -> bytes | None:
    """A file as ciphertext."""
    found: bytes | None = connection.execute(_FILE, {"id": batch_id}).scalar_one_or_none()
    return found


def tenant_of(connection: Connection, payout_id: str) -> Tenant | None:
    """Whose payout this is."""
    row = connection.execute(_TENANT, {"id": payout_id}).mappings().one_or_none()
    return None if row is None else Tenant(**row)


def _mine(scope: Scope) -> dict[str, object]:
    return {"merchant_id": scope.merchant_id, "livemode": scope.livemode}


def _settings(row: RowMapping) -> PayoutSettings:
    return PayoutSettings(
        **{**row, "schedule": Schedule(row["schedule"]), "account_sealed": bytes(row["account_sealed"])}
    )


def _payout(row: RowMapping) -> Payout:
    return Payout(**{**row, "status": PayoutStatus(row["status"])})
