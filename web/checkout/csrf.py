"""CSRF tokens: bound to one session by HMAC, so they need neither a cookie nor a row."""

import hashlib
import hmac


def csrf_token(pepper: bytes, session_token: str) -> str:
    """The token that a session's form carries."""
    return hmac.new(pepper, b"meridian checkout csrf\0" + session_token.encode(), hashlib.sha256).hexdigest()


def is_csrf_token(pepper: bytes, session_token: str, presented: str) -> bool:
    """Whether a form was made for this session; compares in constant time."""
    return hmac.compare_digest(csrf_token(pepper, session_token).encode(), presented.encode("utf-8", "replace"))
