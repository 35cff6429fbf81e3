"""Adyen's words and numbers in ours (Checkout API v71; each table follows the page of its docs)."""

from datetime import timedelta
from types import MappingProxyType

from web.gateways.capabilities import Capabilities, Lookup
from web.gateways.declines import Decline, DisputeReason, Reason, Retry
from web.gateways.disputes import DisputeStatus
from web.gateways.domain import Fact, Method
from web.gateways.minor_units import MinorUnits

# docs.adyen.com/development-resources/currency-codes: where Adyen deviates from ISO 4217.
MINOR_UNITS = MinorUnits(exponents=MappingProxyType({"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}))

METHODS = MappingProxyType(
    {
        Method.CARD: ("scheme",),
        Method.WALLET: ("applepay", "googlepay"),
        Method.IDEAL: ("ideal",),
        Method.SEPA_DEBIT: ("sepadirectdebit",),
        Method.BANK_TRANSFER: ("bankTransfer_IBAN",),
        Method.UPI: ("upi_intent", "upi_collect"),
    }
)
CAPABILITIES = Capabilities(
    methods=frozenset(METHODS),
    lookup=Lookup.RESEND,
    has_manual_capture=True,
    has_partial_capture=True,
    has_multiple_captures=False,  # only for accounts that Adyen has enabled for it
    has_saved_methods=True,
    has_dispute_list=False,  # disputes come as webhooks; defending them is another API
    has_evidence=False,
    authorisation_lifetime=timedelta(days=7),
    idempotency_lifetime=timedelta(days=7),
)

# Authorised is money taken where we asked for that, and set aside where we did not: the adapter knows which.
RESULTS = MappingProxyType(
    {
        "Authorised": Fact.CAPTURED,
        "Refused": Fact.DECLINED,
        "Cancelled": Fact.DECLINED,
        "Error": Fact.DECLINED,
        "RedirectShopper": Fact.REQUIRES_ACTION,
        "Pending": Fact.PENDING,
        "Received": Fact.PENDING,
        "PresentToShopper": Fact.PENDING,
    }
)
SESSION_STATUSES = MappingProxyType(
    {
        "active": Fact.PENDING,
        "paymentPending": Fact.PENDING,
        "completed": Fact.CAPTURED,
        "canceled": Fact.DECLINED,
        "expired": Fact.DECLINED,
        "refused": Fact.DECLINED,
    }
)
SESSION_DECLINES = MappingProxyType(
    {
        "canceled": Decline(Reason.CANCELLED_BY_PAYER, Retry.WITH_AUTHENTICATION),
        "expired": Decline(Reason.ACTION_EXPIRED, Retry.WITH_AUTHENTICATION),
        "refused": Decline(Reason.CARD_DECLINED, Retry.LATER),
    }
)

_LATER = Retry.LATER
_NEVER = Retry.NEVER
_AUTHENTICATED = Retry.WITH_AUTHENTICATION
# docs.adyen.com/development-resources/refusal-reasons: code, words (which webhooks give), and what they mean.
_REFUSALS = (
    ("2", "Refused", Decline(Reason.CARD_DECLINED, _LATER)),
    ("3", "Referral", Decline(Reason.CARD_DECLINED, _LATER)),
    ("4", "Acquirer Error", Decline(Reason.PROCESSING_ERROR, _LATER)),
    ("5", "Blocked Card", Decline(Reason.LOST_OR_STOLEN, _NEVER)),
    ("6", "Expired Card", Decline(Reason.EXPIRED_CARD, _NEVER)),
    ("7", "Invalid Amount", Decline(Reason.NOT_PERMITTED, _NEVER)),
    ("8", "Invalid Card Number", Decline(Reason.INVALID_CARD, _NEVER)),
    ("9", "Issuer Unavailable", Decline(Reason.ISSUER_UNAVAILABLE, _LATER)),
    ("10", "Not supported", Decline(Reason.NOT_PERMITTED, _NEVER)),
    ("11", "3D Not Authenticated", Decline(Reason.AUTHENTICATION_FAILED, _AUTHENTICATED)),
    ("12", "Not enough balance", Decline(Reason.INSUFFICIENT_FUNDS, _LATER)),
    ("14", "Acquirer Fraud", Decline(Reason.SUSPECTED_FRAUD, _NEVER)),
    ("15", "Cancelled", Decline(Reason.CANCELLED_BY_PAYER, _AUTHENTICATED)),
    ("16", "Shopper Cancelled", Decline(Reason.CANCELLED_BY_PAYER, _AUTHENTICATED)),
    ("17", "Invalid Pin", Decline(Reason.INCORRECT_PIN, _LATER)),
    ("18", "Pin tries exceeded", Decline(Reason.LIMIT_EXCEEDED, _LATER)),
    ("19", "Pin validation not possible", Decline(Reason.PROCESSING_ERROR, _LATER)),
    ("20", "FRAUD", Decline(Reason.SUSPECTED_FRAUD, _NEVER)),
    ("21", "Not Submitted", Decline(Reason.PROCESSING_ERROR, _LATER)),
    ("22", "FRAUD-CANCELLED", Decline(Reason.SUSPECTED_FRAUD, _NEVER)),
    ("23", "Transaction Not Permitted", Decline(Reason.NOT_PERMITTED, _NEVER)),
    ("24", "CVC Declined", Decline(Reason.INCORRECT_CVC, _NEVER)),
    ("25", "Restricted Card", Decline(Reason.NOT_PERMITTED, _NEVER)),
    ("26", "Revocation Of Auth", Decline(Reason.MANDATE_INVALID, _NEVER)),
    ("27", "Declined Non Generic", Decline(Reason.CARD_DECLINED, _LATER)),
    ("28", "Withdrawal amount exceeded", Decline(Reason.LIMIT_EXCEEDED, _LATER)),
    ("29", "Withdrawal count exceeded", Decline(Reason.LIMIT_EXCEEDED, _LATER)),
    ("31", "Issuer Suspected Fraud", Decline(Reason.SUSPECTED_FRAUD, _NEVER)),
    ("32", "AVS Declined", Decline(Reason.INVALID_CARD, _NEVER)),
    ("33", "Card requires online pin", Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED)),
    ("34", "No checking account available on Card", Decline(Reason.INVALID_CARD, _NEVER)),
    ("35", "No savings account available on Card", Decline(Reason.INVALID_CARD, _NEVER)),
    ("36", "Mobile PIN required", Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED)),
    ("37", "Contactless fallback", Decline(Reason.PROCESSING_ERROR, _LATER)),
    ("38", "Authentication required", Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED)),
    ("39", "RReq not received from DS", Decline(Reason.AUTHENTICATION_FAILED, _AUTHENTICATED)),
    ("40", "Current AID is in penalty box", Decline(Reason.METHOD_UNAVAILABLE, _LATER)),
    ("41", "CVM Required Restart Payment", Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED)),
    ("42", "3DS Authentication Error", Decline(Reason.AUTHENTICATION_FAILED, _AUTHENTICATED)),
    ("43", "Online PIN required", Decline(Reason.AUTHENTICATION_REQUIRED, _AUTHENTICATED)),
    ("44", "Try another interface", Decline(Reason.PROCESSING_ERROR, _LATER)),
    ("45", "Chip downgrade mode", Decline(Reason.PROCESSING_ERROR, _LATER)),
    ("46", "Transaction blocked by Adyen to prevent excessive retry fees", Decline(Reason.CARD_DECLINED, _NEVER)),
)
REFUSALS = MappingProxyType(
    {code: meaning for code, _, meaning in _REFUSALS} | {words.lower(): meaning for _, words, meaning in _REFUSALS}
)
OTHERWISE = Decline(Reason.CARD_DECLINED, _LATER)

