"""What cards and amounts make happen. Pure: one table each for the outcomes, the magic amounts and the disputes."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Scenario(StrEnum):
    """What a test card, or a magic amount, makes happen."""

    SUCCEED = "succeed"
    DECLINE = "decline"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    INCORRECT_CVC = "incorrect_cvc"
    LOST_CARD = "lost_card"
    STOLEN_CARD = "stolen_card"
    SUSPECTED_FRAUD = "suspected_fraud"
    LIMIT_EXCEEDED = "limit_exceeded"
    NOT_PERMITTED = "not_permitted"
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    PROCESSING_ERROR = "processing_error"
    AUTHENTICATION_REQUIRED_LATER = "authentication_required_later"
    CHALLENGE = "challenge"
    CHALLENGE_THEN_DECLINE = "challenge_then_decline"
    DISPUTE = "dispute"
    DISPUTE_NOT_RECEIVED = "dispute_not_received"
    TIMEOUT_AFTER_CHARGE = "timeout_after_charge"
    TIMEOUT_BEFORE_CHARGE = "timeout_before_charge"
    ERROR_AFTER_CHARGE = "error_after_charge"
    CAPTURE_LATER = "capture_later"
    FAIL_LATER = "fail_later"
    REFUND_LATER = "refund_later"
    REFUND_FAILS_LATER = "refund_fails_later"


DECLINES = MappingProxyType(
    {
        Scenario.DECLINE: "card_declined",
        Scenario.INSUFFICIENT_FUNDS: "insufficient_funds",
        Scenario.EXPIRED_CARD: "expired_card",
        Scenario.INCORRECT_CVC: "incorrect_cvc",
        Scenario.LOST_CARD: "lost_card",
        Scenario.STOLEN_CARD: "stolen_card",
        Scenario.SUSPECTED_FRAUD: "suspected_fraud",
        Scenario.LIMIT_EXCEEDED: "limit_exceeded",
        Scenario.NOT_PERMITTED: "not_permitted",
        Scenario.ISSUER_UNAVAILABLE: "issuer_unavailable",
        Scenario.PROCESSING_ERROR: "processing_error",
        Scenario.CHALLENGE_THEN_DECLINE: "card_declined",
        Scenario.TIMEOUT_BEFORE_CHARGE: "processing_error",
    }
)
CHALLENGED = frozenset({Scenario.CHALLENGE, Scenario.CHALLENGE_THEN_DECLINE})


@dataclass(frozen=True)
class Complaint:
    """Why a payer disputes, and how the card network writes that."""

    reason: str
    network_code: str


COMPLAINTS = MappingProxyType(
    {
        "fraudulent": Complaint("fraudulent", "10.4"),
        "product_not_received": Complaint("product_not_received", "13.1"),
        "product_unacceptable": Complaint("product_unacceptable", "13.3"),
        "subscription_cancelled": Complaint("subscription_cancelled", "13.2"),
        "credit_not_processed": Complaint("credit_not_processed", "13.6"),
        "duplicate": Complaint("duplicate", "12.6.1"),
        "incorrect_amount": Complaint("incorrect_amount", "12.5"),
        "debit_not_authorised": Complaint("debit_not_authorised", "MD01"),
        "general": Complaint("general", "general"),
    }
)
DISPUTED = MappingProxyType(
    {Scenario.DISPUTE: COMPLAINTS["fraudulent"], Scenario.DISPUTE_NOT_RECEIVED: COMPLAINTS["product_not_received"]}
)

# Amounts in minor units, of any currency and with any method, that bring about what no plain card does. A card with an
# outcome of its own wins over them.
MAGIC_AMOUNTS = MappingProxyType(
    {
        7_777_702: Scenario.DECLINE,
        7_777_795: Scenario.INSUFFICIENT_FUNDS,
        7_777_754: Scenario.EXPIRED_CARD,
        7_777_755: Scenario.INCORRECT_CVC,
        7_777_741: Scenario.LOST_CARD,
        7_777_743: Scenario.STOLEN_CARD,
        7_777_759: Scenario.SUSPECTED_FRAUD,
        7_777_761: Scenario.LIMIT_EXCEEDED,
        7_777_757: Scenario.NOT_PERMITTED,
        7_777_791: Scenario.ISSUER_UNAVAILABLE,
        7_777_796: Scenario.PROCESSING_ERROR,
        7_777_703: Scenario.CHALLENGE,
        7_777_704: Scenario.CHALLENGE_THEN_DECLINE,
        7_777_734: Scenario.TIMEOUT_AFTER_CHARGE,
        7_777_711: Scenario.TIMEOUT_BEFORE_CHARGE,
        7_777_750: Scenario.ERROR_AFTER_CHARGE,
        7_777_777: Scenario.CAPTURE_LATER,
        7_777_778: Scenario.FAIL_LATER,
        7_777_726: Scenario.REFUND_LATER,
        7_777_727: Scenario.REFUND_FAILS_LATER,
        7_777_710: Scenario.DISPUTE,
        7_777_713: Scenario.DISPUTE_NOT_RECEIVED,
    }
)


def scenario_of(scenario: Scenario, amount_minor: int) -> Scenario:
    """What happens: the card's own outcome, else the amount's."""
    return MAGIC_AMOUNTS.get(amount_minor, scenario) if scenario is Scenario.SUCCEED else scenario
