from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from web.db.scope import Scope

# For a statement that writes a business row and its event at once; the parameters come from `domain.parameters`.
APPEND_CALL = """append_event(:event_type, :event_family, :event_subject, :merchant_id, :livemode,
  CAST(:event_schema_version AS smallint), :correlation_id, CAST(:event_data AS jsonb), CAST(:event_pii AS jsonb))"""

_APPEND = text(f"SELECT event_id, event_sequence FROM {APPEND_CALL}")  # noqa: S608 - two constants


class Appended(NamedTuple):
    """The event's id (UUIDv7) and its number in its object's order, from 1."""

    event_id: UUID
    sequence: int


def append(scope: Scope, parameters: dict[str, Any]) -> Appended:
    """Call append_event: it locks the object's sequence until the transaction ends."""
    return Appended(*scope.connection.execute(_APPEND, parameters).tuples().one())
