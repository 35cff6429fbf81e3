from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the outbox, as its merchant may see it: `data` is without the fields that its contract calls pii."""

    id: str
    uuid: UUID
    type: str
    subject: str
    sequence: int
    schema_version: int
    data: dict[str, Any]
    correlation_id: str | None
    livemode: bool
    time: datetime
