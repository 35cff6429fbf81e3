import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from urllib.parse import quote

import httpx

from web.gateways.adyen import bodies, webhooks
from web.gateways.adyen.documents import PaymentDocument, SessionDocument, StepDocument
from web.gateways.adyen.failures import understood
from web.gateways.adyen.tables import CAPABILITIES, MINOR_UNITS
from web.gateways.capabilities import Capabilities, ClientKind, ClientSide
from web.gateways.disputes import Dispute, DisputePage
from web.gateways.domain import (
    Answer,
    Authorisation,
    CaptureAnswer,
    CaptureMode,
    CaptureOrder,
    Card,
    Fact,
    GatewayEvent,
    Inquiry,
    RefundAnswer,
    RefundOrder,
    SaveAnswer,
    SaveOrder,
    StepFact,
    VoidAnswer,
    VoidOrder,
)
from web.gateways.errors import GatewayDocumentError, UnsupportedError
from web.gateways.exchange import DEADLINES, Line, Refusal
from web.gateways.minor_units import AmountUnsupportedError
from web.gateways.outcomes import attempt_looked_up, attempt_of, reading, step_of
from web.gateways.reading import parse

TEST_URL = "https://checkout-test.adyen.com/v71"
TEST_PAGE_ORIGINS = ("https://checkoutshopper-test.adyen.com", "https://test.adyen.link", "https://test.adyen.com")
# Nothing can be looked up, so nothing is ever "not found": the webhook or the report tells.
NOT_FOUND_AFTER = timedelta(days=30)
_MARGIN = timedelta(hours=12)


@dataclass(frozen=True)
class AdyenSettings:
    """One merchant account at Adyen. `hmac_key` is hex, as its pages show it. The secrets never show in a repr."""

    account: str
    api_key: str = field(repr=False)
    hmac_key: str = field(repr=False)
    base_url: str = TEST_URL
    page_origins: tuple[str, ...] = TEST_PAGE_ORIGINS
    livemode: bool = False
    not_found_after: timedelta = NOT_FOUND_AFTER
    deadlines: httpx.Timeout = field(default_factory=lambda: DEADLINES)


