"""Stripe's words and numbers in ours (API version 2025-03-31.basil; each table follows the page of its docs)."""

from datetime import timedelta
from types import MappingProxyType

from web.gateways.capabilities import Capabilities, Lookup
from web.gateways.declines import Decline, DisputeReason, Reason, Retry
from web.gateways.disputes import DisputeStatus
from web.gateways.domain import Fact, Method, StepFact
from web.gateways.minor_units import MinorUnits

API_VERSION = "2025-03-31.basil"

# docs.stripe.com/currencies: MGA has no decimals there; ISK and UGX have none in truth and two on the wire, which must
# be zero; three-decimal amounts end in zero.
MINOR_UNITS = MinorUnits(
    exponents=MappingProxyType({"MGA": 0, "ISK": 2, "UGX": 2}),
    steps=MappingProxyType({"ISK": 100, "UGX": 100, "BHD": 10, "JOD": 10, "KWD": 10, "OMR": 10, "TND": 10}),
)

METHODS = MappingProxyType(
    {
        Method.CARD: "card",
        Method.WALLET: "card",  # wallets are cards to Stripe: its page offers them where the browser has one
        Method.IDEAL: "ideal",
        Method.SEPA_DEBIT: "sepa_debit",
    }
)
# Methods whose payers have to be on Stripe's page: no token of ours can pay by them.
CAPABILITIES = Capabilities(
    methods=frozenset(METHODS),
    lookup=Lookup.BY_REFERENCE,
    has_manual_capture=True,
    has_partial_capture=True,
    has_multiple_captures=False,  # only for accounts that Stripe has enabled for it
    has_saved_methods=True,
    has_dispute_list=True,
    has_evidence=True,
    authorisation_lifetime=timedelta(days=7),
    idempotency_lifetime=timedelta(hours=24),
)

INTENT_STATUSES = MappingProxyType(
    {
        "succeeded": Fact.CAPTURED,
        "requires_capture": Fact.AUTHORISED,
        "requires_action": Fact.REQUIRES_ACTION,
        "processing": Fact.PENDING,
        "requires_confirmation": Fact.PENDING,
        "requires_payment_method": Fact.DECLINED,  # with an error; without one nothing was tried yet
        "canceled": Fact.DECLINED,
    }
)
CANCELLATIONS = MappingProxyType(
    {
        "automatic": Decline(Reason.AUTHORISATION_EXPIRED, Retry.LATER),
        "expired": Decline(Reason.AUTHORISATION_EXPIRED, Retry.LATER),
        "abandoned": Decline(Reason.ACTION_EXPIRED, Retry.WITH_AUTHENTICATION),
        "void_invoice": Decline(Reason.VOIDED, Retry.NEVER),
        "requested_by_customer": Decline(Reason.VOIDED, Retry.NEVER),
        "duplicate": Decline(Reason.VOIDED, Retry.NEVER),
        "fraudulent": Decline(Reason.VOIDED, Retry.NEVER),
        "failed_invoice": Decline(Reason.VOIDED, Retry.NEVER),
    }
)
VOIDED = Decline(Reason.VOIDED, Retry.NEVER)

REFUND_STATUSES = MappingProxyType(
    {
        "succeeded": StepFact.SUCCEEDED,
        "pending": StepFact.PENDING,
        "requires_action": StepFact.PENDING,
        "failed": StepFact.FAILED,
        "canceled": StepFact.FAILED,
    }
)

