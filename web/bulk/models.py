from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Job:
    """A bulk job. Times are UTC."""

    id: str
    livemode: bool
    kind: str
    campaign: str | None
    expires_at: datetime | None
    status: str
    row_count: int
    succeeded_count: int
    failed_count: int
    request_id: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that a worker holds until its transaction ends, with whose it is."""

    job: Job
    merchant_id: str
