"""The sandbox's words in ours."""

from datetime import timedelta
from types import MappingProxyType

from web.gateways.capabilities import Capabilities, Lookup
from web.gateways.declines import Decline, DisputeReason, Reason, Retry
from web.gateways.disputes import DisputeStatus
from web.gateways.domain import Method

# Its minor units are ISO 4217's: there is nothing to convert.

CAPABILITIES = Capabilities(
    methods=frozenset(Method),
    lookup=Lookup.BY_REFERENCE,
    has_manual_capture=True,
    has_partial_capture=True,
    has_multiple_captures=True,
    has_saved_methods=True,
    has_dispute_list=True,
    has_evidence=True,
    authorisation_lifetime=timedelta(days=7),
    idempotency_lifetime=timedelta(days=7),
)

DECLINES = MappingProxyType(
    {
        "card_declined": Decline(Reason.CARD_DECLINED, Retry.LATER),
        "insufficient_funds": Decline(Reason.INSUFFICIENT_FUNDS, Retry.LATER),
        "limit_exceeded": Decline(Reason.LIMIT_EXCEEDED, Retry.LATER),
        "expired_card": Decline(Reason.EXPIRED_CARD, Retry.NEVER),
        "incorrect_cvc": Decline(Reason.INCORRECT_CVC, Retry.NEVER),
        "lost_card": Decline(Reason.LOST_OR_STOLEN, Retry.NEVER),
        "stolen_card": Decline(Reason.LOST_OR_STOLEN, Retry.NEVER),
        "suspected_fraud": Decline(Reason.SUSPECTED_FRAUD, Retry.NEVER),
        "not_permitted": Decline(Reason.NOT_PERMITTED, Retry.NEVER),
        "issuer_unavailable": Decline(Reason.ISSUER_UNAVAILABLE, Retry.LATER),
        "processing_error": Decline(Reason.PROCESSING_ERROR, Retry.LATER),
        "payment_failed_later": Decline(Reason.PROCESSING_ERROR, Retry.LATER),
        "authentication_required": Decline(Reason.AUTHENTICATION_REQUIRED, Retry.WITH_AUTHENTICATION),
        "authentication_failed": Decline(Reason.AUTHENTICATION_FAILED, Retry.WITH_AUTHENTICATION),
        "action_expired": Decline(Reason.ACTION_EXPIRED, Retry.WITH_AUTHENTICATION),
        "cancelled_by_payer": Decline(Reason.CANCELLED_BY_PAYER, Retry.WITH_AUTHENTICATION),
        "voided": Decline(Reason.VOIDED, Retry.NEVER),
        "authorisation_expired": Decline(Reason.AUTHORISATION_EXPIRED, Retry.LATER),
    }
)
OTHERWISE = Decline(Reason.CARD_DECLINED, Retry.LATER)

DISPUTE_STATUSES = MappingProxyType({status.value: status for status in DisputeStatus})

DISPUTE_REASONS = MappingProxyType(
    {
        "fraudulent": DisputeReason.FRAUDULENT,
        "product_not_received": DisputeReason.NOT_RECEIVED,
        "product_unacceptable": DisputeReason.NOT_AS_DESCRIBED,
        "subscription_cancelled": DisputeReason.SUBSCRIPTION_CANCELLED,
        "credit_not_processed": DisputeReason.CREDIT_NOT_PROCESSED,
        "duplicate": DisputeReason.DUPLICATE,
        "incorrect_amount": DisputeReason.INCORRECT_AMOUNT,
        "debit_not_authorised": DisputeReason.DEBIT_NOT_AUTHORISED,
        "general": DisputeReason.GENERAL,
    }
)


def decline(code: str | None) -> Decline:
    """What one of its decline codes means; one that we do not know is a plain decline."""
    return DECLINES.get(code or "", OTHERWISE)
