"""Stripe's JSON documents, and what they state in our words."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, field_validator

from web.gateways.declines import DisputeReason
from web.gateways.disputes import Dispute
from web.gateways.domain import Action, ActionKind, Answer, Card, Fact, RefundAnswer, Saved, StepFact
from web.gateways.errors import GatewayDocumentError
from web.gateways.reading import Document
from web.gateways.stripe.tables import (
    CANCELLATIONS,
    DISPUTE_REASONS,
    DISPUTE_STATUSES,
    INTENT_STATUSES,
    MINOR_UNITS,
    REFUND_STATUSES,
    VOIDED,
    decline,
)

Reference = Annotated[str, Field(min_length=1, max_length=255)]
Currency = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]
Url = Annotated[str, Field(pattern=r"^https?://", max_length=8192)]


class CardDetails(Document):
    """A card as a payment method shows it."""

    brand: str | None = None
    last4: str | None = None
    fingerprint: str | None = None

    def card(self) -> Card:
        """The same in our words."""
        return Card(self.brand, self.last4, self.fingerprint)


class PaymentMethod(Document):
    """What pays."""

    id: Reference
    customer: str | None = None
    card: CardDetails | None = None


class PaymentError(Document):
    """Why the last try failed."""

    code: str | None = None
    decline_code: str | None = None


class Redirect(Document):
    """Where the payer goes next."""

    url: Url


class NextAction(Document):
    """What has to happen next."""

    type: str
    redirect_to_url: Redirect | None = None


class PaymentIntent(Document):
    """One attempt."""

    id: Reference
    status: str
    amount: int
    amount_received: int | None = None
    currency: Currency
    metadata: dict[str, str] = Field(default_factory=dict)
    customer: str | None = None
    setup_future_usage: str | None = None
    payment_method: PaymentMethod | None = None
    last_payment_error: PaymentError | None = None
    next_action: NextAction | None = None
    cancellation_reason: str | None = None

    @field_validator("payment_method", mode="before")
    @classmethod
    def _may_be_an_id(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    def answer(self) -> Answer:
        """The fact that this document states."""
        fact = INTENT_STATUSES.get(self.status)
        method = self.payment_method
        card = method.card.card() if method and method.card else None
        match fact:
            case Fact.CAPTURED | Fact.AUTHORISED:
                wire = self.amount_received if fact is Fact.CAPTURED and self.amount_received else self.amount
                moved = MINOR_UNITS.from_wire(wire, self.currency)
                return Answer(fact, self.id, card=card, moved=moved, saved=self._saved(card))
            case Fact.REQUIRES_ACTION:
                if self.next_action is None or self.next_action.redirect_to_url is None:
                    raise GatewayDocumentError("Stripe requires an action that is no redirect.")
                url = self.next_action.redirect_to_url.url
                return Answer(fact, self.id, action=Action(ActionKind.THREE_DS, url), card=card)
            case Fact.DECLINED:
                return self._declined(card)
            case Fact.PENDING:
                return Answer(fact, self.id, card=card)
            case _:
                raise GatewayDocumentError("Stripe names a state of a payment that we do not know.")

    def _declined(self, card: Card | None) -> Answer:
        if self.status == "canceled":
            why = CANCELLATIONS.get(self.cancellation_reason or "", VOIDED)
            word = self.cancellation_reason
        elif self.last_payment_error is None:
            return Answer(Fact.PENDING, self.id)
        else:
            error = self.last_payment_error
            why, word = decline(error.decline_code, error.code), error.decline_code or error.code
        return Answer(Fact.DECLINED, self.id, why.reason, card=card, retry=why.retry, gateway_code=word)

    def _saved(self, card: Card | None) -> Saved | None:
        payer = self.metadata.get("payer_reference")
        if not payer or not self.customer or self.payment_method is None or not self.metadata.get("is_saved"):
            return None
        return Saved(saved_id(self.customer, self.payment_method.id), payer, card)


class CheckoutSession(Document):
    """Stripe's own page."""

    id: Reference
    status: str | None = None
    url: str | None = None
    client_reference_id: str | None = None
    payment_intent: PaymentIntent | str | None = None

    def answer(self) -> Answer:
        """The fact that this document states; a completed one speaks through its payment."""
        if isinstance(self.payment_intent, PaymentIntent) and self.status != "open":
            return self.payment_intent.answer()
        if self.status == "expired":
            why = CANCELLATIONS["abandoned"]
            return Answer(Fact.DECLINED, self.id, why.reason, retry=why.retry, gateway_code="session_expired")
        if self.status == "open" and self.url:
            return Answer(Fact.REQUIRES_ACTION, self.id, action=Action(ActionKind.REDIRECT, self.url))
        return Answer(Fact.PENDING, self.id)


