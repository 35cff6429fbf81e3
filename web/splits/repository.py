from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping, text

from web.db.scope import Scope
from web.http.paging import Listing, fetch
from web.splits.models import Split
from web.splits.schemas import ListSplits

_COLUMNS = ", ".join(field.name for field in fields(Split))
_GET = text(f"SELECT {_COLUMNS} FROM splits WHERE id = :id AND livemode = :livemode")  # noqa: S608
_INSERT = text("""
INSERT INTO splits (id, merchant_id, livemode, role, sender_id, recipient_id, payment_id, source_id, reverses_id,
                    status, amount_minor, currency, position, created_at)
VALUES (:id, :merchant_id, :livemode, :role, :sender_id, :recipient_id, :payment_id, :source_id, :reverses_id, :status,
        :amount_minor, :currency, :position, :now)
""")
_OF_PAYMENT = text(f"""
SELECT {_COLUMNS} FROM splits
 WHERE payment_id = :id AND role = :role AND merchant_id = :merchant_id AND reverses_id IS NULL
 ORDER BY created_at, id
""")  # noqa: S608
_REVERSE = text("UPDATE splits SET reversed_minor = reversed_minor + :amount_minor WHERE id = :id")
_IS_MERCHANT = text("SELECT EXISTS (SELECT FROM merchants WHERE id = :id AND closed_at IS NULL)")


def insert(scope: Scope, values: Mapping[str, Any]) -> None:
    """Insert a record of the scope's merchant."""
    shared = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "now": scope.now, "reverses_id": None}
    scope.connection.execute(_INSERT, {**shared, **values})


def of_payment(scope: Scope, payment_id: str, role: str) -> list[Split]:
    """The scope's merchant's splits of a payment in that role, without reversals, oldest first."""
    values = {"id": payment_id, "role": role, "merchant_id": scope.merchant_id}
    return [Split(**row) for row in scope.connection.execute(_OF_PAYMENT, values).mappings()]


def add_reversed(scope: Scope, split_id: str, amount_minor: int) -> None:
    """Note how much of a split was taken back; the table refuses more than it was."""
    scope.connection.execute(_REVERSE, {"id": split_id, "amount_minor": amount_minor})


def is_merchant(scope: Scope) -> bool:
    """Whether the scope's merchant exists here and is open."""
    return bool(scope.connection.execute(_IS_MERCHANT, {"id": scope.merchant_id}).scalar_one())


def get(scope: Scope, split_id: str) -> Split | None:
    """One record of this merchant and mode."""
    row = scope.connection.execute(_GET, {"id": split_id, "livemode": scope.livemode}).mappings().one_or_none()
    return None if row is None else Split(**row)


def page(scope: Scope, asked: ListSplits) -> tuple[list[Split], bool]:
    """A page of the merchant's records, newest first, and whether there are more."""
    values = {name: str(value) for name in ("payment_id", "role") if (value := getattr(asked, name)) is not None}
    columns = ", ".join(f"t.{field.name}" for field in fields(Split))
    return fetch(scope, Listing("splits", columns, [f"t.{name} = :{name}" for name in values], values), asked, _split)


def _split(row: RowMapping) -> Split:
    return Split(**row)
