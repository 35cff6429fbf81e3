from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import orjson
from sqlalchemy import text

from web.db.scope import Scope
from web.links.models import Link
from web.outbox.repository import APPEND_CALL

_COLUMNS = ", ".join(field.name for field in fields(Link))

# The row and its event in one round trip.
_INSERT = text(f"""
WITH link AS (
  INSERT INTO links (merchant_id, {_COLUMNS})
  VALUES (:merchant_id, {", ".join(f":{field.name}" for field in fields(Link))})
)
SELECT event_id, event_sequence FROM {APPEND_CALL}
""")  # noqa: S608 - constants of this codebase
_GET = text(f"SELECT {_COLUMNS} FROM links WHERE id = :id AND livemode = :livemode")  # noqa: S608
_GET_LOCKED = text(f"SELECT {_COLUMNS} FROM links WHERE id = :id AND livemode = :livemode FOR UPDATE")  # noqa: S608
_DEACTIVATE = text("UPDATE links SET status = 'deactivated', deactivated_at = :now WHERE id = :id")
_PAGE = text(f"""
SELECT {_COLUMNS} FROM links
 WHERE merchant_id = :merchant_id AND livemode = :livemode
 ORDER BY created_at DESC, id DESC LIMIT :limit
""")  # noqa: S608
_PAGE_AFTER = text(f"""
SELECT {_COLUMNS} FROM links
 WHERE merchant_id = :merchant_id AND livemode = :livemode
   AND (created_at, id) < (SELECT created_at, id FROM links WHERE id = :cursor)
 ORDER BY created_at DESC, id DESC LIMIT :limit
""")  # noqa: S608


def insert(scope: Scope, link: Link, event: Mapping[str, Any]) -> None:
    """Insert a link together with its event (the parameters of `web.outbox.service.parameters`)."""
    row = asdict(link) | {"metadata": orjson.dumps(link.metadata).decode()}
    scope.connection.execute(_INSERT, {**row, **event})


def get(scope: Scope, link_id: str, *, is_locked: bool = False) -> Link | None:
    """A link of the scope's merchant and mode, with its row locked until the transaction ends if asked."""
    statement = _GET_LOCKED if is_locked else _GET
    row = scope.connection.execute(statement, {"id": link_id, "livemode": scope.livemode}).tuples().one_or_none()
    return None if row is None else Link(*row)


def deactivate(scope: Scope, link_id: str) -> None:
    """Mark a link as deactivated now."""
    scope.connection.execute(_DEACTIVATE, {"id": link_id, "now": scope.now})


def page(scope: Scope, *, limit: int, cursor: str | None) -> list[Link]:
    """The merchant's links, newest first, after the link whose id is `cursor`."""
    parameters = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "limit": limit}
    if cursor is None:
        rows = scope.connection.execute(_PAGE, parameters)
    else:
        rows = scope.connection.execute(_PAGE_AFTER, parameters | {"cursor": cursor})
    return [Link(*row) for row in rows.tuples()]