class AdyenGateway:
    """Adyen's Checkout API: payments by token or kept method, its hosted page for everything else."""

    name = "adyen"
    capabilities: Capabilities = CAPABILITIES

    def __init__(self, settings: AdyenSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        headers = {"X-API-Key": settings.api_key}
        self._line = Line(self.name, settings.base_url, headers, settings.deadlines, transport)

    @property
    def account(self) -> str:
        """Our merchant account there."""
        return self._settings.account

    @property
    def not_found_after(self) -> timedelta:
        """Never in effect: this adapter answers no NOT_FOUND for an attempt."""
        return self._settings.not_found_after

    def client_side(self, parent_origin: str) -> ClientSide:  # noqa: ARG002 - a full page is embedded nowhere
        """Its own page: none of its scripts run on ours."""
        return ClientSide(ClientKind.REDIRECT, self._settings.page_origins)

    def describe_token(self, payment_token: str) -> Card | None:  # noqa: ARG002 - the token is encrypted for Adyen
        """Nothing can be known of an encrypted card before it is used."""
        return None

    def authorise(self, order: Authorisation) -> Answer:
        """A payment by token or kept method; without either the payer goes to Adyen's page."""
        if order.method not in self.capabilities.methods:
            raise UnsupportedError(f"Adyen takes no payments by {order.method} here.")
        is_page = not order.payment_token and order.saved is None
        try:
            body = bodies.session(order, self.account) if is_page else bodies.payment(order, self.account)
        except AmountUnsupportedError:
            return Answer(Fact.DECLINED, code="amount_unsupported")
        except bodies.TokenError:
            return Answer(Fact.DECLINED, code="payment_token_invalid")
        if is_page:
            return attempt_of(
                self._post("/sessions", body, order.attempt_id), lambda raw: parse(SessionDocument, raw).opened()
            )
        got = self._post("/payments", body, order.attempt_id)
        return attempt_of(got, lambda raw: _payment(raw, order.attempt_id).answer(order.amount, order.capture))

    def resolve(self, inquiry: Inquiry) -> Answer:
        """Adyen has no look-up: hand over what the payer brought back, else send the identical request again."""
        order = inquiry.order
        capture = order.capture if order else CaptureMode.AUTOMATIC
        result = inquiry.returned.get("redirectResult")
        if result:
            key = f"{inquiry.attempt_id}-{hashlib.sha256(result.encode()).hexdigest()[:16]}"
            got = self._post("/payments/details", {"details": {"redirectResult": result}}, key)
            return attempt_looked_up(got, lambda raw: _payment(raw, inquiry.attempt_id).answer(inquiry.amount, capture))
        session = inquiry.returned.get("sessionResult")
        if session and inquiry.gateway_reference:
            path = f"/sessions/{quote(inquiry.gateway_reference, safe='')}"
            got = self._line.exchange("GET", path, params={"sessionResult": session})
            return attempt_looked_up(got, lambda raw: parse(SessionDocument, raw).answer(capture))
        if order is None:
            return Answer(Fact.UNKNOWN, code="no_lookup")
        if datetime.now(UTC) - inquiry.sent_at > self.capabilities.idempotency_lifetime - _MARGIN:
            return Answer(Fact.UNKNOWN, code="idempotency_key_expired")  # the same key might charge again
        return _unless_refused(self.authorise(order))

    def capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Ask for what was set aside; the webhook tells whether it came."""
        if not order.is_final:
            raise UnsupportedError("Adyen takes one capture a payment here: it must be the final one.")
        try:
            amount = {"value": MINOR_UNITS.to_wire(order.amount), "currency": order.amount.currency}
        except AmountUnsupportedError:
            return CaptureAnswer(StepFact.FAILED, code="amount_unsupported")
        got = self._step(order.payment_reference, "captures", order.capture_id, amount=amount)
        return step_of(got, CaptureAnswer, lambda raw: CaptureAnswer(StepFact.PENDING, _received(raw)))

    def resolve_capture(self, order: CaptureOrder) -> CaptureAnswer:
        """The identical request again."""
        return self.capture(order)

    def void(self, order: VoidOrder) -> VoidAnswer:
        """Ask to let go of what was set aside; the webhook tells whether it was."""
        got = self._step(order.payment_reference, "cancels", order.void_id)
        return step_of(got, VoidAnswer, lambda raw: VoidAnswer(StepFact.PENDING, _received(raw)))

    def resolve_void(self, order: VoidOrder) -> VoidAnswer:
        """The identical request again."""
        return self.void(order)

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Ask for money to be given back; the webhook tells whether it was."""
        try:
            amount = {"value": MINOR_UNITS.to_wire(order.amount), "currency": order.amount.currency}
        except AmountUnsupportedError:
            return RefundAnswer(StepFact.FAILED, code="amount_unsupported")
        got = self._step(order.payment_reference, "refunds", order.refund_id, amount=amount)
        return step_of(got, RefundAnswer, lambda raw: RefundAnswer(StepFact.PENDING, _received(raw)))

    def resolve_refund(self, order: RefundOrder) -> RefundAnswer:
        """The identical request again."""
        return self.refund(order)

    def save(self, order: SaveOrder) -> SaveAnswer:
        """Keep a method by a payment of nothing."""
        try:
            body = bodies.zero(order, self.account)
        except bodies.TokenError:
            return SaveAnswer(StepFact.FAILED, code="payment_token_invalid")
        got = self._post("/payments", body, order.save_id)
        if isinstance(got, Refusal):
            return SaveAnswer(StepFact.FAILED if got.is_definite else StepFact.UNKNOWN, code=got.code)
        return reading(
            lambda: _kept(_payment(got, order.save_id)), lambda code: SaveAnswer(StepFact.UNKNOWN, code=code)
        )

    def forget(self, saved_id: str, payer_reference: str) -> bool:
        """Let a kept method go."""
        query = {"merchantAccount": self.account, "shopperReference": payer_reference}
        got = self._line.exchange("DELETE", f"/storedPaymentMethods/{quote(saved_id, safe='')}", params=query)
        return not isinstance(got, Refusal) or got.status in {404, 422}  # it is not there any more

    def list_disputes(self, since: datetime, cursor: str | None = None) -> DisputePage:  # noqa: ARG002
        """Not here: Adyen's disputes come as webhooks."""
        _unsupported()

    def submit_evidence(self, dispute_reference: str, evidence: Mapping[str, str]) -> Dispute:  # noqa: ARG002
        """Not here: Adyen takes evidence in its Disputes API."""
        _unsupported()

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:  # noqa: ARG002
        """Check signature, account and mode; Adyen signs no time, so a repeat is known by its id alone."""
        return webhooks.verify(self._settings.hmac_key, self.account, body, livemode=self._settings.livemode)

    def parse_webhook(self, body: bytes) -> GatewayEvent:
        """Read a webhook that was verified when it came."""
        return webhooks.read(body)

    def _step(self, payment: str, what: str, reference: str, **more: object) -> bytes | Refusal:
        body = {"merchantAccount": self.account, "reference": reference, **more}
        return self._post(f"/payments/{quote(payment, safe='')}/{what}", body, reference)

    def _post(self, path: str, body: Mapping[str, object], key: str) -> bytes | Refusal:
        got = self._line.exchange("POST", path, json=body, headers={"Idempotency-Key": key})
        return understood(got) if isinstance(got, Refusal) else got


def _payment(raw: bytes, reference: str) -> PaymentDocument:
    document = parse(PaymentDocument, raw)
    if document.merchantReference not in {None, reference}:
        raise GatewayDocumentError("Adyen answered about something else than we asked.")
    return document


def _received(raw: bytes) -> str:
    return parse(StepDocument, raw).pspReference


def _kept(document: PaymentDocument) -> SaveAnswer:
    answer = document.answer(None, CaptureMode.MANUAL) if document.resultCode != "Authorised" else None
    if answer is not None and answer.fact is Fact.REQUIRES_ACTION:
        return SaveAnswer(StepFact.PENDING, action=answer.action)
    saved = document.saved()
    if answer is not None or saved is None:
        code = answer.code if answer is not None and answer.code else "not_kept"
        return SaveAnswer(StepFact.FAILED, code=code)
    return SaveAnswer(StepFact.SUCCEEDED, saved)


def _unless_refused(answer: Answer) -> Answer:
    """A look-up's refusal proves nothing about the first request; the gateway's own "no" does."""
    if answer.fact is Fact.DECLINED and answer.gateway_reference is None:
        return Answer(Fact.UNKNOWN, code=answer.code)
    return answer


def _unsupported() -> NoReturn:
    raise UnsupportedError("Adyen's disputes are read and defended in its own pages: they come here as webhooks.")
