"""Why a payment did not happen, normalised: what a payer reads, what fraud features count, whether to try again."""

from dataclasses import dataclass
from enum import StrEnum


class Retry(StrEnum):
    """Whether the same payment method may be tried again."""

    NEVER = "never"
    LATER = "later"
    WITH_AUTHENTICATION = "with_authentication"  # with the payer present, and a second factor


class Reason(StrEnum):
    """The reasons that all gateways' own words are translated into."""

    CARD_DECLINED = "card_declined"  # the issuer said no and not why
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    AUTHENTICATION_REQUIRED = "authentication_required"
    AUTHENTICATION_FAILED = "authentication_failed"
    EXPIRED_CARD = "expired_card"
    INCORRECT_CVC = "incorrect_cvc"
    INCORRECT_PIN = "incorrect_pin"
    INVALID_CARD = "invalid_card"
    LOST_OR_STOLEN = "lost_or_stolen"
    SUSPECTED_FRAUD = "suspected_fraud"
    NOT_PERMITTED = "not_permitted"  # this card or account may not be used for this
    METHOD_UNAVAILABLE = "method_unavailable"
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    PROCESSING_ERROR = "processing_error"
    DUPLICATE = "duplicate_payment"
    MANDATE_INVALID = "mandate_invalid"  # the payer has withdrawn the consent to be charged
    CANCELLED_BY_PAYER = "cancelled_by_payer"
    ACTION_EXPIRED = "action_expired"
    AUTHORISATION_EXPIRED = "authorisation_expired"
    VOIDED = "voided"
    PAYMENT_TOKEN_INVALID = "payment_token_invalid"  # noqa: S105 - a reason, no secret
    REJECTED_REQUEST = "gateway_rejected_request"
    REJECTED_CREDENTIALS = "gateway_rejected_credentials"
    UNREACHABLE = "gateway_unreachable"
    BUSY = "gateway_busy"


@dataclass(frozen=True)
class Decline:
    """One gateway's word for no, in ours."""

    reason: Reason
    retry: Retry


class DisputeReason(StrEnum):
    """Why a payer complains."""

    FRAUDULENT = "fraudulent"
    NOT_RECEIVED = "product_not_received"
    NOT_AS_DESCRIBED = "product_unacceptable"
    DUPLICATE = "duplicate"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    CREDIT_NOT_PROCESSED = "credit_not_processed"
    UNRECOGNISED = "unrecognised"
    DEBIT_NOT_AUTHORISED = "debit_not_authorised"
    INCORRECT_AMOUNT = "incorrect_amount"
    GENERAL = "general"
