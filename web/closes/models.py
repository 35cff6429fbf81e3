from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a period: nothing is booked on `through` or before it any more."""

    through: date
    closed_by: str
    reason: str
    closed_at: datetime
