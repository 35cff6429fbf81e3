from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from web.gateways.capabilities import Capabilities, ClientSide
from web.gateways.disputes import Dispute, DisputePage
from web.gateways.domain import (
    Answer,
    Authorisation,
    CaptureAnswer,
    CaptureOrder,
    Card,
    GatewayEvent,
    Inquiry,
    RefundAnswer,
    RefundOrder,
    SaveAnswer,
    SaveOrder,
    VoidAnswer,
    VoidOrder,
)


class Gateway(Protocol):
    """A payment gateway, one account of it. No method is ever called inside a database transaction.

    What moves money (`authorise`, `capture`, `void`, `refund`, `save`) and what asks about it (`resolve…`) never raises
    for what the network or the gateway does: a definite failure is DECLINED or FAILED with a code, and everything that
    proves nothing is UNKNOWN. Sending the same order again never moves money twice. Minor units, statuses and decline
    codes of a gateway stay in its adapter, in tables. Every adapter passes tests/contract/test_gateways.py.
    """

    @property
    def name(self) -> str:
        """How rows and events call the gateway: `sandbox`."""

    @property
    def account(self) -> str:
        """Our account there."""

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of it."""

    @property
    def not_found_after(self) -> timedelta:
        """The delay the gateway states: only after it does "not found" mean that an attempt never happened."""

    def client_side(self, parent_origin: str) -> ClientSide:
        """How a payer's page on `parent_origin` meets the gateway."""

    def describe_token(self, payment_token: str) -> Card | None:
        """What is behind a token, before it is used. Quick, or None: no payment waits or fails for it."""

    def authorise(self, order: Authorisation) -> Answer:
        """Try to move the money, or to set it aside."""

    def resolve(self, inquiry: Inquiry) -> Answer:
        """Ask what became of an attempt."""

    def capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Take money that was set aside, all of it or a part."""

    def resolve_capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Ask what became of a capture."""

    def void(self, order: VoidOrder) -> VoidAnswer:
        """Let go of money that was set aside; what was captured already stays."""

    def resolve_void(self, order: VoidOrder) -> VoidAnswer:
        """Ask what became of a void."""

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money back."""

    def resolve_refund(self, order: RefundOrder) -> RefundAnswer:
        """Ask what became of a refund. NOT_FOUND: sending it is safe, and sending it again too."""

    def save(self, order: SaveOrder) -> SaveAnswer:
        """Keep a payment method that its payer has agreed to be charged on later, without charging it."""

    def forget(self, saved_id: str, payer_reference: str) -> bool:
        """Let the gateway forget a saved method; True once it is gone, or was."""

    def list_disputes(self, since: datetime, cursor: str | None = None) -> DisputePage:
        """Disputes opened since then, a page at a time. Raises GatewayUnavailableError."""

    def submit_evidence(self, dispute_reference: str, evidence: Mapping[str, str]) -> Dispute:
        """Contest a dispute. Raises GatewayUnavailableError, or GatewayRefusedError when it is too late or unknown."""

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Check a webhook's signature and age; return the gateway's event id, or raise WebhookRejectedError."""

    def parse_webhook(self, body: bytes) -> GatewayEvent:
        """Read a webhook that was verified when it came; raise GatewayDocumentError for one that we cannot read."""
