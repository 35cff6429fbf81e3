"""Stripe's webhooks: each carries the object as it was when the event was made."""

from web.gateways.disputes import DisputeNews
from web.gateways.domain import AttemptNews, GatewayEvent, News, RefundNews
from web.gateways.reading import parse, parse_object
from web.gateways.stripe.documents import CheckoutSession, DisputeDocument, Event, PaymentIntent, Refund

HEADER = "Stripe-Signature"


def read(body: bytes) -> GatewayEvent:
    """One webhook. Raises GatewayDocumentError."""
    event = parse(Event, body)
    return GatewayEvent(event.id, event.type, _news(event))


def _news(event: Event) -> News | None:
    kind, shown = event.type, event.data.object
    if kind.startswith("payment_intent."):
        intent = parse_object(PaymentIntent, shown)
        attempt_id = intent.metadata.get("attempt_id")
        return AttemptNews(attempt_id, intent.answer()) if attempt_id else None
    if kind == "checkout.session.expired":
        session = parse_object(CheckoutSession, shown)
        return AttemptNews(session.client_reference_id, session.answer()) if session.client_reference_id else None
    if kind.startswith("refund.") or kind == "charge.refund.updated":
        refund = parse_object(Refund, shown)
        refund_id = refund.metadata.get("refund_id")
        return RefundNews(refund_id, refund.answer()) if refund_id else None
    if kind.startswith("charge.dispute."):
        return DisputeNews(parse_object(DisputeDocument, shown).dispute())
    return None
