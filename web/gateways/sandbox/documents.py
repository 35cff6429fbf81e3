"""The sandbox's JSON documents, parsed once at the border. Unknown members are ignored: a gateway may add some."""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regions.money import Money, UnknownCurrencyError
from web.gateways.domain import Action, ActionKind, Answer, Card, Fact, RefundAnswer, RefundFact
from web.gateways.errors import GatewayDocumentError

DocumentT = TypeVar("DocumentT", bound=BaseModel)
Reference = Annotated[str, Field(min_length=1, max_length=128)]
MinorUnits = Annotated[int, Field(strict=True, gt=0)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ActionDocument(_Document):
    """Where the payer goes next."""

    kind: ActionKind
    url: Annotated[str, Field(pattern=r"^https?://", max_length=2048)]


class CardDocument(_Document):
    """What the sandbox shows of a card."""

    brand: str | None = None
    last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    fingerprint: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")] | None = None

    def card(self) -> Card:
        """The same in our words."""
        return Card(**self.model_dump())


class PaymentDocument(_Document):
    """A payment at the sandbox; `reference` is our attempt's id."""

    id: Reference
    reference: Reference
    status: Literal["captured", "declined", "requires_action", "pending"]
    decline_code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")] | None = None
    action: ActionDocument | None = None
    amount_minor: MinorUnits
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    card: CardDocument | None = None

    def amount(self) -> Money:
        """The amount; its currency must exist."""
        try:
            return Money(self.amount_minor, self.currency)
        except UnknownCurrencyError as error:
            raise GatewayDocumentError("The sandbox names a currency that does not exist.") from error

    def answer(self) -> Answer:
        """The fact that this document states."""
        card = self.card.card() if self.card else None
        match self.status:
            case "captured":
                return Answer(Fact.CAPTURED, self.id, card=card, moved=self.amount())
            case "declined":
                return Answer(Fact.DECLINED, self.id, code=self.decline_code or "card_declined", card=card)
            case "requires_action":
                if self.action is None:
                    raise GatewayDocumentError("The sandbox requires an action and names none.")
                action = Action(self.action.kind, self.action.url)
                return Answer(Fact.REQUIRES_ACTION, self.id, action=action, card=card)
            case "pending":
                return Answer(Fact.PENDING, self.id, card=card)


class RefundDocument(_Document):
    """A refund at the sandbox; `reference` is our refund's id."""

    id: Reference
    payment_id: Reference
    reference: Reference
    status: Literal["succeeded", "pending", "failed"]
    failure_code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")] | None = None
    amount_minor: MinorUnits
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def amount(self) -> Money:
        """The amount; its currency must exist."""
        try:
            return Money(self.amount_minor, self.currency)
        except UnknownCurrencyError as error:
            raise GatewayDocumentError("The sandbox names a currency that does not exist.") from error

    def answer(self) -> RefundAnswer:
        """The fact that this document states."""
        match self.status:
            case "succeeded":
                return RefundAnswer(RefundFact.SUCCEEDED, self.id, moved=self.amount())
            case "failed":
                return RefundAnswer(RefundFact.FAILED, self.id, self.failure_code or "refund_failed")
            case "pending":
                return RefundAnswer(RefundFact.PENDING, self.id)


class PaymentList(_Document):
    """The answer to a look-up by reference."""

    data: list[PaymentDocument]


class RefundList(_Document):
    """The answer to a look-up by reference."""

    data: list[RefundDocument]


class WebhookDocument(_Document):
    """A webhook's outer shape; `data` is read once the type is known."""

    id: Reference
    type: Annotated[str, Field(min_length=1, max_length=64)]
    account: Reference
    data: dict[str, object]


class ErrorDocument(_Document):
    """A refusal. The sandbox names its reason in `code`."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]


def parse(model: type[DocumentT], raw: bytes) -> DocumentT:
    """Read a document, or raise GatewayDocumentError naming the first thing wrong with it (never its values)."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _unreadable(error) from None


def parse_object(model: type[DocumentT], value: object) -> DocumentT:
    """The same for JSON that is parsed already."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _unreadable(error) from None


def _unreadable(error: ValidationError) -> GatewayDocumentError:
    first = error.errors(include_input=False, include_url=False)[0]
    place = "/".join(str(part) for part in first["loc"]) or "the document"
    return GatewayDocumentError(f"The sandbox sent something unreadable: {place}: {first['type']}.")
