from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice or credit note as issued. `document` has its figures; nothing of it ever changes."""

    number: str
    merchant_id: str
    livemode: bool
    kind: str  # invoice or credit_note
    credits: str | None  # the number that a credit note takes back
    month: date  # its first day
    currency: str
    revision: int
    total_minor: int
    document: Mapping[str, Any]
    reason: str | None
    issued_by: str
    issued_on: date
    issued_at: datetime
