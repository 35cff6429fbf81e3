"""The sandbox's JSON documents, and what they state in our words."""

from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, Field

from regions.money import Money
from web.gateways.declines import DisputeReason
from web.gateways.disputes import Dispute, DisputeStatus
from web.gateways.domain import (
    Action,
    ActionKind,
    Answer,
    CaptureAnswer,
    Card,
    Fact,
    MoneyAnswer,
    RefundAnswer,
    Saved,
    StepFact,
    VoidAnswer,
)
from web.gateways.errors import GatewayDocumentError
from web.gateways.reading import Document, money
from web.gateways.sandbox.tables import DISPUTE_REASONS, DISPUTE_STATUSES, decline

MoneyAnswerT = TypeVar("MoneyAnswerT", bound=MoneyAnswer)
Reference = Annotated[str, Field(min_length=1, max_length=128)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
MinorUnits = Annotated[int, Field(strict=True, gt=0)]


class ActionDocument(Document):
    """Where the payer goes next."""

    kind: ActionKind
    url: Annotated[str, Field(pattern=r"^https?://", max_length=2048)]


class CardDocument(Document):
    """What the sandbox shows of a card."""

    brand: str | None = None
    last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    fingerprint: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")] | None = None

    def card(self) -> Card:
        """The same in our words."""
        return Card(**self.model_dump())


class SavedDocument(Document):
    """A method that may be charged again."""

    id: Reference
    payer_reference: Reference
    card: CardDocument | None = None

    def saved(self, card: Card | None = None) -> Saved:
        """The same in our words."""
        return Saved(self.id, self.payer_reference, self.card.card() if self.card else card)


class PaymentDocument(Document):
    """A payment at the sandbox; `reference` is our attempt's id."""

    id: Reference
    reference: Reference
    status: Literal["captured", "authorised", "declined", "voided", "requires_action", "pending"]
    decline_code: Code | None = None
    action: ActionDocument | None = None
    amount_minor: MinorUnits
    captured_minor: Annotated[int, Field(strict=True, ge=0)] | None = None
    currency: CurrencyCode
    card: CardDocument | None = None
    saved_method: SavedDocument | None = None

    def answer(self) -> Answer:
        """The fact that this document states."""
        card = self.card.card() if self.card else None
        saved = self.saved_method.saved(card) if self.saved_method else None
        match self.status:
            case "captured":
                moved = money(self.captured_minor or self.amount_minor, self.currency)
                return Answer(Fact.CAPTURED, self.id, card=card, moved=moved, saved=saved)
            case "authorised":
                moved = money(self.amount_minor, self.currency)
                return Answer(Fact.AUTHORISED, self.id, card=card, moved=moved, saved=saved)
            case "declined" | "voided":
                why = decline(self.decline_code)
                return Answer(
                    Fact.DECLINED,
                    self.id,
                    code=why.reason,
                    card=card,
                    retry=why.retry,
                    gateway_code=self.decline_code,
                )
            case "requires_action":
                if self.action is None:
                    raise GatewayDocumentError("The sandbox requires an action and names none.")
                action = Action(self.action.kind, self.action.url)
                return Answer(Fact.REQUIRES_ACTION, self.id, action=action, card=card)
            case "pending":
                return Answer(Fact.PENDING, self.id, card=card)


class _StepDocument(Document):
    """What a refund, a capture and a void have in common; `reference` is our id of it."""

    id: Reference
    payment_id: Reference
    reference: Reference
    status: Literal["succeeded", "pending", "failed"]
    failure_code: Code | None = None


class MoneyStepDocument(_StepDocument):
    """A refund or a capture."""

    amount_minor: MinorUnits
    currency: CurrencyCode

    def amount(self) -> Money:
        """The amount; its currency must exist."""
        return money(self.amount_minor, self.currency)

    def _answer(self, kind: type[MoneyAnswerT], otherwise: str) -> MoneyAnswerT:
        match self.status:
            case "succeeded":
                return kind(StepFact.SUCCEEDED, self.id, moved=self.amount())
            case "failed":
                return kind(StepFact.FAILED, self.id, self.failure_code or otherwise)
            case "pending":
                return kind(StepFact.PENDING, self.id)


class RefundDocument(MoneyStepDocument):
    """A refund at the sandbox."""

    def answer(self) -> RefundAnswer:
        """The fact that this document states."""
        return self._answer(RefundAnswer, "refund_failed")


class CaptureDocument(MoneyStepDocument):
    """A capture at the sandbox."""

    def answer(self) -> CaptureAnswer:
        """The fact that this document states."""
        return self._answer(CaptureAnswer, "capture_failed")


class VoidDocument(_StepDocument):
    """A void at the sandbox."""

    def answer(self) -> VoidAnswer:
        """The fact that this document states."""
        code = self.failure_code or "void_failed" if self.status == "failed" else None
        return VoidAnswer(StepFact(self.status), self.id, code)


class DisputeDocument(Document):
    """A dispute at the sandbox; `payment_reference` is our attempt's id."""

    id: Reference
    payment_id: Reference
    payment_reference: str
    reason: str
    network_code: str
    status: str
    amount_minor: MinorUnits
    currency: CurrencyCode
    opened_at: AwareDatetime
    evidence_due_at: AwareDatetime | None = None

    def dispute(self) -> Dispute:
        """The same in our words."""
        status = DISPUTE_STATUSES.get(self.status)
        if status is None:
            raise GatewayDocumentError("The sandbox names a state of a dispute that we do not know.")
        return Dispute(
            gateway_reference=self.id,
            payment_reference=self.payment_id,
            amount=money(self.amount_minor, self.currency),
            status=DisputeStatus(status),
            reason=DISPUTE_REASONS.get(self.reason, DisputeReason.GENERAL),
            opened_at=self.opened_at,
            evidence_due_at=self.evidence_due_at,
            gateway_reason=self.network_code,
            attempt_id=self.payment_reference or None,
        )


class PaymentList(Document):
    """The answer to a look-up by reference."""

    data: list[PaymentDocument]


class RefundList(Document):
    """The answer to a look-up by reference."""

    data: list[RefundDocument]


class CaptureList(Document):
    """The answer to a look-up by reference."""

    data: list[CaptureDocument]


class VoidList(Document):
    """The answer to a look-up by reference."""

    data: list[VoidDocument]


class DisputeList(Document):
    """A page of disputes."""

    data: list[DisputeDocument]
    has_more: bool


class WebhookDocument(Document):
    """A webhook's outer shape; `data` is read once the type is known."""

    id: Reference
    type: Annotated[str, Field(min_length=1, max_length=64)]
    account: Reference
    data: dict[str, object]


class ErrorDocument(Document):
    """A refusal. The sandbox names its reason in `code`."""

    code: Code
