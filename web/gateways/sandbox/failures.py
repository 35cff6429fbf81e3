"""The error map: which failures of an exchange prove that nothing happened, and which prove nothing at all.

Definite means that the sandbox has not acted on the request and never will. When in doubt a failure is not definite: an
attempt then stays unknown until it is resolved, which costs time; the opposite mistake costs a payer a second charge.
"""

from dataclasses import dataclass
from types import MappingProxyType

import httpx

from web.gateways.errors import GatewayDocumentError
from web.gateways.sandbox.documents import ErrorDocument, parse


@dataclass(frozen=True)
class Refusal:
    """A failed exchange. `code` is ours, or the sandbox's own where it names a reason of the payment."""

    code: str
    is_definite: bool
    is_about_us: bool = False  # the same request may be accepted later: only the sandbox's door was shut


# The request never left us: no connection was there to carry it.
NEVER_SENT: tuple[type[httpx.HTTPError], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)

BY_STATUS = MappingProxyType(
    {
        400: Refusal("gateway_rejected_request", is_definite=True),
        401: Refusal("gateway_rejected_credentials", is_definite=True, is_about_us=True),
        402: Refusal("card_declined", is_definite=True),
        403: Refusal("gateway_rejected_credentials", is_definite=True, is_about_us=True),
        404: Refusal("gateway_rejected_request", is_definite=True),
        408: Refusal("gateway_timeout", is_definite=False),
        409: Refusal("gateway_conflict", is_definite=False),  # the same key is being worked on right now
        413: Refusal("gateway_rejected_request", is_definite=True),
        415: Refusal("gateway_rejected_request", is_definite=True),
        422: Refusal("gateway_rejected_request", is_definite=True),
        425: Refusal("gateway_conflict", is_definite=False),
        429: Refusal("gateway_busy", is_definite=True, is_about_us=True),  # refused at the door
    }
)
OTHERWISE = Refusal("gateway_error", is_definite=False)  # redirects, 5xx and whatever else is met

# Reasons that the payer can act upon, or that say an earlier request holds the key: then that one decides.
BY_CODE = MappingProxyType(
    {
        "idempotency_key_reused": Refusal("gateway_conflict", is_definite=False),
        "token_unknown": Refusal("payment_token_invalid", is_definite=True),
        "token_used": Refusal("payment_token_invalid", is_definite=True),
        "token_expired": Refusal("payment_token_invalid", is_definite=True),
    }
)


def after_transport_error(error: httpx.HTTPError) -> Refusal:
    """What an exchange without an answer proves."""
    if isinstance(error, NEVER_SENT):
        return Refusal("gateway_unreachable", is_definite=True, is_about_us=True)
    if isinstance(error, httpx.TimeoutException):
        return Refusal("gateway_timeout", is_definite=False)
    return Refusal("gateway_connection_lost", is_definite=False)


def after_response(status: int, body: bytes) -> Refusal:
    """What an answer other than 2xx proves."""
    refusal = BY_STATUS.get(status, OTHERWISE)
    if not refusal.is_definite:
        return refusal
    try:
        return BY_CODE.get(parse(ErrorDocument, body).code, refusal)
    except GatewayDocumentError:
        return refusal
