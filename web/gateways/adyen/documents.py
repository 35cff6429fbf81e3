"""Adyen's JSON documents, and what they state in our words."""

from typing import Annotated, Any

from pydantic import Field

from regions.money import Money
from web.gateways.adyen.tables import MINOR_UNITS, RESULTS, SESSION_DECLINES, SESSION_STATUSES, refusal
from web.gateways.domain import Action, ActionKind, Answer, CaptureMode, Card, Fact, Saved
from web.gateways.errors import GatewayDocumentError
from web.gateways.reading import Document

Reference = Annotated[str, Field(min_length=1, max_length=128)]
Extras = Annotated[dict[str, Any], Field(default_factory=dict)]


class Amount(Document):
    """An amount in Adyen's minor units."""

    value: int
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def money(self) -> Money:
        """The same in ours."""
        return MINOR_UNITS.from_wire(self.value, self.currency)


class ActionDocument(Document):
    """What the payer has to do."""

    type: str
    method: str = "GET"
    url: Annotated[str, Field(pattern=r"^https?://", max_length=8192)] | None = None
    paymentMethodType: str | None = None  # noqa: N815 - Adyen's name

    def action(self) -> Action:
        """Where the payer goes. Raises GatewayDocumentError for an action that needs Adyen's scripts."""
        if self.type != "redirect" or self.url is None or self.method != "GET":
            raise GatewayDocumentError("Adyen requires an action that is no plain redirect.")
        return Action(ActionKind.THREE_DS if self.paymentMethodType == "scheme" else ActionKind.REDIRECT, self.url)


class MethodDocument(Document):
    """What was paid with."""

    type: str | None = None
    brand: str | None = None


class PaymentDocument(Document):
    """The answer to a payment, and to its details."""

    pspReference: Reference | None = None  # noqa: N815 - Adyen's name
    merchantReference: str | None = None  # noqa: N815 - Adyen's name
    resultCode: str  # noqa: N815 - Adyen's name
    amount: Amount | None = None
    action: ActionDocument | None = None
    refusalReason: str | None = None  # noqa: N815 - Adyen's name
    refusalReasonCode: str | None = None  # noqa: N815 - Adyen's name
    paymentMethod: MethodDocument | None = None  # noqa: N815 - Adyen's name
    additionalData: Extras  # noqa: N815 - Adyen's name

    def answer(self, asked: Money | None, capture: CaptureMode) -> Answer:
        """The fact that this document states; without an amount of its own it is about the one asked for."""
        fact = RESULTS.get(self.resultCode)
        card = card_of(self.additionalData, self.paymentMethod.brand if self.paymentMethod else None)
        match fact:
            case Fact.CAPTURED:
                moved = self.amount.money() if self.amount else asked
                if moved is None:
                    raise GatewayDocumentError("Adyen names no amount, and we know of none.")
                taken = Fact.AUTHORISED if capture is CaptureMode.MANUAL else Fact.CAPTURED
                return Answer(
                    taken, self._reference(), card=card, moved=moved, saved=saved_of(self.additionalData, card)
                )
            case Fact.REQUIRES_ACTION:
                if self.action is None:
                    raise GatewayDocumentError("Adyen requires an action and names none.")
                return Answer(fact, self.pspReference, action=self.action.action(), card=card)
            case Fact.DECLINED:
                why = refusal(self.refusalReasonCode, self.refusalReason, _default(self.resultCode))
                word = self.refusalReasonCode or self.refusalReason
                return Answer(fact, self.pspReference, why.reason, card=card, retry=why.retry, gateway_code=word)
            case Fact.PENDING:
                return Answer(fact, self.pspReference, card=card)
            case _:
                raise GatewayDocumentError("Adyen names a result that we do not know.")

    def saved(self) -> Saved | None:
        """What was kept for later."""
        return saved_of(self.additionalData, card_of(self.additionalData, None))

    def _reference(self) -> str:
        if self.pspReference is None:
            raise GatewayDocumentError("Adyen names no reference of a payment.")
        return self.pspReference


class SessionPayment(Document):
    """One payment of a session."""

    pspReference: Reference  # noqa: N815 - Adyen's name
    resultCode: str | None = None  # noqa: N815 - Adyen's name
    amount: Amount


class SessionDocument(Document):
    """Adyen's own page, when it is made and when it is asked about."""

    id: Reference
    url: Annotated[str, Field(pattern=r"^https?://", max_length=8192)] | None = None
    status: str | None = None
    payments: list[SessionPayment] = Field(default_factory=list)

    def opened(self) -> Answer:
        """The page is there."""
        if self.url is None:
            raise GatewayDocumentError("Adyen names no page.")
        return Answer(Fact.REQUIRES_ACTION, self.id, action=Action(ActionKind.REDIRECT, self.url))

    def answer(self, capture: CaptureMode) -> Answer:
        """What has become of it."""
        fact = SESSION_STATUSES.get(self.status or "")
        if fact is Fact.CAPTURED and self.payments:
            paid = self.payments[-1]
            taken = Fact.AUTHORISED if capture is CaptureMode.MANUAL else Fact.CAPTURED
            return Answer(taken, paid.pspReference, moved=paid.amount.money())
        if fact is Fact.DECLINED:
            why = SESSION_DECLINES[self.status or ""]
            return Answer(fact, self.id, why.reason, retry=why.retry, gateway_code=f"session_{self.status}")
        if fact is Fact.PENDING:
            return Answer(fact, self.id)
        raise GatewayDocumentError("Adyen names a state of a session that we do not know.")


class StepDocument(Document):
    """The answer to a capture, a cancel or a refund: it was received, and a webhook tells the rest."""

    pspReference: Reference  # noqa: N815 - Adyen's name
    status: str


class ErrorDocument(Document):
    """Why a request failed."""

    errorCode: str | None = None  # noqa: N815 - Adyen's name
    errorType: str | None = None  # noqa: N815 - Adyen's name


def card_of(extras: dict[str, Any], brand: str | None) -> Card | None:
    """A card as the additional data shows it, where the account is set to show it."""
    last4, fingerprint = extras.get("cardSummary"), extras.get("alias")
    shown = brand or extras.get("paymentMethod")
    return None if last4 is None and fingerprint is None else Card(shown, last4, fingerprint)


def saved_of(extras: dict[str, Any], card: Card | None) -> Saved | None:
    """What was kept for later."""
    kept = extras.get("tokenization.storedPaymentMethodId") or extras.get("recurring.recurringDetailReference")
    payer = extras.get("tokenization.shopperReference") or extras.get("recurring.shopperReference")
    return Saved(str(kept), str(payer), card) if kept and payer else None


def _default(result: str) -> str:
    return {"Cancelled": "Cancelled", "Error": "Acquirer Error"}.get(result, "Refused")
