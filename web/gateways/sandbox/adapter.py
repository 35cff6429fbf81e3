import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx

from web.gateways import signatures
from web.gateways.capabilities import Capabilities, ClientKind, ClientSide
from web.gateways.disputes import Dispute, DisputePage
from web.gateways.domain import (
    Answer,
    Authorisation,
    CaptureAnswer,
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
from web.gateways.errors import (
    GatewayDocumentError,
    GatewayRefusedError,
    GatewayUnavailableError,
    WebhookRejectedError,
)
from web.gateways.exchange import DEADLINES, Line, Refusal
from web.gateways.outcomes import attempt_looked_up, attempt_of, looked_up, reading, step_of
from web.gateways.reading import parse
from web.gateways.sandbox import webhooks
from web.gateways.sandbox.documents import (
    CaptureDocument,
    CaptureList,
    CardDocument,
    DisputeDocument,
    DisputeList,
    PaymentDocument,
    PaymentList,
    RefundDocument,
    RefundList,
    SavedDocument,
    VoidDocument,
    VoidList,
    WebhookDocument,
)
from web.gateways.sandbox.failures import understood
from web.gateways.sandbox.tables import CAPABILITIES

log = logging.getLogger(__name__)

# The sandbox says that a look-up is final after 75 seconds; the rest is for clocks that differ.
NOT_FOUND_AFTER = timedelta(seconds=90)
DESCRIBE_DEADLINES = httpx.Timeout(1.0)
CHANNEL = "meridian-sandbox"
HEADER = "Sandbox-Signature"
_EVIDENCE_KINDS = frozenset({"text", "receipt", "shipping_documentation", "customer_communication", "refund_policy"})
_GONE = 404


class _Named(Protocol):
    @property
    def reference(self) -> str: ...


NamedT = TypeVar("NamedT", bound=_Named)


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
    capabilities: Capabilities = CAPABILITIES

    def __init__(self, settings: SandboxSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        headers = {"Authorization": f"Bearer {settings.api_key}"}
        self._line = Line(self.name, settings.base_url, headers, settings.deadlines, transport)

    @property
    def account(self) -> str:
        """Our account there."""
        return self._settings.account

    @property
    def not_found_after(self) -> timedelta:
        """How long a payment may be on its way inside the gateway before a look-up finds it."""
        return self._settings.not_found_after

    def client_side(self, parent_origin: str) -> ClientSide:
        """Its card frame, and its full page on the same origin."""
        parts = urlsplit(self._settings.base_url)
        query = urlencode({"account": self.account, "parent": parent_origin})
        frame_url = f"{self._settings.base_url.rstrip('/')}/frame?{query}"
        return ClientSide(ClientKind.FRAME, (f"{parts.scheme}://{parts.netloc}",), frame_url, CHANNEL)

    def describe_token(self, payment_token: str) -> Card | None:
        """Ask for brand, last digits and fingerprint; None for whatever goes wrong."""
        path = f"/v1/tokens/{quote(payment_token, safe='')}"
        got = self._line.exchange("GET", path, deadlines=DESCRIBE_DEADLINES)
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
            "method": order.method.value,
            "capture": order.capture.value,
            "payment_token": order.payment_token,
            "saved_method": order.saved.id if order.saved else None,
            "save_for": order.save_for,
            "initiator": "payer" if order.is_payer_present else "merchant",
            "return_url": order.return_url,
            "three_ds": order.three_ds.value,
        }
        got = self._post("/v1/payments", body, order.attempt_id)
        return attempt_of(got, lambda raw: _about(parse(PaymentDocument, raw), order.attempt_id).answer())

    def resolve(self, inquiry: Inquiry) -> Answer:
        """Look the attempt up by our own reference."""
        got = self._line.exchange("GET", "/v1/payments", params={"reference": inquiry.attempt_id})

        def read(raw: bytes) -> Answer:
            found = _only(parse(PaymentList, raw).data, inquiry.attempt_id)
            return Answer(Fact.NOT_FOUND) if found is None else found.answer()

        return attempt_looked_up(got, read)

    def capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Take what was set aside; the capture's id makes a repeat harmless."""
        body = {
            "reference": order.capture_id,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "is_final": order.is_final,
        }
        got = self._post(f"/v1/payments/{order.payment_reference}/captures", body, order.capture_id)
        return step_of(got, CaptureAnswer, lambda raw: _about(parse(CaptureDocument, raw), order.capture_id).answer())

    def resolve_capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Look the capture up by our own reference."""
        got = self._line.exchange("GET", "/v1/captures", params={"reference": order.capture_id})

        def read(raw: bytes) -> CaptureAnswer:
            found = _only(parse(CaptureList, raw).data, order.capture_id)
            return CaptureAnswer(StepFact.NOT_FOUND) if found is None else found.answer()

        return looked_up(got, CaptureAnswer, read)

    def void(self, order: VoidOrder) -> VoidAnswer:
        """Let go of what was set aside; the void's id makes a repeat harmless."""
        body = {"reference": order.void_id}
        got = self._post(f"/v1/payments/{order.payment_reference}/voids", body, order.void_id)
        return step_of(got, VoidAnswer, lambda raw: _about(parse(VoidDocument, raw), order.void_id).answer())

    def resolve_void(self, order: VoidOrder) -> VoidAnswer:
        """Look the void up by our own reference."""
        got = self._line.exchange("GET", "/v1/voids", params={"reference": order.void_id})

        def read(raw: bytes) -> VoidAnswer:
            found = _only(parse(VoidList, raw).data, order.void_id)
            return VoidAnswer(StepFact.NOT_FOUND) if found is None else found.answer()

        return looked_up(got, VoidAnswer, read)

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money back once; the refund's id makes a repeat harmless."""
        body = {
            "reference": order.refund_id,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
        }
        got = self._post(f"/v1/payments/{order.payment_reference}/refunds", body, order.refund_id)
        return step_of(got, RefundAnswer, lambda raw: _about(parse(RefundDocument, raw), order.refund_id).answer())

    def resolve_refund(self, order: RefundOrder) -> RefundAnswer:
        """Look the refund up by our own reference."""
        got = self._line.exchange("GET", "/v1/refunds", params={"reference": order.refund_id})

        def read(raw: bytes) -> RefundAnswer:
            found = _only(parse(RefundList, raw).data, order.refund_id)
            return RefundAnswer(StepFact.NOT_FOUND) if found is None else found.answer()

        return looked_up(got, RefundAnswer, read)

    def save(self, order: SaveOrder) -> SaveAnswer:
        """Keep a card without charging it."""
        body = {"payer_reference": order.payer_reference, "payment_token": order.payment_token}
        got = self._post("/v1/saved_methods", body, order.save_id)
        if isinstance(got, Refusal):
            return SaveAnswer(StepFact.FAILED if got.is_definite else StepFact.UNKNOWN, code=got.code)
        return reading(
            lambda: SaveAnswer(StepFact.SUCCEEDED, parse(SavedDocument, got).saved()),
            lambda code: SaveAnswer(StepFact.UNKNOWN, code=code),
        )

    def forget(self, saved_id: str, payer_reference: str) -> bool:  # noqa: ARG002 - other gateways need the payer too
        """Let a saved card go."""
        got = self._line.exchange("DELETE", f"/v1/saved_methods/{quote(saved_id, safe='')}")
        return not isinstance(got, Refusal) or got.status == _GONE

    def list_disputes(self, since: datetime, cursor: str | None = None) -> DisputePage:
        """A page of disputes, oldest first."""
        params = {"since": since.isoformat()} | ({"after": cursor} if cursor else {})
        got = self._line.exchange("GET", "/v1/disputes", params=params)
        if isinstance(got, Refusal):
            raise GatewayUnavailableError(f"The sandbox does not list disputes: {got.code}.")
        page = parse(DisputeList, got)
        disputes = tuple(document.dispute() for document in page.data)
        return DisputePage(disputes, disputes[-1].gateway_reference if page.has_more and disputes else None)

    def submit_evidence(self, dispute_reference: str, evidence: Mapping[str, str]) -> Dispute:
        """Contest a dispute; kinds of evidence that the sandbox has no name for go in as text."""
        named = {kind if kind in _EVIDENCE_KINDS else "text": text for kind, text in evidence.items()}
        path = f"/v1/disputes/{quote(dispute_reference, safe='')}/evidence"
        got = self._post(path, {"evidence": named}, f"evidence-{dispute_reference}")
        if not isinstance(got, Refusal):
            return parse(DisputeDocument, got).dispute()
        if got.is_definite or got.status == 409:  # noqa: PLR2004 - Conflict: it takes no evidence any more
            raise GatewayRefusedError("The sandbox takes no evidence for this dispute.")
        raise GatewayUnavailableError(f"The sandbox did not take the evidence: {got.code}.")

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Check signature, age and account; return the sandbox's event id."""
        signatures.verify(self._settings.webhook_secret.encode(), headers.get(HEADER), body, now, HEADER)
        try:
            document = parse(WebhookDocument, body)
        except GatewayDocumentError as error:
            raise WebhookRejectedError(error.args[0]) from error
        if document.account != self.account:
            raise WebhookRejectedError("The webhook is for another account.")
        return document.id

    def parse_webhook(self, body: bytes) -> GatewayEvent:
        """Read a webhook that was verified when it came."""
        return webhooks.read(body)

    def _post(self, path: str, body: Mapping[str, object], key: str) -> bytes | Refusal:
        got = self._line.exchange("POST", path, json=body, headers={"Idempotency-Key": key})
        return understood(got) if isinstance(got, Refusal) else got


def _about(document: NamedT, reference: str) -> NamedT:
    if document.reference != reference:
        raise GatewayDocumentError("The sandbox answered about something else than we asked.")
    return document


def _only(found: list[NamedT], reference: str) -> NamedT | None:
    ours = [document for document in found if document.reference == reference]
    if len(ours) > 1:
        raise GatewayDocumentError("The sandbox knows more than one object by one of our references.")
    return ours[0] if ours else None
