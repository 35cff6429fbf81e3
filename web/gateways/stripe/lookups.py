"""Finding what Stripe has of ours: lists are current at once, its search is not (docs.stripe.com/search)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from web.gateways.exchange import Line, Refusal
from web.gateways.reading import parse
from web.gateways.stripe.documents import CheckoutSession, IntentList, PaymentIntent, Refund, RefundList, SessionList

PAGE_LENGTH = 100
PAGES_MAX = 20
# Around the moment that we sent a request: clocks differ, and a request may be on its way for a while.
BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=5)

ListT = TypeVar("ListT", IntentList, SessionList, RefundList)


class TooManyError(Exception):
    """More objects than we look through: nothing is proved."""


def find_intent(line: Line, attempt_id: str, sent_at: datetime) -> PaymentIntent | Refusal | None:
    """The payment of an attempt; None when there is none. Raises GatewayDocumentError, TooManyError."""
    pages = _pages(line, "/v1/payment_intents", _window(sent_at), IntentList)
    if isinstance(pages, Refusal):
        return pages
    found = [intent for page in pages for intent in page.data if intent.metadata.get("attempt_id") == attempt_id]
    return found[0] if found else None


def find_session(line: Line, attempt_id: str, sent_at: datetime) -> CheckoutSession | Refusal | None:
    """The page of an attempt; None when there is none. Raises GatewayDocumentError, TooManyError."""
    pages = _pages(line, "/v1/checkout/sessions", _window(sent_at), SessionList)
    if isinstance(pages, Refusal):
        return pages
    found = [session for page in pages for session in page.data if session.client_reference_id == attempt_id]
    return found[0] if found else None


def find_refund(line: Line, refund_id: str, payment_reference: str) -> Refund | Refusal | None:
    """A refund of a payment; None when there is none. Raises GatewayDocumentError, TooManyError."""
    pages = _pages(line, "/v1/refunds", {"payment_intent": payment_reference}, RefundList)
    if isinstance(pages, Refusal):
        return pages
    found = [refund for page in pages for refund in page.data if refund.metadata.get("refund_id") == refund_id]
    return found[0] if found else None


def _window(sent_at: datetime) -> dict[str, str]:
    start, end = sent_at - BEFORE, sent_at + AFTER
    return {"created[gte]": str(int(start.timestamp())), "created[lte]": str(int(end.timestamp()))}


def _pages(line: Line, path: str, query: Mapping[str, str], kind: type[ListT]) -> list[ListT] | Refusal:
    pages: list[ListT] = []
    cursor: dict[str, str] = {}
    while True:
        got = line.exchange("GET", path, params={**query, **cursor, "limit": str(PAGE_LENGTH)})
        if isinstance(got, Refusal):
            return got
        pages.append(parse(kind, got))
        if not pages[-1].has_more or not pages[-1].data:
            return pages
        if len(pages) == PAGES_MAX:
            raise TooManyError
        cursor = {"starting_after": pages[-1].data[-1].id}
