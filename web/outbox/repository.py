from typing import Any, NamedTuple
from uuid import UUID

from web.db.engine import driver_of
from web.db.scope import Scope

# What ends a statement that makes an object, with its first event; it needs a CTE `made`, and `service.parameters`.
# Nobody else knows the object, so its sequence is 1 and there is no order to keep: half of what append_event costs.
APPEND_TO_MADE = """sequenced AS (
  INSERT INTO object_sequences (object_id, merchant_id, sequence)
  SELECT %(event_subject)s, %(merchant_id)s, 1 FROM made RETURNING 1)
INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id,
                    data, pii)
SELECT uuidv7(), %(event_type)s, %(event_family)s, %(event_subject)s, 1, %(merchant_id)s, %(livemode)s,
       clock_timestamp(), %(event_schema_version)s::smallint, %(correlation_id)s, %(event_data)s::jsonb,
       %(event_pii)s::jsonb
  FROM sequenced
RETURNING 1"""

_APPEND = """
SELECT event_id, event_sequence
  FROM append_event(%(event_type)s, %(event_family)s, %(event_subject)s, %(merchant_id)s, %(livemode)s,
                    %(event_schema_version)s::smallint, %(correlation_id)s, %(event_data)s::jsonb, %(event_pii)s::jsonb)
"""
_APPEND_FIRST = "SELECT append_first_events(%s, %s, %s, %s, %s::smallint, %s, %s::json)"


class Appended(NamedTuple):
    """The event's id (UUIDv7) and its number in its object's order, from 1."""

    event_id: UUID
    sequence: int


def append(scope: Scope, parameters: dict[str, Any]) -> Appended:
    """Call append_event: it locks the object's sequence until the transaction ends."""
    return Appended(*driver_of(scope.connection).execute(_APPEND, parameters).fetchall()[0])


def append_first(scope: Scope, name: str, family: str, version: int, told: str) -> None:
    """Call append_first_events: JSON, [{"subject": …, "data": …}, …]."""
    values = (name, family, scope.merchant_id, scope.livemode, version, scope.correlation_id, told)
    driver_of(scope.connection).execute(_APPEND_FIRST, values)
