"""A settlement batch: one line a payment and refund, the fees, the payout. Pure, in integers of minor units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Literal
from zoneinfo import ZoneInfo

from regions.money import exponent

LineType = Literal["Settled", "Refunded", "Fee", "MerchantPayout", "Chargeback", "ChargebackReversed", "Enchantment"]
# The last is nobody's.

_BOOKING_TIME = time(23, 59, 59)  # a batch is booked after everything that it holds
_PARTS = 1_000_000
_VARIANTS = {"visa": "visastandardcredit", "mc": "mcstandardcredit", "amex": "amex"}
AUTOMATIC = "<auto>"  # the modification reference of a capture that nobody asked for


@dataclass(frozen=True)
class Fees:
    """What the PSP keeps of one payment, in minor units: a blended commission, or the three parts of interchange++."""

    commission_minor: int = 0
    markup_minor: int = 0
    scheme_minor: int = 0
    interchange_minor: int = 0

    @property
    def total_minor(self) -> int:
        """All of it."""
        return self.commission_minor + self.markup_minor + self.scheme_minor + self.interchange_minor


@dataclass(frozen=True)
class Item:
    """A captured payment, or a succeeded refund (then with a `refund_id`), that no batch holds yet."""

    payment_id: str
    capture_reference: str
    attempt_reference: str
    brand: str
    currency: str
    amount_minor: int
    created_at: datetime
    refund_id: str | None = None
    own_reference: str | None = None  # the merchant's, of the refund or of the capture that it asked for
    dispute_id: str | None = None  # then nothing was captured or refunded: the dispute took it, or gave it back
    movement_id: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of the report. Credit is positive, debit negative."""

    type: LineType
    created_at: datetime
    booked_at: datetime
    net_currency: str
    net_minor: int
    psp_reference: str = ""
    merchant_reference: str = ""
    payment_method: str = ""
    variant: str = ""
    modification_reference: str = ""
    modification_merchant_reference: str = ""
    gross_currency: str | None = None
    gross_minor: int | None = None
    commission_minor: int = 0
    markup_minor: int = 0
    scheme_minor: int = 0
    interchange_minor: int = 0
    exchange_rate: str = "1"  # from the gross to the net currency, as printed

    @property
    def fees(self) -> Fees:
        """The line's fees."""
        return Fees(self.commission_minor, self.markup_minor, self.scheme_minor, self.interchange_minor)


def day_end(day: date, tz: ZoneInfo) -> datetime:
    """The instant at which the business day is over."""
    return datetime.combine(day + timedelta(days=1), time(), tz)


def booking_time(day: date, tz: ZoneInfo) -> datetime:
    """When a batch of that business day is booked."""
    return datetime.combine(day, _BOOKING_TIME, tz)


def fees_of(amount_minor: int, brand: str) -> Fees:
    """The price list: 2.40 % blended for American Express, else 0.30 % interchange, 0.08 % scheme and 0.22 % markup."""
    if brand == "amex":
        return Fees(commission_minor=_share(amount_minor, 24_000))
    return Fees(
        markup_minor=_share(amount_minor, 2_200),
        scheme_minor=_share(amount_minor, 800),
        interchange_minor=_share(amount_minor, 3_000),
    )


def transaction_fee_minor(currency: str) -> int:
    """What one settled payment costs besides: 0.10 of the major unit, nothing where there are no minor units."""
    return 10 ** exponent(currency) // 10 if exponent(currency) else 0


def line_of(item: Item, booked_at: datetime) -> Line:
    """The line of a payment or of a refund. Refunds are free."""
    if item.dispute_id is not None:
        return _disputed(item, item.dispute_id, booked_at)
    is_refund = item.refund_id is not None
    fees = Fees() if is_refund else fees_of(item.amount_minor, item.brand)
    gross_minor = -item.amount_minor if is_refund else item.amount_minor
    return Line(
        type="Refunded" if is_refund else "Settled",
        created_at=item.created_at,
        booked_at=booked_at,
        psp_reference=item.payment_id,
        merchant_reference=item.attempt_reference,
        payment_method=item.brand,
        variant=_VARIANTS.get(item.brand, item.brand),
        modification_reference=item.refund_id or item.capture_reference,
        modification_merchant_reference=item.own_reference or AUTOMATIC,
        gross_currency=item.currency,
        gross_minor=gross_minor,
        net_currency=item.currency,
        net_minor=gross_minor - fees.total_minor,
        commission_minor=fees.commission_minor,
        markup_minor=fees.markup_minor,
        scheme_minor=fees.scheme_minor,
        interchange_minor=fees.interchange_minor,
    )


def _disputed(item: Item, dispute_id: str, booked_at: datetime) -> Line:
    """The line of a chargeback or of its reversal: it names the payment, and the dispute as what modified it."""
    return Line(
        type="Chargeback" if item.amount_minor < 0 else "ChargebackReversed",
        created_at=item.created_at,
        booked_at=booked_at,
        psp_reference=item.payment_id,
        merchant_reference=item.attempt_reference,
        payment_method=item.brand,
        variant=_VARIANTS.get(item.brand, item.brand),
        modification_reference=dispute_id,
        gross_currency=item.currency,
        gross_minor=item.amount_minor,
        net_currency=item.currency,
        net_minor=item.amount_minor,
    )


def closing_lines(lines: Sequence[Line], account: str, batch_number: int, day: date, booked_at: datetime) -> list[Line]:
    """Per currency the transaction fees and the payout: with them, the nets of the currency add up to zero.

    When refunds and fees outweigh payments the payout is a credit: the merchant owes it.
    """
    closing = []
    by_currency = sorted(lines, key=lambda line: line.net_currency)
    for currency, group in groupby(by_currency, key=lambda line: line.net_currency):
        members = list(group)
        settled_count = sum(line.type == "Settled" for line in members)
        fee_minor = settled_count * transaction_fee_minor(currency)
        payout_minor = sum(line.net_minor for line in members) - fee_minor
        if fee_minor:
            closing.append(
                Line(
                    type="Fee",
                    created_at=booked_at,
                    booked_at=booked_at,
                    modification_reference=f"Transaction Fees {day:%B %d %Y}",
                    net_currency=currency,
                    net_minor=-fee_minor,
                )
            )
        closing.append(
            Line(
                type="MerchantPayout",
                created_at=booked_at,
                booked_at=booked_at,
                modification_reference=f"TX{batch_number:09d}{currency} batch {batch_number}, {account}",
                net_currency=currency,
                net_minor=-payout_minor,
            )
        )
    return closing


def _share(amount_minor: int, millionths: int) -> int:
    """A share of an amount in whole minor units, rounded half to even."""
    whole, rest = divmod(amount_minor * millionths, _PARTS)
    is_up = 2 * rest > _PARTS or (2 * rest == _PARTS and whole % 2 == 1)
    return whole + is_up
