from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
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
                           mandate_reference, mandate_creditor_id, consent_locale, consent_sha256, consented_at,
                           created_at)
VALUES (:id, :merchant_id, :livemode, :subject_id, :attempt_id, :gateway, :method, 'pending', :mandate,
        :mandate_reference, :mandate_creditor_id, :consent_locale, :consent_sha256, :now, :now)
""")
_FOLLOW = text("""
UPDATE saved_methods SET attempt_id = :attempt_id, gateway = :gateway WHERE attempt_id = :before AND status = 'pending'
""")
# A consent that was taken back before the gateway had saved stays so: what it saves late is to be forgotten.
_ACTIVATE = text("""
UPDATE saved_methods SET status = CASE status WHEN 'pending' THEN 'active' ELSE status END,
       gateway_saved_id = :saved_id, card_brand = :brand, card_last4 = :last4
 WHERE attempt_id = :attempt_id AND (status = 'pending' OR (status = 'deleted' AND forget_tries = 0))
RETURNING id, subject_id, gateway, method, mandate, status
""")
_GET = text(f"SELECT {_COLUMNS} FROM saved_methods t WHERE t.id = :id AND t.status <> 'pending' AND {_MINE}")  # noqa: S608
_DELETE = text("""
UPDATE saved_methods SET status = 'deleted', deleted_at = :now, forget_after = :now
 WHERE id = :id AND status IN ('pending', 'active')
""")
_OF_SUBJECT = text("SELECT id FROM saved_methods WHERE subject_id = :subject_id AND status <> 'deleted' ORDER BY id")
_TO_FORGET = text("""
WITH due AS (
  SELECT id FROM saved_methods
   WHERE status = 'deleted' AND gateway_saved_id IS NOT NULL AND gateway <> ALL (:shut)
     AND coalesce(forget_after, deleted_at) <= :now
   ORDER BY coalesce(forget_after, deleted_at) LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE saved_methods m SET forget_tries = m.forget_tries + 1,
       forget_after = :now + least(interval '10 seconds' * 2 ^ least(m.forget_tries, 12), interval '6 hours')
  FROM due WHERE m.id = due.id
RETURNING m.id, m.gateway, m.gateway_saved_id, m.subject_id
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


def of_subject(scope: Scope, subject_id: str) -> list[str]:
    """The ids of a payer's methods that may be charged, or soon may be."""
    return list(scope.connection.execute(_OF_SUBJECT, {"subject_id": subject_id}).scalars())


def claim_to_forget(connection: Connection, now: datetime, shut: list[str]) -> ToForget | None:
    """A deleted method that its gateway still has; it is claimed again only after a while, longer each time."""
    row = connection.execute(_TO_FORGET, {"now": now, "shut": shut}).mappings().one_or_none()
    return None if row is None else ToForget(**row)


def forgotten(connection: Connection, method_id: str) -> None:
    """The gateway has let it go."""
    connection.execute(_FORGOTTEN, {"id": method_id})


def _mine(scope: Scope) -> dict[str, object]:
    return {"merchant_id": scope.merchant_id, "livemode": scope.livemode}
