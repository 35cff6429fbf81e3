from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from web.gateways.domain import Answer, Authorisation, Card, GatewayEvent, RefundAnswer, RefundOrder


class Gateway(Protocol):
    """A payment gateway, one account of it. No method is ever called inside a database transaction.

    `authorise`, `resolve`, `refund` and `resolve_refund` never raise for what the network or the gateway does: a
    definite failure is DECLINED or FAILED with a code, and everything that proves nothing is UNKNOWN. Every adapter
    passes tests/contract/test_checkout_gateway.py.
    """

    @property
    def name(self) -> str:
        """How rows and events call the gateway: `sandbox`."""

    @property
    def account(self) -> str:
        """Our account there."""

    @property
    def not_found_after(self) -> timedelta:
        """The delay the gateway states: only after it does "not found" mean that an attempt never happened."""

    @property
    def origin(self) -> str:
        """The origin that payers' browsers talk to, for the Content-Security-Policy."""

    def frame_url(self, parent_origin: str) -> str:
        """Where the gateway's own card frame is, for embedding on `parent_origin`."""

    def describe_token(self, payment_token: str) -> Card | None:
        """What is behind a token, before it is used. Quick, or None: no payment waits or fails for it."""

    def authorise(self, order: Authorisation) -> Answer:
        """Try to move the money. Sending the same attempt again never moves it twice."""

    def resolve(self, attempt_id: str) -> Answer:
        """Ask what became of an attempt."""

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money back. Sending the same refund again never gives it twice."""

    def resolve_refund(self, refund_id: str) -> RefundAnswer:
        """Ask what became of a refund."""

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Check a webhook's signature and age; return the gateway's event id, or raise WebhookRejectedError."""

    def parse_webhook(self, body: bytes) -> GatewayEvent:
        """Read a webhook that was verified when it came; raise GatewayDocumentError for one that we cannot read."""
