from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import orjson
from sqlalchemy import RowMapping, text

from web.db.scope import Scope
from web.fees.models import FeeRecord
from web.fees.schemas import ListFees
from web.http.paging import Listing, fetch

_NAMES = [field.name for field in fields(FeeRecord)]
_GET = text(f"SELECT {', '.join(_NAMES)} FROM fees WHERE id = :id AND livemode = :livemode")  # noqa: S608
_VALUES = ", ".join("CAST(:lines AS jsonb)" if name == "lines" else f":{name}" for name in _NAMES)
_INSERT = text(f"INSERT INTO fees (merchant_id, {', '.join(_NAMES)}) VALUES (:merchant_id, {_VALUES})")  # noqa: S608


def insert(scope: Scope, records: Sequence[FeeRecord]) -> None:
    """Insert records of the scope's merchant."""
    if records:
        scope.connection.execute(_INSERT, [_row(scope, record) for record in records])


def get(scope: Scope, fee_id: str) -> FeeRecord | None:
    """One fee of this merchant and mode."""
    values = {"id": fee_id, "livemode": scope.livemode}
    row = scope.connection.execute(_GET, values).mappings().one_or_none()
    return None if row is None else _fee(row)


def page(scope: Scope, asked: ListFees) -> tuple[list[FeeRecord], bool]:
    """A page of the merchant's fees, newest first, and whether there are more."""
    values: dict[str, Any] = {
        name: value for name in ("payment_id", "kind", "currency") if (value := getattr(asked, name)) is not None
    }
    if asked.month is not None:
        values["month"] = f"{asked.month}-01"
    filters = [f"t.{name} = " + (f"CAST(:{name} AS date)" if name == "month" else f":{name}") for name in values]
    return fetch(scope, Listing("fees", ", ".join(f"t.{name}" for name in _NAMES), filters, values), asked, _fee)


def _row(scope: Scope, record: FeeRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _NAMES}
    return values | {"merchant_id": scope.merchant_id, "lines": orjson.dumps(record.lines).decode()}


def _fee(row: RowMapping) -> FeeRecord:
    return FeeRecord(**row)