_LATER = Retry.LATER
_NEVER = Retry.NEVER
_AUTHENTICATED = Retry.WITH_AUTHENTICATION
# docs.stripe.com/declines/codes, and the error codes that speak of a payment (docs.stripe.com/error-codes).
DECLINES = MappingProxyType(
    {
        "approve_with_id": Decline(Reason.CARD_DECLINED, _LATER),
        "authentication_required": Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED),
        "authentication_not_handled": Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED),
        "payment_intent_authentication_failure": Decline(Reason.AUTHENTICATION_FAILED, _AUTHENTICATED),
        "setup_intent_authentication_failure": Decline(Reason.AUTHENTICATION_FAILED, _AUTHENTICATED),
        "payment_intent_payment_attempt_expired": Decline(Reason.ACTION_EXPIRED, _AUTHENTICATED),
        "call_issuer": Decline(Reason.CARD_DECLINED, _LATER),
        "card_declined": Decline(Reason.CARD_DECLINED, _LATER),
        "card_not_supported": Decline(Reason.NOT_PERMITTED, _NEVER),
        "card_velocity_exceeded": Decline(Reason.LIMIT_EXCEEDED, _LATER),
        "currency_not_supported": Decline(Reason.NOT_PERMITTED, _NEVER),
        "do_not_honor": Decline(Reason.CARD_DECLINED, _LATER),
        "do_not_try_again": Decline(Reason.CARD_DECLINED, _NEVER),
        "duplicate_transaction": Decline(Reason.DUPLICATE, _NEVER),
        "expired_card": Decline(Reason.EXPIRED_CARD, _NEVER),
        "fraudulent": Decline(Reason.SUSPECTED_FRAUD, _NEVER),
        "generic_decline": Decline(Reason.CARD_DECLINED, _LATER),
        "incorrect_cvc": Decline(Reason.INCORRECT_CVC, _NEVER),
        "incorrect_number": Decline(Reason.INVALID_CARD, _NEVER),
        "incorrect_pin": Decline(Reason.INCORRECT_PIN, _LATER),
        "incorrect_zip": Decline(Reason.INVALID_CARD, _LATER),
        "insufficient_funds": Decline(Reason.INSUFFICIENT_FUNDS, _LATER),
        "invalid_account": Decline(Reason.INVALID_CARD, _NEVER),
        "invalid_amount": Decline(Reason.NOT_PERMITTED, _NEVER),
        "invalid_cvc": Decline(Reason.INCORRECT_CVC, _NEVER),
        "invalid_expiry_month": Decline(Reason.INVALID_CARD, _NEVER),
        "invalid_expiry_year": Decline(Reason.INVALID_CARD, _NEVER),
        "invalid_number": Decline(Reason.INVALID_CARD, _NEVER),
        "invalid_pin": Decline(Reason.INCORRECT_PIN, _LATER),
        "issuer_not_available": Decline(Reason.ISSUER_UNAVAILABLE, _LATER),
        "lost_card": Decline(Reason.LOST_OR_STOLEN, _NEVER),
        "merchant_blacklist": Decline(Reason.SUSPECTED_FRAUD, _NEVER),
        "new_account_information_available": Decline(Reason.EXPIRED_CARD, _NEVER),
        "no_action_taken": Decline(Reason.CARD_DECLINED, _LATER),
        "not_permitted": Decline(Reason.NOT_PERMITTED, _NEVER),
        "offline_pin_required": Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED),
        "online_or_offline_pin_required": Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED),
        "pickup_card": Decline(Reason.LOST_OR_STOLEN, _NEVER),
        "pin_try_exceeded": Decline(Reason.LIMIT_EXCEEDED, _LATER),
        "processing_error": Decline(Reason.PROCESSING_ERROR, _LATER),
        "reenter_transaction": Decline(Reason.PROCESSING_ERROR, _LATER),
        "restricted_card": Decline(Reason.NOT_PERMITTED, _NEVER),
        "revocation_of_all_authorizations": Decline(Reason.MANDATE_INVALID, _NEVER),
        "revocation_of_authorization": Decline(Reason.MANDATE_INVALID, _NEVER),
        "security_violation": Decline(Reason.NOT_PERMITTED, _NEVER),
        "service_not_allowed": Decline(Reason.NOT_PERMITTED, _NEVER),
        "stolen_card": Decline(Reason.LOST_OR_STOLEN, _NEVER),
        "stop_payment_order": Decline(Reason.MANDATE_INVALID, _NEVER),
        "testmode_decline": Decline(Reason.INVALID_CARD, _NEVER),
        "transaction_not_allowed": Decline(Reason.NOT_PERMITTED, _NEVER),
        "try_again_later": Decline(Reason.ISSUER_UNAVAILABLE, _LATER),
        "withdrawal_count_limit_exceeded": Decline(Reason.LIMIT_EXCEEDED, _LATER),
        "debit_not_authorized": Decline(Reason.MANDATE_INVALID, _NEVER),
        "payment_method_provider_decline": Decline(Reason.CARD_DECLINED, _LATER),
        "payment_method_customer_decline": Decline(Reason.CANCELLED_BY_PAYER, _AUTHENTICATED),
        "payment_method_unexpected_state": Decline(Reason.PAYMENT_TOKEN_INVALID, _NEVER),
        "resource_missing": Decline(Reason.PAYMENT_TOKEN_INVALID, _NEVER),
        "payment_method_unactivated": Decline(Reason.METHOD_UNAVAILABLE, _NEVER),
    }
)
OTHERWISE = Decline(Reason.CARD_DECLINED, _LATER)

DISPUTE_STATUSES = MappingProxyType(
    {
        "warning_needs_response": DisputeStatus.INQUIRY,
        "warning_under_review": DisputeStatus.INQUIRY,
        "warning_closed": DisputeStatus.WON,
        "needs_response": DisputeStatus.NEEDS_RESPONSE,
        "under_review": DisputeStatus.UNDER_REVIEW,
        "won": DisputeStatus.WON,
        "lost": DisputeStatus.LOST,
        "prevented": DisputeStatus.WON,
    }
)
DISPUTE_REASONS = MappingProxyType(
    {
        "fraudulent": DisputeReason.FRAUDULENT,
        "product_not_received": DisputeReason.NOT_RECEIVED,
        "product_unacceptable": DisputeReason.NOT_AS_DESCRIBED,
        "duplicate": DisputeReason.DUPLICATE,
        "subscription_canceled": DisputeReason.SUBSCRIPTION_CANCELLED,
        "credit_not_processed": DisputeReason.CREDIT_NOT_PROCESSED,
        "unrecognized": DisputeReason.UNRECOGNISED,
        "debit_not_authorized": DisputeReason.DEBIT_NOT_AUTHORISED,
        "incorrect_account_details": DisputeReason.GENERAL,
        "insufficient_funds": DisputeReason.GENERAL,
        "bank_cannot_process": DisputeReason.GENERAL,
        "check_returned": DisputeReason.GENERAL,
        "customer_initiated": DisputeReason.GENERAL,
        "noncompliant": DisputeReason.GENERAL,
        "general": DisputeReason.GENERAL,
    }
)
# What evidence is called there; other kinds go in as text.
EVIDENCE = MappingProxyType(
    {
        "text": "uncategorized_text",
        "product_description": "product_description",
        "refund_policy": "refund_policy_disclosure",
        "shipping_documentation": "shipping_tracking_number",
        "customer_communication": "access_activity_log",
    }
)


def decline(*codes: str | None) -> Decline:
    """What the first of these codes that we know means; codes that we do not know are a plain decline."""
    return next((DECLINES[code] for code in codes if code is not None and code in DECLINES), OTHERWISE)
