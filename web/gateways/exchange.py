"""HTTP with a gateway: one exchange with explicit deadlines, and what its failure proves.

Definite means that the gateway has not acted on the request and never will. When in doubt a failure is not definite: an
attempt then stays unknown until it is resolved, which costs time; the opposite mistake costs a payer a second charge.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import httpx

from web.gateways.declines import Reason, Retry

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, and one holds a payment token

DEADLINES = httpx.Timeout(connect=3.0, read=10.0, write=5.0, pool=2.0)


@dataclass(frozen=True)
class Refusal:
    """A failed exchange. `code` is ours; `status` and `body` are the gateway's, for its own map to look into."""

    code: str
    is_definite: bool
    is_about_us: bool = False  # the same request may be accepted later: only the gateway's door was shut
    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    retry: Retry | None = None
    gateway_code: str | None = None


# The request never left us: no connection was there to carry it.
NEVER_SENT: tuple[type[httpx.HTTPError], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)

BY_STATUS = MappingProxyType(
    {
        400: Refusal(Reason.REJECTED_REQUEST, is_definite=True),
        401: Refusal(Reason.REJECTED_CREDENTIALS, is_definite=True, is_about_us=True),
        402: Refusal(Reason.CARD_DECLINED, is_definite=True),
        403: Refusal(Reason.REJECTED_CREDENTIALS, is_definite=True, is_about_us=True),
        404: Refusal(Reason.REJECTED_REQUEST, is_definite=True),
        408: Refusal("gateway_timeout", is_definite=False),
        409: Refusal("gateway_conflict", is_definite=False),  # the same key is being worked on right now
        413: Refusal(Reason.REJECTED_REQUEST, is_definite=True),
        415: Refusal(Reason.REJECTED_REQUEST, is_definite=True),
        422: Refusal(Reason.REJECTED_REQUEST, is_definite=True),
        425: Refusal("gateway_conflict", is_definite=False),
        429: Refusal(Reason.BUSY, is_definite=True, is_about_us=True),  # refused at the door
    }
)
OTHERWISE = Refusal("gateway_error", is_definite=False)  # redirects, 5xx and whatever else is met


def after_transport_error(error: httpx.HTTPError) -> Refusal:
    """What an exchange without an answer proves."""
    if isinstance(error, NEVER_SENT):
        return Refusal(Reason.UNREACHABLE, is_definite=True, is_about_us=True)
    if isinstance(error, httpx.TimeoutException):
        return Refusal("gateway_timeout", is_definite=False)
    return Refusal("gateway_connection_lost", is_definite=False)


def after_response(status: int, body: bytes) -> Refusal:
    """What an answer other than 2xx proves, as far as its status tells."""
    known = BY_STATUS.get(status, OTHERWISE)
    return Refusal(known.code, known.is_definite, known.is_about_us, status, body)


@dataclass(frozen=True)
class Line:
    """How a gateway is reached. Headers carry the key to it and stay out of a repr."""

    gateway: str
    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    deadlines: httpx.Timeout = field(default_factory=lambda: DEADLINES)
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    @cached_property
    def _client(self) -> httpx.Client:
        # Made on first use, which is after the server has forked.
        return httpx.Client(
            base_url=self.base_url,
            headers={"User-Agent": "Meridian", **self.headers},
            timeout=self.deadlines,
            follow_redirects=False,
            trust_env=False,
            transport=self.transport,
        )

    def exchange(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        deadlines: httpx.Timeout | None = None,
    ) -> bytes | Refusal:
        """One request and its answer's body, or what its failure proves. Never raises for what a network does."""
        try:
            response = self._client.request(
                method,
                path,
                json=json,
                data=data,
                params=params,
                headers=headers,
                timeout=deadlines or self.deadlines,
            )
        except httpx.HTTPError as error:
            refusal = after_transport_error(error)
        else:
            if response.is_success:
                return response.content
            refusal = after_response(response.status_code, response.content)
        log.warning(
            "gateway exchange failed",
            extra={
                "gateway": self.gateway,
                "path": path.partition("/tokens/")[0],
                "code": str(refusal.code),
                "status": refusal.status,
                "is_definite": refusal.is_definite,
            },
        )
        return refusal
