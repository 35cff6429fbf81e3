"""Adyen's error map: what its refusals prove, by error code (docs.adyen.com/development-resources/error-codes)."""

from types import MappingProxyType

from web.gateways.adyen.documents import ErrorDocument
from web.gateways.declines import Reason, Retry
from web.gateways.errors import GatewayDocumentError
from web.gateways.exchange import Refusal
from web.gateways.reading import parse

BY_CODE = MappingProxyType(
    {
        "704": Refusal("gateway_conflict", is_definite=False),  # processed already, or at work: that one decides
        "010": Refusal(Reason.REJECTED_CREDENTIALS, is_definite=True, is_about_us=True),
        "901": Refusal(Reason.REJECTED_CREDENTIALS, is_definite=True, is_about_us=True),
        "101": Refusal(Reason.INVALID_CARD, is_definite=True, retry=Retry.NEVER),
        "103": Refusal(Reason.INCORRECT_CVC, is_definite=True, retry=Retry.NEVER),
        "129": Refusal(Reason.INVALID_CARD, is_definite=True, retry=Retry.NEVER),
        "137": Refusal("amount_unsupported", is_definite=True),
        "138": Refusal(Reason.METHOD_UNAVAILABLE, is_definite=True),
        "140": Refusal(Reason.EXPIRED_CARD, is_definite=True, retry=Retry.NEVER),
        "141": Refusal(Reason.METHOD_UNAVAILABLE, is_definite=True),
        "167": Refusal("payment_unknown", is_definite=True),
        "174": Refusal(Reason.PAYMENT_TOKEN_INVALID, is_definite=True, retry=Retry.NEVER),
        "800": Refusal(Reason.PAYMENT_TOKEN_INVALID, is_definite=True, retry=Retry.NEVER),
        "803": Refusal(Reason.PAYMENT_TOKEN_INVALID, is_definite=True, retry=Retry.NEVER),
        "905": Refusal(Reason.METHOD_UNAVAILABLE, is_definite=True),
    }
)


def understood(refusal: Refusal) -> Refusal:
    """A refusal with Adyen's own reason, where it names one that means more than the status."""
    if not refusal.is_definite or not refusal.body:
        return refusal
    try:
        code = parse(ErrorDocument, refusal.body).errorCode
    except GatewayDocumentError:
        return refusal
    return BY_CODE.get(code or "", refusal)
