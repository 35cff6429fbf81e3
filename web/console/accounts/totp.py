"""One-time codes of an authenticator app (RFC 6238): SHA-1, six digits, a new one every 30 seconds."""

import hmac
import secrets
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
_NONCE_BYTES: Final = 12
_DRIFT_STEPS: Final = (0, -1, 1)  # clocks of telephones


def new_secret() -> bytes:
    """160 random bits, as RFC 4226 recommends."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """The code of a step: the number of half minutes since 1970."""
    return _totp(secret).generate(step * STEP_SECONDS).decode()


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """The step that a code is of, now or half a minute around; None for a wrong one. Compares without telling where."""
    current = int(now.timestamp()) // STEP_SECONDS
    found = [
        current + drift
        for drift in _DRIFT_STEPS
        if hmac.compare_digest(code_at(secret, current + drift).encode(), code.encode())
    ]
    return found[0] if found else None


def address(secret: bytes, email: str, region: str) -> str:
    """What an authenticator app takes: otpauth://totp/…; it holds the secret."""
    return _totp(secret).get_provisioning_uri(email, f"Meridian {region}")


def seal(key: bytes, user_id: str, secret: bytes) -> bytes:
    """What the database keeps of a secret: AES-256-GCM under the console's key, bound to the user."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_derived(key)).encrypt(nonce, secret, user_id.encode())


def unseal(key: bytes, user_id: str, sealed: bytes) -> bytes | None:
    """The secret again; None under another key or for another user."""
    try:
        return AESGCM(_derived(key)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], user_id.encode())
    except InvalidTag:
        return None


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - what authenticator apps know


def _derived(key: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"meridian console totp").derive(key)
