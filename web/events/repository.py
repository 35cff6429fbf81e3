"""Events are read where they were written: the outbox. Rows go once every consumer has them, after a month or more.

What webhooks offer is shown here, and what they withhold is not (regions/contracts/webhooks.toml).
"""

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text

from regions.event_erasure import erase_fields
from regions.ids import id_of_uuid
from regions.webhook_catalog import CATALOG
from web.db.scope import Scope
from web.events.models import Event
from web.events.schemas import ListEvents

_COLUMNS = "id, type, subject, sequence, schema_version, data, correlation_id, livemode, time"
_OWN = "merchant_id = :merchant_id AND livemode = :livemode AND type = ANY(:offered)"
_GET = text(f"SELECT {_COLUMNS} FROM outbox WHERE id = :id AND {_OWN}")  # noqa: S608 - constants
# Ids begin with their millisecond, so a bound on them leaves out other days' partitions. A minute is room for clocks.
_WINDOW = {
    "created_from": "time >= :created_from AND id >= outbox_floor(:created_from - interval '1 minute')",
    "created_before": "time < :created_before AND id < outbox_floor(:created_before + interval '1 minute')",
}


def get(scope: Scope, event_id: UUID) -> Event | None:
    """One event of the scope's merchant and mode."""
    row = scope.connection.execute(_GET, {"id": event_id, **_own(scope)}).mappings().one_or_none()
    return None if row is None else _event(scope, row)


def page(scope: Scope, asked: ListEvents, cursor: UUID | None) -> tuple[list[Event], bool]:
    """A page of the merchant's events, newest first, and whether there are more. `cursor` is the one that is asked."""
    is_backward = asked.ending_before is not None
    where, values = [_OWN], _own(scope)
    for column, value in (("type", asked.type), ("subject", asked.object_id)):
        if value is not None:
            where.append(f"{column} = :{column}")
            values[column] = value
    for name, condition in _WINDOW.items():
        if (moment := getattr(asked, name)) is not None:
            where.append(condition)
            values[name] = moment
    if cursor is not None:
        where.append(f"id {'>' if is_backward else '<'} :cursor")
        values["cursor"] = cursor
    order = "ASC" if is_backward else "DESC"
    statement = f"SELECT {_COLUMNS} FROM outbox WHERE {' AND '.join(where)} ORDER BY id {order} LIMIT :row_limit"  # noqa: S608 - constants
    rows = scope.connection.execute(text(statement), values | {"row_limit": asked.limit + 1}).mappings()
    found = [_event(scope, row) for row in rows]
    shown = found[: asked.limit]
    return shown[::-1] if is_backward else shown, len(found) > asked.limit


def _own(scope: Scope) -> dict[str, Any]:
    return {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "offered": sorted(CATALOG.offered)}


def _event(scope: Scope, row: RowMapping) -> Event:
    values = dict(row)
    uuid = values.pop("id")
    values["data"] = erase_fields(values["type"], values["data"])
    return Event(id=id_of_uuid("event", scope.region.code, uuid), uuid=uuid, **values)