class Refund(Document):
    """Money on its way back."""

    id: Reference
    status: str | None = None
    amount: int
    currency: Currency
    metadata: dict[str, str] = Field(default_factory=dict)
    failure_reason: str | None = None

    def answer(self) -> RefundAnswer:
        """The fact that this document states."""
        fact = REFUND_STATUSES.get(self.status or "")
        if fact is None:
            raise GatewayDocumentError("Stripe names a state of a refund that we do not know.")
        if fact is StepFact.SUCCEEDED:
            return RefundAnswer(fact, self.id, moved=MINOR_UNITS.from_wire(self.amount, self.currency))
        code = self.failure_reason or "refund_failed" if fact is StepFact.FAILED else None
        return RefundAnswer(fact, self.id, code)


class SetupIntent(Document):
    """A method to be kept."""

    id: Reference
    status: str
    customer: str | None = None
    payment_method: PaymentMethod | str | None = None
    next_action: NextAction | None = None


class EvidenceDetails(Document):
    """Until when evidence counts."""

    due_by: int | None = None


class DisputeDocument(Document):
    """A payer's complaint."""

    id: Reference
    status: str
    amount: int
    currency: Currency
    reason: str
    created: int
    payment_intent: str | None = None
    charge: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    evidence_details: EvidenceDetails = EvidenceDetails()

    def dispute(self) -> Dispute:
        """The same in our words."""
        status = DISPUTE_STATUSES.get(self.status)
        if status is None:
            raise GatewayDocumentError("Stripe names a state of a dispute that we do not know.")
        due_by = self.evidence_details.due_by
        return Dispute(
            gateway_reference=self.id,
            payment_reference=self.payment_intent or self.charge or "",
            amount=MINOR_UNITS.from_wire(self.amount, self.currency),
            status=status,
            reason=DISPUTE_REASONS.get(self.reason, DisputeReason.GENERAL),
            opened_at=datetime.fromtimestamp(self.created, UTC),
            evidence_due_at=None if due_by is None else datetime.fromtimestamp(due_by, UTC),
            gateway_reason=self.reason,
        )


class IntentList(Document):
    """A page of payments."""

    data: list[PaymentIntent]
    has_more: bool


class SessionList(Document):
    """A page of Stripe's own pages."""

    data: list[CheckoutSession]
    has_more: bool


class RefundList(Document):
    """A page of refunds."""

    data: list[Refund]
    has_more: bool


class DisputeList(Document):
    """A page of disputes."""

    data: list[DisputeDocument]
    has_more: bool


class Customer(Document):
    """The payer whom a kept method belongs to."""

    id: Reference


class EventData(Document):
    """What an event is about."""

    object: dict[str, Any]


class Event(Document):
    """A webhook."""

    id: Reference
    type: str
    livemode: bool = False
    data: EventData


class ErrorDetails(Document):
    """Why a request failed."""

    type: str | None = None
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    payment_intent: dict[str, Any] | None = None


class ErrorDocument(Document):
    """A failed request."""

    error: ErrorDetails


def saved_id(customer: str, payment_method: str) -> str:
    """How we name a kept method: Stripe charges it with its customer only."""
    return f"{customer}/{payment_method}"
