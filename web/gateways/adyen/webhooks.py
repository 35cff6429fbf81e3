"""Adyen's standard webhooks: one notification item each, signed over eight of its fields."""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field

from web.gateways.adyen.documents import Amount, Extras, Reference, card_of, saved_of
from web.gateways.adyen.tables import DISPUTE_EVENTS, DISPUTE_REASONS, refusal
from web.gateways.declines import DisputeReason
from web.gateways.disputes import Dispute, DisputeNews
from web.gateways.domain import (
    Answer,
    AttemptNews,
    CaptureAnswer,
    CaptureNews,
    Fact,
    GatewayEvent,
    News,
    RefundAnswer,
    RefundNews,
    StepFact,
    VoidAnswer,
    VoidNews,
)
from web.gateways.errors import GatewayDocumentError, WebhookRejectedError
from web.gateways.reading import Document, parse

_SIGNATURE = "hmacSignature"


class Item(Document):
    """One notification. `success` and `live` are words, as Adyen writes them."""

    pspReference: Reference  # noqa: N815 - Adyen's name
    originalReference: str | None = None  # noqa: N815 - Adyen's name
    merchantAccountCode: str  # noqa: N815 - Adyen's name
    merchantReference: str | None = None  # noqa: N815 - Adyen's name
    eventCode: Reference  # noqa: N815 - Adyen's name
    eventDate: AwareDatetime  # noqa: N815 - Adyen's name
    success: str
    reason: str | None = None
    paymentMethod: str | None = None  # noqa: N815 - Adyen's name
    amount: Amount
    additionalData: Extras  # noqa: N815 - Adyen's name

    @property
    def is_good(self) -> bool:
        """Whether what it tells of has happened."""
        return self.success == "true"

    @property
    def event_id(self) -> str:
        """Adyen gives webhooks no id: repeats have the same code, reference and outcome."""
        return f"{self.eventCode}:{self.pspReference}:{self.success}"

    def signed(self) -> tuple[str, ...]:
        """The fields that are signed, in their order."""
        return (
            self.pspReference,
            self.originalReference or "",
            self.merchantAccountCode,
            self.merchantReference or "",
            str(self.amount.value),
            self.amount.currency,
            self.eventCode,
            self.success,
        )


class Envelope(Document):
    """How an item comes."""

    NotificationRequestItem: Item  # Adyen's name


class Notification(Document):
    """A webhook: as JSON it always holds one item."""

    live: str
    notificationItems: list[Envelope] = Field(min_length=1, max_length=1)  # noqa: N815 - Adyen's name

    @property
    def item(self) -> Item:
        """The one item."""
        return self.notificationItems[0].NotificationRequestItem


def sign(key: str, fields: tuple[str, ...], *, is_escaped: bool = True) -> str:
    """The base64 HMAC-SHA256 of the fields, joined by colons. `key` is hex, as Adyen shows it.

    Backslashes and colons in a field are escaped by a backslash, as Adyen's older signatures do; newer senders join the
    fields as they are. For fields that have neither, as ours have, both are the same.
    """
    parts = [field.replace("\\", "\\\\").replace(":", "\\:") if is_escaped else field for field in fields]
    digest = hmac.new(binascii.unhexlify(key), ":".join(parts).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def verify(key: str, account: str, body: bytes, *, livemode: bool) -> str:
    """Check signature, account and mode; return an id for the event. Raises WebhookRejectedError."""
    try:
        notification = parse(Notification, body)
    except GatewayDocumentError as error:
        raise WebhookRejectedError(error.args[0]) from error
    item = notification.item
    given: Any = item.additionalData.get(_SIGNATURE)
    if not isinstance(given, str) or not given:
        raise WebhookRejectedError("The webhook is not signed.")
    wanted = (sign(key, item.signed(), is_escaped=is_escaped) for is_escaped in (True, False))
    if not any([hmac.compare_digest(given.encode(), one.encode()) for one in wanted]):  # noqa: C419 - all are compared
        raise WebhookRejectedError("The webhook's signature does not match.")
    if item.merchantAccountCode != account:
        raise WebhookRejectedError("The webhook is for another account.")
    if (notification.live == "true") is not livemode:
        raise WebhookRejectedError("The webhook is of the other mode.")
    return item.event_id


def read(body: bytes) -> GatewayEvent:
    """One webhook. Raises GatewayDocumentError."""
    item = parse(Notification, body).item
    return GatewayEvent(item.event_id, item.eventCode, _news(item))


def _news(item: Item) -> News | None:
    reference = item.merchantReference or ""
    match item.eventCode:
        case "AUTHORISATION" if reference:
            return AttemptNews(reference, _authorisation(item))
        case "CAPTURE" | "CAPTURE_FAILED" if reference:
            fact, code = _step(item, "CAPTURE")
            return CaptureNews(reference, CaptureAnswer(fact, item.pspReference, code, _moved(item, fact)))
        case "CANCELLATION" | "TECHNICAL_CANCEL" if reference:
            fact, code = _step(item, item.eventCode)
            return VoidNews(reference, VoidAnswer(fact, item.pspReference, code))
        case "REFUND" | "REFUND_FAILED" | "REFUNDED_REVERSED" if reference:
            fact, code = _step(item, "REFUND")
            return RefundNews(reference, RefundAnswer(fact, item.pspReference, code, _moved(item, fact)))
        case code if code in DISPUTE_EVENTS:
            return DisputeNews(_dispute(item))
        case _:
            return None


def _authorisation(item: Item) -> Answer:
    card = card_of(item.additionalData, item.paymentMethod)
    if not item.is_good:
        word = item.additionalData.get("refusalReasonCode") or item.reason
        why = refusal(item.additionalData.get("refusalReasonCode"), item.reason)
        return Answer(Fact.DECLINED, item.pspReference, why.reason, card=card, retry=why.retry, gateway_code=word)
    is_manual = item.additionalData.get("metadata.capture") == "manual"
    fact = Fact.AUTHORISED if is_manual else Fact.CAPTURED
    saved = saved_of(item.additionalData, card)
    return Answer(fact, item.pspReference, card=card, moved=item.amount.money(), saved=saved)


def _step(item: Item, good: str) -> tuple[StepFact, str | None]:
    if item.eventCode == good and item.is_good:
        return StepFact.SUCCEEDED, None
    return StepFact.FAILED, f"{good.lower()}_failed"


def _moved(item: Item, fact: StepFact) -> Any:
    return item.amount.money() if fact is StepFact.SUCCEEDED else None


def _dispute(item: Item) -> Dispute:
    network_code = item.additionalData.get("chargebackReasonCode")
    due = item.additionalData.get("defensePeriodEndsAt")
    try:
        due_at = None if due is None else datetime.fromisoformat(str(due))
    except ValueError:
        due_at = None
    return Dispute(
        gateway_reference=item.pspReference,
        payment_reference=item.originalReference or "",
        amount=item.amount.money(),
        status=DISPUTE_EVENTS[item.eventCode],
        reason=DISPUTE_REASONS.get(str(network_code), DisputeReason.GENERAL),
        opened_at=item.eventDate,
        evidence_due_at=due_at,
        gateway_reason=None if network_code is None else str(network_code),
        attempt_id=item.merchantReference,
    )