# Webhooks about a dispute, by eventCode (docs.adyen.com/risk-management/disputes-api/dispute-notifications).
DISPUTE_EVENTS = MappingProxyType(
    {
        "REQUEST_FOR_INFORMATION": DisputeStatus.INQUIRY,
        "NOTIFICATION_OF_CHARGEBACK": DisputeStatus.NEEDS_RESPONSE,
        "CHARGEBACK": DisputeStatus.NEEDS_RESPONSE,
        "INFORMATION_SUPPLIED": DisputeStatus.UNDER_REVIEW,
        "CHARGEBACK_REVERSED": DisputeStatus.WON,
        "PREARBITRATION_WON": DisputeStatus.WON,
        "PREARBITRATION_LOST": DisputeStatus.LOST,
        "SECOND_CHARGEBACK": DisputeStatus.LOST,
    }
)
# Visa's and Mastercard's reason codes, as Adyen passes them on.
DISPUTE_REASONS = MappingProxyType(
    {
        **dict.fromkeys(("10.1", "10.2", "10.3", "10.4", "10.5", "4837", "4849", "4863"), DisputeReason.FRAUDULENT),
        **dict.fromkeys(("13.1", "4855"), DisputeReason.NOT_RECEIVED),
        **dict.fromkeys(("13.3", "13.4", "13.5", "4853"), DisputeReason.NOT_AS_DESCRIBED),
        **dict.fromkeys(("13.2", "4841"), DisputeReason.SUBSCRIPTION_CANCELLED),
        **dict.fromkeys(("13.6", "13.7", "4860"), DisputeReason.CREDIT_NOT_PROCESSED),
        **dict.fromkeys(("12.6.1", "12.6.2", "4834"), DisputeReason.DUPLICATE),
        **dict.fromkeys(("12.5", "4831"), DisputeReason.INCORRECT_AMOUNT),
        **dict.fromkeys(("MD01", "MD06"), DisputeReason.DEBIT_NOT_AUTHORISED),
    }
)


def refusal(*words: str | None) -> Decline:
    """What the first of these codes or words that we know means; what we do not know is a plain decline."""
    known = (REFUSALS.get(word.lower()) for word in words if word)
    return next((meaning for meaning in known if meaning is not None), OTHERWISE)
