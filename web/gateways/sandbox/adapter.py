import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx

from web.gateways.domain import (
    Answer,
    AttemptNews,
    Authorisation,
    Card,
    Fact,
    GatewayEvent,
    RefundAnswer,
    RefundFact,
    RefundNews,
    RefundOrder,
)
from web.gateways.errors import GatewayDocumentError, WebhookRejectedError
from web.gateways.sandbox import signatures
from web.gateways.sandbox.documents import (
    CardDocument,
    PaymentDocument,
    PaymentList,
    RefundDocument,
    RefundList,
    WebhookDocument,
    parse,
    parse_object,
)
from web.gateways.sandbox.failures import Refusal, after_response, after_transport_error

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, and one holds a payment token
DocumentT = TypeVar("DocumentT")

# The sandbox says that a look-up is final after 75 seconds; the rest is for clocks that differ.
NOT_FOUND_AFTER = timedelta(seconds=90)
DESCRIBE_DEADLINES = httpx.Timeout(1.0)
DEADLINES = httpx.Timeout(connect=3.0, read=10.0, write=5.0, pool=2.0)


@dataclass(frozen=True)
class SandboxSettings:
    """One account at the simulated gateway. The secrets never show in a repr."""

    base_url: str
    account: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    not_found_after: timedelta = NOT_FOUND_AFTER
    deadlines: httpx.Timeout = field(default_factory=lambda: DEADLINES)


