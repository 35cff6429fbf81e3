"""Stripe's error map: what its refusals prove, by type and code (docs.stripe.com/api/errors)."""

from types import MappingProxyType

from web.gateways.declines import Reason
from web.gateways.errors import GatewayDocumentError
from web.gateways.exchange import Refusal
from web.gateways.reading import parse
from web.gateways.stripe.documents import ErrorDetails, ErrorDocument
from web.gateways.stripe.tables import decline

_CONFLICT = Refusal("gateway_conflict", is_definite=False)
# The key was used for another request, or is at work: the earlier request decides.
BY_TYPE = MappingProxyType({"idempotency_error": _CONFLICT, "api_error": Refusal("gateway_error", is_definite=False)})
BY_CODE = MappingProxyType(
    {
        "idempotency_key_in_use": _CONFLICT,
        "lock_timeout": Refusal(Reason.BUSY, is_definite=True, is_about_us=True),
        "rate_limit": Refusal(Reason.BUSY, is_definite=True, is_about_us=True),
        "api_key_expired": Refusal(Reason.REJECTED_CREDENTIALS, is_definite=True, is_about_us=True),
        "charge_already_refunded": Refusal("amount_exceeds_refundable", is_definite=True),
        "amount_too_small": Refusal("amount_unsupported", is_definite=True),
        "amount_too_large": Refusal("amount_unsupported", is_definite=True),
        "payment_intent_unexpected_state": Refusal("unexpected_state", is_definite=True),
    }
)
_TOKEN_PARAMETERS = frozenset({"payment_method", "customer"})


def understood(refusal: Refusal) -> Refusal:
    """A refusal with Stripe's own reason, where it names one that means more than the status."""
    error = details(refusal)
    if error is None:
        return refusal
    for known in (BY_TYPE.get(error.type or ""), BY_CODE.get(error.code or "")):
        if known is not None:
            return known
    is_token = error.code in {"resource_missing", None} and error.param in _TOKEN_PARAMETERS
    if refusal.is_definite and (error.type == "card_error" or refusal.status == 402 or is_token):  # noqa: PLR2004 - Payment Required
        why = decline(error.decline_code, error.code, "resource_missing" if is_token else None)
        return Refusal(
            why.reason,
            is_definite=True,
            status=refusal.status,
            body=refusal.body,
            retry=why.retry,
            gateway_code=error.decline_code or error.code,
        )
    return refusal


def details(refusal: Refusal) -> ErrorDetails | None:
    """What Stripe says of a refusal; None when it says nothing that can be read."""
    if not refusal.body:
        return None
    try:
        return parse(ErrorDocument, refusal.body).error
    except GatewayDocumentError:
        return None
