"""The sandbox's webhooks. The object's own state is the news, not the type's name: a reordered one tells the truth."""

from web.gateways.disputes import DisputeNews
from web.gateways.domain import AttemptNews, CaptureNews, GatewayEvent, News, RefundNews, VoidNews
from web.gateways.reading import parse, parse_object
from web.gateways.sandbox.documents import (
    CaptureDocument,
    DisputeDocument,
    PaymentDocument,
    RefundDocument,
    VoidDocument,
    WebhookDocument,
)


def read(body: bytes) -> GatewayEvent:
    """One webhook. Raises GatewayDocumentError."""
    document = parse(WebhookDocument, body)
    return GatewayEvent(document.id, document.type, _news(document))


def _news(document: WebhookDocument) -> News | None:
    match document.type.partition(".")[0]:
        case "payment":
            payment = parse_object(PaymentDocument, document.data)
            return AttemptNews(payment.reference, payment.answer())
        case "refund":
            refund = parse_object(RefundDocument, document.data)
            return RefundNews(refund.reference, refund.answer())
        case "capture":
            capture = parse_object(CaptureDocument, document.data)
            return CaptureNews(capture.reference, capture.answer())
        case "void":
            void = parse_object(VoidDocument, document.data)
            return VoidNews(void.reference, void.answer())
        case "dispute":
            return DisputeNews(parse_object(DisputeDocument, document.data).dispute())
        case _:
            return None
