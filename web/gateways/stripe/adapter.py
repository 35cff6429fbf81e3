from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

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
    UnsupportedError,
    WebhookRejectedError,
)
from web.gateways.exchange import DEADLINES, Line, Refusal
from web.gateways.minor_units import AmountUnsupportedError
from web.gateways.outcomes import attempt_looked_up, attempt_of, looked_up, reading, step_of
from web.gateways.reading import parse
from web.gateways.stripe import forms, lookups, steps, webhooks
from web.gateways.stripe.documents import (
    CheckoutSession,
    Customer,
    DisputeDocument,
    DisputeList,
    Event,
    PaymentIntent,
    PaymentMethod,
    Refund,
)
from web.gateways.stripe.failures import understood
from web.gateways.stripe.tables import API_VERSION, CAPABILITIES, EVIDENCE, MINOR_UNITS

BASE_URL = "https://api.stripe.com"
CHECKOUT_ORIGIN = "https://checkout.stripe.com"
HOOKS_ORIGIN = "https://hooks.stripe.com"  # where 3-D Secure redirects begin
# Stripe ends a request of ours after 80 seconds; the rest is for clocks that differ.
NOT_FOUND_AFTER = timedelta(seconds=120)
DESCRIBE_DEADLINES = httpx.Timeout(1.0)


@dataclass(frozen=True)
class StripeSettings:
    """One Stripe account. The secrets never show in a repr."""

    account: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    base_url: str = BASE_URL
    page_origins: tuple[str, ...] = (CHECKOUT_ORIGIN, HOOKS_ORIGIN)
    not_found_after: timedelta = NOT_FOUND_AFTER
    deadlines: httpx.Timeout = field(default_factory=lambda: DEADLINES)

    @property
    def livemode(self) -> bool:
        """Whether this key moves real money."""
        return self.api_key.startswith(("sk_live_", "rk_live_"))


