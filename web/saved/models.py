from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """A method that a payer has agreed to be charged on again. Times are UTC."""

    id: str
    livemode: bool
    subject_id: str
    gateway: str
    method: str
    card_brand: str | None
    card_last4: str | None
    status: str
    mandate: str
    mandate_reference: str | None
    mandate_creditor_id: str | None
    consented_at: datetime
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What saving a method agrees to: words shown; the mandate's reference and creditor where its scheme has them."""

    method: str
    scheme: str
    words: str
    reference: str | None
    creditor_id: str | None


@dataclass(frozen=True, slots=True)
class ToForget:
    """A deleted method that its gateway still has."""

    id: str
    gateway: str
    gateway_saved_id: str = field(repr=False)
    subject_id: str