class SandboxGateway:
    """The simulated gateway, spoken to over HTTP with explicit deadlines."""

    name = "sandbox"

    def __init__(self, settings: SandboxSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport

    @property
    def account(self) -> str:
        """Our account there."""
        return self._settings.account

    @property
    def not_found_after(self) -> timedelta:
        """How long a payment may be on its way inside the gateway before a look-up finds it."""
        return self._settings.not_found_after

    @property
    def origin(self) -> str:
        """The origin that payers' browsers talk to."""
        parts = urlsplit(self._settings.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def frame_url(self, parent_origin: str) -> str:
        """The card frame's address for a page on `parent_origin`."""
        query = urlencode({"account": self.account, "parent": parent_origin})
        return f"{self._settings.base_url.rstrip('/')}/frame?{query}"

    def describe_token(self, payment_token: str) -> Card | None:
        """Ask for brand, last digits and fingerprint; None for whatever goes wrong."""
        got = self._exchange("GET", f"/v1/tokens/{quote(payment_token, safe='')}", deadlines=DESCRIBE_DEADLINES)
        if isinstance(got, Refusal):
            return None
        try:
            return parse(CardDocument, got).card()
        except GatewayDocumentError:
            log.exception("gateway answer unreadable")
            return None

    def authorise(self, order: Authorisation) -> Answer:
        """Ask for the money once; the attempt's id makes a repeat harmless."""
        body = {
            "reference": order.attempt_id,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "payment_token": order.payment_token,
            "return_url": order.return_url,
            "three_ds": order.three_ds.value,
        }
        got = self._exchange("POST", "/v1/payments", json=body, key=order.attempt_id)
        if isinstance(got, Refusal):
            return Answer(Fact.DECLINED, code=got.code) if got.is_definite else Answer(Fact.UNKNOWN, code=got.code)
        try:
            document = parse(PaymentDocument, got)
            _must_be(document, order.attempt_id)
            return document.answer()
        except GatewayDocumentError as error:
            log.exception("gateway answer unreadable", extra={"attempt_id": order.attempt_id})
            return Answer(Fact.UNKNOWN, code=type(error).__name__)

    def resolve(self, attempt_id: str) -> Answer:
        """Look the attempt up by our own reference."""
        got = self._exchange("GET", "/v1/payments", params={"reference": attempt_id})
        if isinstance(got, Refusal):  # a look-up that fails proves nothing about the attempt
            return Answer(Fact.UNKNOWN, code=got.code)
        try:
            found = [document for document in parse(PaymentList, got).data if document.reference == attempt_id]
            return _only(found).answer() if found else Answer(Fact.NOT_FOUND)
        except GatewayDocumentError as error:
            log.exception("gateway answer unreadable", extra={"attempt_id": attempt_id})
            return Answer(Fact.UNKNOWN, code=type(error).__name__)

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money back once; the refund's id makes a repeat harmless."""
        body = {
            "reference": order.refund_id,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
        }
        got = self._exchange("POST", f"/v1/payments/{order.payment_reference}/refunds", json=body, key=order.refund_id)
        if isinstance(got, Refusal):
            # A refund waits for a shut door to open; a payer does not.
            fact = RefundFact.FAILED if got.is_definite and not got.is_about_us else RefundFact.UNKNOWN
            return RefundAnswer(fact, code=got.code)
        try:
            document = parse(RefundDocument, got)
            _must_be(document, order.refund_id)
            return document.answer()
        except GatewayDocumentError as error:
            log.exception("gateway answer unreadable", extra={"refund_id": order.refund_id})
            return RefundAnswer(RefundFact.UNKNOWN, code=type(error).__name__)

    def resolve_refund(self, refund_id: str) -> RefundAnswer:
        """Look the refund up by our own reference."""
        got = self._exchange("GET", "/v1/refunds", params={"reference": refund_id})
        if isinstance(got, Refusal):
            return RefundAnswer(RefundFact.UNKNOWN, code=got.code)
        try:
            found = [document for document in parse(RefundList, got).data if document.reference == refund_id]
            return _only(found).answer() if found else RefundAnswer(RefundFact.NOT_FOUND)
        except GatewayDocumentError as error:
            log.exception("gateway answer unreadable", extra={"refund_id": refund_id})
            return RefundAnswer(RefundFact.UNKNOWN, code=type(error).__name__)

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Check signature, age and account; return the sandbox's event id."""
        signatures.verify(self._settings.webhook_secret.encode(), headers.get(signatures.HEADER), body, now)
        try:
            document = parse(WebhookDocument, body)
        except GatewayDocumentError as error:
            raise WebhookRejectedError(error.args[0]) from error
        if document.account != self.account:
            raise WebhookRejectedError("The webhook is for another account.")
        return document.id

    def parse_webhook(self, body: bytes) -> GatewayEvent:
        """Read a webhook that was verified when it came."""
        document = parse(WebhookDocument, body)
        noun, _, _ = document.type.partition(".")
        news: AttemptNews | RefundNews | None = None
        # The object's own state is the news, not the type's name: a reordered webhook then says what is true of it.
        if noun == "payment":
            payment = parse_object(PaymentDocument, document.data)
            news = AttemptNews(payment.reference, payment.answer())
        elif noun == "refund":
            refund = parse_object(RefundDocument, document.data)
            news = RefundNews(refund.reference, refund.answer())
        return GatewayEvent(document.id, document.type, news)

    @cached_property
    def _client(self) -> httpx.Client:
        # Made on first use, which is after the server has forked.
        return httpx.Client(
            base_url=self._settings.base_url,
            headers={"Authorization": f"Bearer {self._settings.api_key}", "User-Agent": "Meridian"},
            timeout=self._settings.deadlines,
            follow_redirects=False,
            trust_env=False,
            transport=self._transport,
        )

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        key: str | None = None,
        deadlines: httpx.Timeout | None = None,
    ) -> bytes | Refusal:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            response = self._client.request(
                method, path, json=json, params=params, headers=headers, timeout=deadlines or self._settings.deadlines
            )
        except httpx.HTTPError as error:
            refusal = after_transport_error(error)
        else:
            if response.is_success:
                return response.content
            refusal = after_response(response.status_code, response.content)
        log.warning(
            "gateway exchange failed",
            extra={
                "gateway": self.name,
                "path": path.partition("/tokens/")[0],
                "code": refusal.code,
                "is_definite": refusal.is_definite,
            },
        )
        return refusal


def _must_be(document: PaymentDocument | RefundDocument, reference: str) -> None:
    if document.reference != reference:
        raise GatewayDocumentError("The sandbox answered about something else than we asked.")


def _only(found: list[DocumentT]) -> DocumentT:
    if len(found) != 1:
        raise GatewayDocumentError("The sandbox knows more than one object by one of our references.")
    return found[0]
