from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Posting:
    """The newest posting of a subject; live while nothing has reversed its journal."""

    subject_id: str
    generation: int
    key: str
    journal_id: str
    item_id: str | None
    is_live: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a subject should be booked; without a fact: not at all."""

    subject_id: str
    key: str
    fact: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class NewPosting:
    """A row of recon_postings to write."""

    id: str
    subject_id: str
    generation: int
    key: str
    item_id: str | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """A proposal to resolve a break, with what was decided about it."""

    id: str
    livemode: bool
    break_id: str
    break_class: str
    action: str
    gateway: str
    line_id: str | None
    item_id: str | None
    other_break_id: str | None
    currency: str
    amount_minor: int
    needs_checker: bool
    reason: str
    idempotency_key: str
    proposed_by: str
    proposed_at: datetime
    status: str
    journal_id: str | None  # of the approval
