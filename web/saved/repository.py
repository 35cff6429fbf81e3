from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from web.db.scope import Scope
from web.gateways.domain import Saved
from web.http.paging import Listing, fetch
from web.saved.models import SavedMethod, ToForget
from web.saved.schemas import ListSavedMethods

_COLUMNS = ", ".join(f"t.{field.name}" for field in fields(SavedMethod))
_MINE = "t.merchant_id = :merchant_id AND t.livemode = :livemode"
_OFFERED = text(f"SELECT is_offered FROM saved_method_settings t WHERE {_MINE}")  # noqa: S608
_OFFER = text("""
INSERT INTO saved_method_settings (merchant_id, livemode, is_offered, updated_at)
VALUES (:merchant_id, :livemode, :is_offered, :now)
ON CONFLICT (merchant_id, livemode) DO UPDATE SET is_offered = excluded.is_offered, updated_at = excluded.updated_at
""")
_INSERT = text("""
INSERT INTO saved_methods (id, merchant_id, livemode, subject_id, attempt_id, gateway, method, status, mandate,
                           consent_locale, consent_sha256, consented_at, created_at)
VALUES (:id, :merchant_id, :livemode, :subject_id, :attempt_id, :gateway, :method, 'pending', :mandate,
        :consent_locale, :consent_sha256, :now, :now)
""")
_FOLLOW = text("""
UPDATE saved_methods SET attempt_id = :attempt_id, gateway = :gateway WHERE attempt_id = :before AND status = 'pending'
""")
_ACTIVATE = text("""
UPDATE saved_methods SET status = 'active', gateway_saved_id = :saved_id, card_brand = :brand, card_last4 = :last4
 WHERE attempt_id = :attempt_id AND status = 'pending' RETURNING id, subject_id, gateway, method, mandate
""")
_GET = text(f"SELECT {_COLUMNS} FROM saved_methods t WHERE t.id = :id AND t.status <> 'pending' AND {_MINE}")  # noqa: S608
_DELETE = text("UPDATE saved_methods SET status = 'deleted', deleted_at = :now WHERE id = :id AND status = 'active'")
_TO_FORGET = text("""
SELECT id, gateway, gateway_saved_id, subject_id FROM saved_methods
 WHERE status = 'deleted' AND gateway_saved_id IS NOT NULL AND gateway <> ALL (:shut)
   AND (deleted_at + :lease) <= :now
 ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_FORGOTTEN = text("UPDATE saved_methods SET gateway_saved_id = NULL WHERE id = :id")


def is_offered(scope: Scope) -> bool:
    """Whether the merchant's payers are asked."""
    return bool(scope.connection.execute(_OFFERED, _mine(scope)).scalar_one_or_none())


def offer(scope: Scope, *, is_offered: bool) -> None:
    """Keep whether they are."""
    scope.connection.execute(_OFFER, {**_mine(scope), "is_offered": is_offered, "now": scope.now})


def insert(scope: Scope, values: Mapping[str, Any]) -> None:
    """Insert a consent whose method the gateway has not saved yet."""
    scope.connection.execute(_INSERT, {**values, **_mine(scope), "now": scope.now})


def follow(scope: Scope, before: str, attempt_id: str, gateway: str) -> None:
    """The payment goes on with another attempt, and the consent with it."""
    scope.connection.execute(_FOLLOW, {"before": before, "attempt_id": attempt_id, "gateway": gateway})


def activate(scope: Scope, attempt_id: str, saved: Saved) -> RowMapping | None:
    """The gateway has saved it; None where nobody agreed, or once it was told already."""
    values = {
        "attempt_id": attempt_id,
        "saved_id": saved.id,
        "brand": saved.card.brand if saved.card else None,
        "last4": saved.card.last4 if saved.card else None,
    }
    return scope.connection.execute(_ACTIVATE, values).mappings().one_or_none()


def get(scope: Scope, method_id: str) -> SavedMethod | None:
    """One saved method of this merchant and mode."""
    row = scope.connection.execute(_GET, {**_mine(scope), "id": method_id}).mappings().one_or_none()
    return None if row is None else SavedMethod(**row)


def page(scope: Scope, asked: ListSavedMethods) -> tuple[list[SavedMethod], bool]:
    """A page of the merchant's saved methods, newest first, and whether there are more."""
    filters, values = ["t.status <> 'pending'"], {}
    for name in ("subject_id", "status"):
        if (value := getattr(asked, name)) is not None:
            filters.append(f"t.{name} = :{name}")
            values[name] = value
    listing = Listing("saved_methods", _COLUMNS, filters, values)
    return fetch(scope, listing, asked, lambda row: SavedMethod(**row))


def delete(scope: Scope, method_id: str) -> bool:
    """Nobody may charge it any more; False for one that was deleted before."""
    return scope.connection.execute(_DELETE, {"id": method_id, "now": scope.now}).rowcount == 1


def lock_to_forget(connection: Connection, now: datetime, lease: timedelta, shut: list[str]) -> ToForget | None:
    """A deleted method that its gateway still has; other workers skip it."""
    row = connection.execute(_TO_FORGET, {"now": now, "lease": lease, "shut": shut}).mappings().one_or_none()
    return None if row is None else ToForget(**row)


def forgotten(connection: Connection, method_id: str) -> None:
    """The gateway has let it go."""
    connection.execute(_FORGOTTEN, {"id": method_id})


def _mine(scope: Scope) -> dict[str, object]:
    return {"merchant_id": scope.merchant_id, "livemode": scope.livemode}
