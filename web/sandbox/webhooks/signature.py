"""How a webhook is signed: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. Pure."""

import hashlib
import hmac

HEADER = "Sandbox-Signature"


def sign(secret: str, body: bytes, unix_seconds: int) -> str:
    """The value of the signature header."""
    mark = hmac.new(secret.encode(), f"{unix_seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={unix_seconds},v1={mark}"
