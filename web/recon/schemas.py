from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from regions.events import timestamp
from regions.posting import BATCH_MAX
from web.http.bodies import Body, Moment, Text
from web.recon.models import Resolution

MINOR_MAX = 2**53 - 1
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]+_[a-z][a-z0-9]{1,7}_[0-7][0-9a-hjkmnp-tv-z]{25}\z")]
MerchantId = Annotated[str, StringConstraints(pattern=r"^merch_[a-z][a-z0-9]{1,7}_[0-7][0-9a-hjkmnp-tv-z]{25}\z")]
Minor = Annotated[int, Field(ge=-MINOR_MAX, le=MINOR_MAX)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\z")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}\z")]
Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}\z")]
Account = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(:[A-Za-z0-9_-]+)*\z", max_length=100)]
Reference = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[Text, StringConstraints(min_length=1, max_length=500)]


class SettlementFact(Body):
    """A settlement line, and the payment or refund that it settles."""

    type: Literal["settlement"]
    gateway: Word
    kind: Word
    item_id: Id | None
    gross_currency: Currency | None
    gross_minor: Minor | None
    net_currency: Currency
    net_minor: Minor
    commission_minor: Minor
    markup_minor: Minor
    scheme_minor: Minor
    interchange_minor: Minor
    is_tolerated: bool
    booked_value_minor: Minor | None
    reference_value_minor: Minor | None
    occurred_at: Moment

    @model_validator(mode="after")
    def _foots(self) -> Self:
        fees_minor = self.commission_minor + self.markup_minor + self.scheme_minor + self.interchange_minor
        if (self.gross_currency is None) != (self.gross_minor is None):
            raise ValueError("a gross has an amount and a currency")
        if self.gross_currency == self.net_currency and self.gross_minor != self.net_minor + fees_minor:
            raise ValueError("gross less fees is not net")
        return self


class ItemFact(Body):
    """A payment or refund that is settled in a group of lines."""

    type: Literal["item"]
    gateway: Word
    item_id: Id
    occurred_at: Moment


class BankFact(Body):
    """An entry of a bank statement."""

    type: Literal["bank"]
    account: Place
    gateway: Word | None
    currency: Currency
    amount_minor: Minor
    outcome: Word
    payout_id: Reference | None  # the subject of the payout that it is, or is a part of
    occurred_at: Moment


class PayoutFact(Body):
    """What a batch paid out to our bank."""

    type: Literal["payout"]
    gateway: Word
    currency: Currency
    amount_minor: Minor
    occurred_at: Moment


class RevaluationFact(Body):
    """What an open balance in a foreign currency is worth more (or less) than it is carried at."""

    type: Literal["revaluation"]
    account: Account
    currency: Currency
    balance_minor: Minor
    carried_minor: Minor
    functional_currency: Currency
    amount_minor: Minor
    rate_date: Reference
    occurred_at: Moment


Fact = Annotated[SettlementFact | ItemFact | PayoutFact | BankFact | RevaluationFact, Field(discriminator="type")]


class WantedPosting(Body):
    """How one subject should be booked; `fact` null: not at all."""

    subject_id: Reference
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]
    fact: Fact | None


class PostPostings(Body):
    """POST /internal/v1/recon/postings: of one merchant, or without one of the platform's own books."""

    merchant_id: MerchantId | None
    livemode: bool
    rule_version: Annotated[int, Field(ge=1, le=32_767)]
    postings: Annotated[list[WantedPosting], Field(min_length=1, max_length=BATCH_MAX)]


class ProposeResolution(Body):
    """POST /internal/v1/recon/resolutions."""

    merchant_id: MerchantId | None
    livemode: bool
    break_id: Id
    break_class: Word
    action: Literal["write_off", "match"]
    gateway: Word
    line_id: Reference | None  # of the bank's leg: the entry, or the payout
    item_id: Reference | None  # of a match on the bank's leg: the payout
    other_break_id: Id | None = None
    reason: Reason
    actor: Reference


class DecideResolution(Body):
    """POST /internal/v1/recon/resolutions/<id>/decisions."""

    decision: Literal["approved", "rejected", "reopened"]
    actor: Reference
    reason: Reason | None = None


def resolution_json(found: Resolution) -> dict[str, Any]:
    """A resolution as the internal API shows it."""
    shown = (
        "break_id", "break_class", "action", "status", "gateway", "line_id", "item_id", "other_break_id", "currency",
        "amount_minor", "needs_checker", "reason", "proposed_by", "journal_id",
    )  # fmt: skip
    return {
        "id": found.id,
        "object": "recon_resolution",
        **{name: getattr(found, name) for name in shown},
        "proposed_at": timestamp(found.proposed_at),
    }
