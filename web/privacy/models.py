from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """A data subject's wish to be erased, as someone wrote it down."""

    id: str
    subject_id: str
    requested_by: str
    reason: str
    idempotency_key: str
    status: str
    received_at: datetime
    closed_at: datetime | None