class StripeGateway:
    """Stripe: PaymentIntents for tokens and kept methods, its own Checkout page for everything else."""

    name = "stripe"
    capabilities: Capabilities = CAPABILITIES

    def __init__(self, settings: StripeSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        headers = {"Authorization": f"Bearer {settings.api_key}", "Stripe-Version": API_VERSION}
        self._line = Line(self.name, settings.base_url, headers, settings.deadlines, transport)

    @property
    def account(self) -> str:
        """Our account there."""
        return self._settings.account

    @property
    def not_found_after(self) -> timedelta:
        """How long a request may be on its way inside Stripe before a list shows what it made."""
        return self._settings.not_found_after

    def client_side(self, parent_origin: str) -> ClientSide:  # noqa: ARG002 - a full page is embedded nowhere
        """Its own page: none of its scripts run on ours."""
        return ClientSide(ClientKind.REDIRECT, self._settings.page_origins)

    def describe_token(self, payment_token: str) -> Card | None:
        """Ask for brand, last digits and fingerprint; None for whatever goes wrong."""
        path = f"/v1/payment_methods/{quote(payment_token, safe='')}"
        got = self._line.exchange("GET", path, deadlines=DESCRIBE_DEADLINES)
        if isinstance(got, Refusal):
            return None
        return reading(lambda: steps.card_of(parse(PaymentMethod, got)), lambda _: None)

    def authorise(self, order: Authorisation) -> Answer:
        """A payment by token or kept method; without either the payer goes to Stripe's page."""
        if order.method not in self.capabilities.methods:
            raise UnsupportedError(f"Stripe takes no payments by {order.method} here.")
        try:
            MINOR_UNITS.to_wire(order.amount)
        except AmountUnsupportedError:
            return Answer(Fact.DECLINED, code="amount_unsupported")
        customer = self._customer(order.save_for) if order.save_for is not None else None
        if isinstance(customer, Refusal):  # nothing was asked for yet
            return Answer(Fact.DECLINED, code=customer.code)
        if order.payment_token or order.saved:
            got = self._post("/v1/payment_intents", forms.intent(order, customer), order.attempt_id)
            return attempt_of(got, lambda raw: steps.about(parse(PaymentIntent, raw), order.attempt_id).answer())
        got = self._post("/v1/checkout/sessions", forms.session(order, customer), order.attempt_id)
        return attempt_of(got, lambda raw: parse(CheckoutSession, raw).answer())

    def resolve(self, inquiry: Inquiry) -> Answer:
        """Ask by Stripe's reference, else look through what was made when we sent it."""
        reference = inquiry.gateway_reference or ""
        if reference.startswith("pi_"):
            got = self._get(f"/v1/payment_intents/{reference}", forms.EXPANDED)
            return attempt_looked_up(
                got, lambda raw: steps.about(parse(PaymentIntent, raw), inquiry.attempt_id).answer()
            )
        if reference.startswith("cs_"):
            got = self._get(f"/v1/checkout/sessions/{reference}", {"expand[0]": "payment_intent.payment_method"})
            return attempt_looked_up(got, lambda raw: parse(CheckoutSession, raw).answer())
        return reading(lambda: self._search(inquiry), lambda code: Answer(Fact.UNKNOWN, code=code))

    def capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Take what was set aside; what is not taken is let go."""
        if not order.is_final:
            raise UnsupportedError("Stripe takes one capture a payment here: it must be the final one.")
        try:
            form = {"amount_to_capture": str(MINOR_UNITS.to_wire(order.amount))}
        except AmountUnsupportedError:
            return CaptureAnswer(StepFact.FAILED, code="amount_unsupported")
        got = self._post(f"/v1/payment_intents/{order.payment_reference}/capture", form, order.capture_id)
        return step_of(got, CaptureAnswer, lambda raw: steps.captured(parse(PaymentIntent, raw)))

    def resolve_capture(self, order: CaptureOrder) -> CaptureAnswer:
        """One capture a payment: its state is the capture's."""
        got = self._get(f"/v1/payment_intents/{order.payment_reference}")
        return looked_up(got, CaptureAnswer, lambda raw: steps.captured(parse(PaymentIntent, raw)))

    def void(self, order: VoidOrder) -> VoidAnswer:
        """Let go of what was set aside."""
        form = {"cancellation_reason": "requested_by_customer"}
        got = self._post(f"/v1/payment_intents/{order.payment_reference}/cancel", form, order.void_id)
        return step_of(got, VoidAnswer, lambda raw: steps.voided(parse(PaymentIntent, raw)))

    def resolve_void(self, order: VoidOrder) -> VoidAnswer:
        """One void a payment: its state is the void's."""
        got = self._get(f"/v1/payment_intents/{order.payment_reference}")
        return looked_up(got, VoidAnswer, lambda raw: steps.voided(parse(PaymentIntent, raw)))

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money back."""
        try:
            amount = str(MINOR_UNITS.to_wire(order.amount))
        except AmountUnsupportedError:
            return RefundAnswer(StepFact.FAILED, code="amount_unsupported")
        form = {"payment_intent": order.payment_reference, "amount": amount, "metadata[refund_id]": order.refund_id}
        got = self._post("/v1/refunds", form, order.refund_id)
        return step_of(got, RefundAnswer, lambda raw: parse(Refund, raw).answer())

    def resolve_refund(self, order: RefundOrder) -> RefundAnswer:
        """Look through the payment's refunds."""

        def search() -> RefundAnswer:
            found = lookups.find_refund(self._line, order.refund_id, order.payment_reference)
            if isinstance(found, Refusal):
                return RefundAnswer(StepFact.UNKNOWN, code=found.code)
            return RefundAnswer(StepFact.NOT_FOUND) if found is None else found.answer()

        return reading(search, lambda code: RefundAnswer(StepFact.UNKNOWN, code=code))

    def save(self, order: SaveOrder) -> SaveAnswer:
        """Keep a method under its payer."""
        customer = self._customer(order.payer_reference)
        if isinstance(customer, Refusal):
            return SaveAnswer(StepFact.UNKNOWN, code=customer.code)
        got = self._post("/v1/setup_intents", forms.setup(order, customer), order.save_id)
        return steps.saved(got, order, customer)

    def forget(self, saved_id: str, payer_reference: str) -> bool:  # noqa: ARG002 - our name for it holds the payer
        """Let a kept method go."""
        method = saved_id.partition("/")[2]
        path = f"/v1/payment_methods/{quote(method, safe='')}/detach"
        got = self._line.exchange("POST", path, data={"expand[0]": "customer"})
        return not isinstance(got, Refusal) or got.status in {400, 404}  # it hangs on no payer any more

    def list_disputes(self, since: datetime, cursor: str | None = None) -> DisputePage:
        """A page of disputes, newest first as Stripe lists them."""
        query = {"created[gte]": str(int(since.timestamp())), "limit": "100"}
        got = self._get("/v1/disputes", query | ({"starting_after": cursor} if cursor else {}))
        if isinstance(got, Refusal):
            raise GatewayUnavailableError(f"Stripe does not list disputes: {got.code}.")
        page = parse(DisputeList, got)
        return DisputePage(
            tuple(document.dispute() for document in page.data),
            page.data[-1].id if page.has_more and page.data else None,
        )

    def submit_evidence(self, dispute_reference: str, evidence: Mapping[str, str]) -> Dispute:
        """Contest a dispute, for good."""
        form = {f"evidence[{EVIDENCE.get(kind, EVIDENCE['text'])}]": text for kind, text in evidence.items()}
        path = f"/v1/disputes/{quote(dispute_reference, safe='')}"
        got = self._post(path, {**form, "submit": "true"}, f"evidence-{dispute_reference}")
        if not isinstance(got, Refusal):
            return parse(DisputeDocument, got).dispute()
        if got.is_definite and not got.is_about_us:
            raise GatewayRefusedError("Stripe takes no evidence for this dispute.")
        raise GatewayUnavailableError(f"Stripe did not take the evidence: {got.code}.")

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Check signature, age and mode; return Stripe's event id."""
        secret, header = self._settings.webhook_secret.encode(), headers.get(webhooks.HEADER)
        signatures.verify(secret, header, body, now, webhooks.HEADER)
        try:
            event = parse(Event, body)
        except GatewayDocumentError as error:
            raise WebhookRejectedError(error.args[0]) from error
        if event.livemode is not self._settings.livemode:
            raise WebhookRejectedError("The webhook is of the other mode.")
        return event.id

    def parse_webhook(self, body: bytes) -> GatewayEvent:
        """Read a webhook that was verified when it came."""
        return webhooks.read(body)

    def _search(self, inquiry: Inquiry) -> Answer:
        order = inquiry.order
        is_page = order is not None and not order.payment_token and order.saved is None
        try:
            found: PaymentIntent | CheckoutSession | Refusal | None = lookups.find_intent(
                self._line, inquiry.attempt_id, inquiry.sent_at
            )
            if found is None and (is_page or order is None):
                found = lookups.find_session(self._line, inquiry.attempt_id, inquiry.sent_at)
        except lookups.TooManyError:
            return Answer(Fact.UNKNOWN, code="too_many_to_look_through")
        if isinstance(found, Refusal):
            return Answer(Fact.UNKNOWN, code=found.code)
        return Answer(Fact.NOT_FOUND) if found is None else found.answer()

    def _customer(self, payer_reference: str) -> str | Refusal:
        form = {"metadata[payer_reference]": payer_reference}
        got = self._post("/v1/customers", form, f"payer-{payer_reference}")
        if isinstance(got, Refusal):
            return got
        try:
            return parse(Customer, got).id
        except GatewayDocumentError as error:
            return Refusal(type(error).__name__, is_definite=True, is_about_us=True)

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> bytes | Refusal:
        return self._line.exchange("GET", path, params=query)

    def _post(self, path: str, form: Mapping[str, str], key: str) -> bytes | Refusal:
        got = self._line.exchange("POST", path, data=form, headers={"Idempotency-Key": key})
        return understood(got) if isinstance(got, Refusal) else got
