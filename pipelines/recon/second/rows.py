"""What the second implementation reads and finds: lines, items, their terms, and the outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pipelines.recon.fees import FeeBook

MOVEMENTS = frozenset(
    {"payment", "payment_reversal", "refund", "refund_reversal", "unknown"}
    | {"chargeback", "second_chargeback", "chargeback_reversal"}
)
FAMILIES = {
    "payment_reversal": "payment",
    "refund_reversal": "refund",
    "second_chargeback": "chargeback",
    "chargeback_reversal": "chargeback",
}
PAIRED = frozenset({"payment", "refund"})
DISPUTES = frozenset({"chargeback", "second_chargeback", "chargeback_reversal"})
Place = tuple[bool, str, str]  # livemode, gateway, gateway account


@dataclass(frozen=True, slots=True)
class Item:
    """What our books hold against a gateway; refunds are negative."""

    item_id: str
    kind: str
    place: Place
    payment_reference: str | None
    reference: str
    merchant_reference: str
    currency: str
    amount_minor: int
    occurred_at: datetime
    booked_on: date


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a settlement report."""

    line_id: str
    type: str
    place: Place
    psp_reference: str | None
    merchant_reference: str | None
    modification_reference: str | None
    modification_merchant_reference: str | None
    payment_method: str | None
    payment_method_variant: str | None
    currency: str
    gross_minor: int
    exchange_rate: str | None
    net_currency: str
    net_minor: int
    charged: tuple[int, int, int, int]  # interchange, scheme, markup, commission, in the net currency
    report_date: date
    batch_number: int
    line_number: int
    created_at: datetime
    closed_at: datetime

    @property
    def fees_minor(self) -> int:
        """What the gateway kept of the line."""
        return sum(self.charged)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a gateway may do."""

    grace_hours: int
    transit_days_max: int
    amount_tolerance_minor: int
    early_days_max: int
    late_hours_max: int


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that reconciliation is told besides lines and items."""

    business_date: date
    timezone: ZoneInfo
    terms: Mapping[str, Terms]
    types: Mapping[str, tuple[str, bool]]  # journal type → kind, whether it is in parts
    region: str
    fees: FeeBook
    exponents: Mapping[str, int]  # of currencies

    def kind(self, journal_type: str) -> str:
        """What a journal type is to us."""
        return self.types.get(journal_type, ("unknown", False))[0]

    def is_movement(self, journal_type: str) -> bool:
        """Whether its lines move a payer's money, or may."""
        return self.kind(journal_type) in MOVEMENTS


@dataclass(slots=True)
class Outcome:
    """What was found. A break is (class, line, item); an item of a group stands in `grouped_items`."""

    matches: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # line → pass, item
    groups: set[tuple[str, frozenset[str], frozenset[str]]] = field(default_factory=set)  # pass, lines, items
    adjustments: dict[str, int] = field(default_factory=dict)  # line → minor units
    breaks: set[tuple[str, str | None, str | None]] = field(default_factory=set)
    in_transit: set[str] = field(default_factory=set)
    fees: set[tuple[str, str, str | None, int, int]] = field(default_factory=set)
    # line, component, contract, charged and expected, where these differ
