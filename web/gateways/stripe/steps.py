"""What a document of Stripe's says about one step that we asked for."""

from web.gateways.domain import (
    Action,
    ActionKind,
    CaptureAnswer,
    Card,
    Fact,
    SaveAnswer,
    Saved,
    SaveOrder,
    StepFact,
    VoidAnswer,
)
from web.gateways.errors import GatewayDocumentError
from web.gateways.exchange import Refusal
from web.gateways.outcomes import reading
from web.gateways.reading import parse
from web.gateways.stripe.documents import PaymentIntent, PaymentMethod, SetupIntent, saved_id


def card_of(method: PaymentMethod) -> Card | None:
    """The card behind a payment method."""
    return method.card.card() if method.card else None


def about(intent: PaymentIntent, attempt_id: str) -> PaymentIntent:
    """The same, once it is clear that it is about our attempt. Raises GatewayDocumentError."""
    if intent.metadata.get("attempt_id") != attempt_id:
        raise GatewayDocumentError("Stripe answered about something else than we asked.")
    return intent


def captured(intent: PaymentIntent) -> CaptureAnswer:
    """A payment's one capture."""
    answer = intent.answer()
    match answer.fact:
        case Fact.CAPTURED:
            return CaptureAnswer(StepFact.SUCCEEDED, intent.id, moved=answer.moved)
        case Fact.AUTHORISED:
            return CaptureAnswer(StepFact.NOT_FOUND)
        case Fact.DECLINED:
            return CaptureAnswer(StepFact.FAILED, intent.id, answer.code)
        case _:
            return CaptureAnswer(StepFact.PENDING, intent.id)


def voided(intent: PaymentIntent) -> VoidAnswer:
    """A payment's one void."""
    if intent.status == "canceled":
        return VoidAnswer(StepFact.SUCCEEDED, intent.id)
    if intent.status == "succeeded":
        return VoidAnswer(StepFact.FAILED, intent.id, "payment_not_authorised")
    return VoidAnswer(StepFact.NOT_FOUND)


def saved(got: bytes | Refusal, order: SaveOrder, customer: str) -> SaveAnswer:
    """A method that was to be kept."""
    if isinstance(got, Refusal):
        return SaveAnswer(StepFact.FAILED if got.is_definite else StepFact.UNKNOWN, code=got.code)
    return reading(lambda: _kept(parse(SetupIntent, got), order, customer), _unknown)


def _kept(setup: SetupIntent, order: SaveOrder, customer: str) -> SaveAnswer:
    if setup.status == "requires_action" and setup.next_action and setup.next_action.redirect_to_url:
        action = Action(ActionKind.THREE_DS, setup.next_action.redirect_to_url.url)
        return SaveAnswer(StepFact.PENDING, action=action)
    if setup.status != "succeeded":
        return SaveAnswer(StepFact.FAILED, code=f"setup_{setup.status}")
    method = setup.payment_method
    card = card_of(method) if isinstance(method, PaymentMethod) else None
    return SaveAnswer(StepFact.SUCCEEDED, Saved(saved_id(customer, order.payment_token), order.payer_reference, card))


def _unknown(code: str) -> SaveAnswer:
    return SaveAnswer(StepFact.UNKNOWN, code=code)
