"""What a gateway can tell us, in our words. Adapters translate into these; everything behind them is gateway-blind."""

from dataclasses import dataclass
from enum import StrEnum

from regions.money import Money


class Fact(StrEnum):
    """What is known about one attempt after one exchange with the gateway."""

    CAPTURED = "captured"
    DECLINED = "declined"  # a definite failure: no money has moved and none will
    REQUIRES_ACTION = "requires_action"
    PENDING = "pending"  # the gateway has it and has not decided
    NOT_FOUND = "not_found"  # the gateway does not know the attempt, yet
    UNKNOWN = "unknown"  # no answer, or one that proves nothing


class RefundFact(StrEnum):
    """What is known about one refund after one exchange with the gateway."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # a definite failure
    PENDING = "pending"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


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
class Authorisation:
    """One attempt to be made; `attempt_id` is the gateway's idempotency key."""

    attempt_id: str
    amount: Money
    payment_token: str | None
    return_url: str
    three_ds: ThreeDs


@dataclass(frozen=True)
class Answer:
    """One fact about one attempt, with what came along. `moved` is what the gateway says it captured."""

    fact: Fact
    gateway_reference: str | None = None
    code: str | None = None
    action: Action | None = None
    card: Card | None = None
    moved: Money | None = None

    def __post_init__(self) -> None:
        if self.fact is Fact.REQUIRES_ACTION and self.action is None:
            raise ValueError("requires_action without an action")
        if self.fact is Fact.CAPTURED and not (self.gateway_reference and self.moved):
            raise ValueError("captured without the gateway's reference or the amount")
        if self.fact is Fact.DECLINED and not self.code:
            raise ValueError("declined without a code")


@dataclass(frozen=True)
class RefundOrder:
    """One refund to be made; `refund_id` is the gateway's idempotency key."""

    refund_id: str
    payment_reference: str
    amount: Money


@dataclass(frozen=True)
class RefundAnswer:
    """One fact about one refund, with what came along. `moved` is what the gateway says it gave back."""

    fact: RefundFact
    gateway_reference: str | None = None
    code: str | None = None
    moved: Money | None = None

    def __post_init__(self) -> None:
        if self.fact is RefundFact.SUCCEEDED and not (self.gateway_reference and self.moved):
            raise ValueError("succeeded without the gateway's reference or the amount")
        if self.fact is RefundFact.FAILED and not self.code:
            raise ValueError("failed without a code")


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
class GatewayEvent:
    """One webhook, parsed; `news` is None for a type that we do not act on."""

    event_id: str
    type: str
    news: AttemptNews | RefundNews | None
