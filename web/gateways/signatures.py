"""Webhook signatures as Stripe made them and others took over: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`."""

import hashlib
import hmac
from datetime import datetime, timedelta

from web.gateways.errors import WebhookRejectedError

TOLERANCE = timedelta(minutes=5)


def sign(secret: bytes, body: bytes, at: datetime) -> str:
    """The header's value for a body signed at this time."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(secret, seconds, body)}"


def verify(secret: bytes, header: str | None, body: bytes, now: datetime, name: str) -> None:
    """Raise WebhookRejectedError unless the body was signed with this secret within the tolerance of now.

    `name` is the header's.
    """
    if not header:
        raise WebhookRejectedError(f"The {name} header is missing.")
    fields = [part.partition("=") for part in header.split(",")]
    stamps = [value for key, _, value in fields if key.strip() == "t"]
    digests = [value for key, _, value in fields if key.strip() == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit()) or not digests:
        raise WebhookRejectedError(f"The {name} header is malformed.")
    seconds = int(stamps[0][:18])
    expected = _digest(secret, seconds, body).encode()
    # Every digest is compared, in constant time: during a change of secret a sender signs with both.
    matches = [hmac.compare_digest(expected, digest.encode()) for digest in digests]
    if not any(matches):
        raise WebhookRejectedError("The webhook's signature does not match.")
    if abs(now.timestamp() - seconds) > TOLERANCE.total_seconds():
        raise WebhookRejectedError("The webhook was signed too long ago.")


def _digest(secret: bytes, seconds: int, body: bytes) -> str:
    return hmac.new(secret, b"%d." % seconds + body, hashlib.sha256).hexdigest()
