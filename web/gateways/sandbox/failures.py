"""The sandbox's error map: reasons that the payer can act upon, or that say that an earlier request holds the key."""

from types import MappingProxyType

from web.gateways.declines import Reason
from web.gateways.errors import GatewayDocumentError
from web.gateways.exchange import Refusal
from web.gateways.reading import parse
from web.gateways.sandbox.documents import ErrorDocument
from web.gateways.sandbox.tables import decline

BY_CODE = MappingProxyType(
    {
        "idempotency_key_reused": Refusal("gateway_conflict", is_definite=False),  # then the earlier one decides
        "token_unknown": Refusal(Reason.PAYMENT_TOKEN_INVALID, is_definite=True),
        "token_used": Refusal(Reason.PAYMENT_TOKEN_INVALID, is_definite=True),
        "token_expired": Refusal(Reason.PAYMENT_TOKEN_INVALID, is_definite=True),
        "saved_unknown": Refusal(Reason.PAYMENT_TOKEN_INVALID, is_definite=True),
        "currency_unsupported": Refusal(Reason.METHOD_UNAVAILABLE, is_definite=True),
    }
)
_PAYMENT_REFUSED = 402


def understood(refusal: Refusal) -> Refusal:
    """A refusal with the sandbox's own reason, where it names one that means more than the status."""
    if not refusal.is_definite or not refusal.body:
        return refusal
    try:
        code = parse(ErrorDocument, refusal.body).code
    except GatewayDocumentError:
        return refusal
    if refusal.status == _PAYMENT_REFUSED:
        why = decline(code)
        return Refusal(why.reason, is_definite=True, retry=why.retry, gateway_code=code)
    return BY_CODE.get(code, refusal)
