"""What a gateway can tell us, in our words. Adapters translate into these; everything behind them is gateway-blind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from regions.money import Money
from web.gateways.declines import Retry
from web.gateways.disputes import DisputeNews


class Fact(StrEnum):
    """What is known about one attempt after one exchange with the gateway."""

    CAPTURED = "captured"
    AUTHORISED = "authorised"  # the money is set aside for us and waits for our capture
    DECLINED = "declined"  # a definite failure: no money has moved and none will
    VOIDED = "voided"  # it was set aside, and has been let go or has run out
    REQUIRES_ACTION = "requires_action"
    PENDING = "pending"  # the gateway has it and has not decided
    NOT_FOUND = "not_found"  # the gateway does not know the attempt, yet
    UNKNOWN = "unknown"  # no answer, or one that proves nothing


class StepFact(StrEnum):
    """What is known about one capture, void or refund after one exchange with the gateway."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # a definite failure
    PENDING = "pending"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


class Method(StrEnum):
    """How a payer pays. Which of these a gateway takes, its capabilities say."""

    CARD = "card"
    WALLET = "wallet"
    BANK_TRANSFER = "bank_transfer"
    UPI = "upi"
    FPS = "fps"
    SEPA_DEBIT = "sepa_debit"
    IDEAL = "ideal"


class CaptureMode(StrEnum):
    """When the money is taken."""

    AUTOMATIC = "automatic"  # at once
    MANUAL = "manual"  # when we ask for it


class ActionKind(StrEnum):
    """Why the payer has to visit the gateway."""

    THREE_DS = "three_ds"
    REDIRECT = "redirect"


class ThreeDs(StrEnum):
    """What we ask of the gateway about the second factor."""

    AUTO = "auto"  # the gateway decides
    FORCE = "force"


@dataclass(frozen=True)
class Action:
    """Where the payer goes next."""

    kind: ActionKind
    url: str


@dataclass(frozen=True)
class Card:
    """What a gateway shows us of a card: never its number."""

    brand: str | None
    last4: str | None
    fingerprint: str | None


@dataclass(frozen=True)
class Saved:
    """A method that a payer has agreed to be charged on later. `payer_reference` is ours, `id` the gateway's."""

    id: str
    payer_reference: str
    card: Card | None = None


@dataclass(frozen=True)
class Authorisation:
    """One attempt to be made; `attempt_id` is the gateway's idempotency key.

    `payment_token` pays once; `saved` is charged again, by the payer or, when `is_payer_present` is false, by us alone.
    `save_for` asks the gateway to keep what pays now for that payer of ours, who has agreed to it.
    """

    attempt_id: str
    amount: Money
    payment_token: str | None
    return_url: str
    three_ds: ThreeDs
    method: Method = Method.CARD
    capture: CaptureMode = CaptureMode.AUTOMATIC
    saved: Saved | None = None
    save_for: str | None = None
    is_payer_present: bool = True

    def __post_init__(self) -> None:
        if self.payment_token and self.saved:
            raise ValueError("an attempt is paid by a token or by a saved method, not by both")


@dataclass(frozen=True)
class Inquiry:
    """The question what became of an attempt, with all that may help a gateway to answer it.

    `order` is the identical request, for gateways that know no look-up: sending it again never moves money twice.
    `returned` is what the payer's browser brought back: it is trusted for nothing, and only handed to the gateway.
    """

    attempt_id: str
    sent_at: datetime
    gateway_reference: str | None = None
    amount: Money | None = None
    order: Authorisation | None = None
    returned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Answer:
    """One fact about one attempt, with what came along.

    `moved` is what the gateway says it captured, or set aside. `code` is our normalised reason, `gateway_code` the
    gateway's own word for it, `retry` whether asking again makes sense.
    """

    fact: Fact
    gateway_reference: str | None = None
    code: str | None = None
    action: Action | None = None
    card: Card | None = None
    moved: Money | None = None
    saved: Saved | None = None
    retry: Retry | None = None
    gateway_code: str | None = None

    def __post_init__(self) -> None:
        if self.fact is Fact.REQUIRES_ACTION and self.action is None:
            raise ValueError("requires_action without an action")
        if self.fact in {Fact.CAPTURED, Fact.AUTHORISED} and not (self.gateway_reference and self.moved):
            raise ValueError(f"{self.fact} without the gateway's reference or the amount")
        if self.fact is Fact.DECLINED and not self.code:
            raise ValueError("declined without a code")


@dataclass(frozen=True)
class RefundOrder:
    """One refund to be made; `refund_id` is the gateway's idempotency key."""

    refund_id: str
    payment_reference: str
    amount: Money


@dataclass(frozen=True)
class CaptureOrder:
    """One capture to be made; `capture_id` is the gateway's idempotency key. After a final one the rest is let go."""

    capture_id: str
    payment_reference: str
    amount: Money
    is_final: bool = True


@dataclass(frozen=True)
class VoidOrder:
    """An authorisation to be let go of; `void_id` is the gateway's idempotency key."""

    void_id: str
    payment_reference: str


@dataclass(frozen=True)
class MoneyAnswer:
    """One fact about a capture or a refund, with what came along. `moved` is what the gateway says it moved."""

    fact: StepFact
    gateway_reference: str | None = None
    code: str | None = None
    moved: Money | None = None

    def __post_init__(self) -> None:
        if self.fact is StepFact.SUCCEEDED and not (self.gateway_reference and self.moved):
            raise ValueError("succeeded without the gateway's reference or the amount")
        if self.fact is StepFact.FAILED and not self.code:
            raise ValueError("failed without a code")


class RefundAnswer(MoneyAnswer):
    """One fact about one refund."""


class CaptureAnswer(MoneyAnswer):
    """One fact about one capture."""


@dataclass(frozen=True)
class VoidAnswer:
    """One fact about one void."""

    fact: StepFact
    gateway_reference: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.fact is StepFact.FAILED and not self.code:
            raise ValueError("failed without a code")


@dataclass(frozen=True)
class SaveOrder:
    """A payment method to be kept without charging it; `save_id` is the gateway's idempotency key."""

    save_id: str
    payer_reference: str
    payment_token: str
    currency: str
    return_url: str


@dataclass(frozen=True)
class SaveAnswer:
    """One fact about a method to be kept. PENDING with an action when the payer has to agree at the bank."""

    fact: StepFact
    saved: Saved | None = None
    code: str | None = None
    action: Action | None = None

    def __post_init__(self) -> None:
        if self.fact is StepFact.SUCCEEDED and self.saved is None:
            raise ValueError("succeeded without what was saved")


@dataclass(frozen=True)
class AttemptNews:
    """A webhook's news of an attempt."""

    attempt_id: str
    answer: Answer


@dataclass(frozen=True)
class RefundNews:
    """A webhook's news of a refund."""

    refund_id: str
    answer: RefundAnswer


@dataclass(frozen=True)
class CaptureNews:
    """A webhook's news of a capture that we asked for."""

    capture_id: str
    answer: CaptureAnswer


@dataclass(frozen=True)
class VoidNews:
    """A webhook's news of a void that we asked for."""

    void_id: str
    answer: VoidAnswer


News = AttemptNews | RefundNews | CaptureNews | VoidNews | DisputeNews


@dataclass(frozen=True)
class GatewayEvent:
    """One webhook, parsed; `news` is None for a type that we do not act on."""

    event_id: str
    type: str
    news: News | None
