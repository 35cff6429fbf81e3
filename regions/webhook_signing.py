"""Standard Webhooks (standardwebhooks.com): `v1` (HMAC-SHA256) and `v1a` (Ed25519) over id, time and body. Pure.

A secret is `whsec_` and base64 of 24 to 64 bytes; a private key is `whsk_` and its public half `whpk_`, each followed
by base64 of 32 bytes.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from regions.errors import MeridianError

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with
PRIVATE_PREFIX: Final = "whsk_"
PUBLIC_PREFIX: Final = "whpk_"
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
KEY_BYTES: Final = 32
TOLERANCE_SECONDS: Final = 300
ID, TIMESTAMP, SIGNATURE, DIGEST = "webhook-id", "webhook-timestamp", "webhook-signature", "content-digest"


class SigningError(MeridianError):
    """A secret or key that cannot be one."""


class VerificationError(MeridianError):
    """A message that is not what it says. `check` names what failed: headers, clock or signature."""

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


def make_secret(random: bytes) -> str:
    """A secret of these random bytes."""
    if not SECRET_BYTES_MIN <= len(random) <= SECRET_BYTES_MAX:
        raise SigningError(f"a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, not {len(random)}")
    return SECRET_PREFIX + base64.b64encode(random).decode()


def make_private_key(random: bytes) -> str:
    """A private key of 32 random bytes."""
    if len(random) != KEY_BYTES:
        raise SigningError(f"a private key has {KEY_BYTES} bytes, not {len(random)}")
    return PRIVATE_PREFIX + base64.b64encode(random).decode()


def public_key(private_key: str) -> str:
    """The public half of a private key, which anybody may have."""
    raw = _decode(private_key, PRIVATE_PREFIX, KEY_BYTES, KEY_BYTES)
    public = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    return PUBLIC_PREFIX + base64.b64encode(public).decode()


@dataclass(frozen=True, slots=True)
class Signer:
    """Every secret and key that is valid now, the newest first: during a rotation each signs."""

    secrets: tuple[bytes, ...]
    keys: tuple[Ed25519PrivateKey, ...] = ()

    @classmethod
    def of(cls, secrets: Sequence[str], private_keys: Sequence[str] = ()) -> "Signer":
        """From their texts. Raises SigningError."""
        return cls(
            tuple(secret_bytes(secret) for secret in secrets),
            tuple(
                Ed25519PrivateKey.from_private_bytes(_decode(key, PRIVATE_PREFIX, KEY_BYTES, KEY_BYTES))
                for key in private_keys
            ),
        )

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The headers of one try. `timestamp` is when it is sent, in seconds since 1970."""
        content = signed_content(message_id, timestamp, body)
        signatures = [f"v1,{_v1(secret, content)}" for secret in self.secrets]
        signatures += [f"v1a,{base64.b64encode(key.sign(content)).decode()}" for key in self.keys]
        return {
            ID: message_id,
            TIMESTAMP: str(timestamp),
            SIGNATURE: " ".join(signatures),
            DIGEST: content_digest(body),
        }


def signed_content(message_id: str, timestamp: int | str, body: bytes) -> bytes:
    """What is signed. Ids hold no full stop, so this is unambiguous."""
    return f"{message_id}.{timestamp}.".encode() + body


def content_digest(body: bytes) -> str:
    """RFC 9530: a receiver whose signature check fails sees whether the body is what we sent."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def secret_bytes(secret: str) -> bytes:
    """The key behind a `whsec_` text. Raises SigningError, which never shows it."""
    return _decode(secret, SECRET_PREFIX, SECRET_BYTES_MIN, SECRET_BYTES_MAX)


def public_key_bytes(key: str) -> bytes:
    """The key behind a `whpk_` text. Raises SigningError."""
    return _decode(key, PUBLIC_PREFIX, KEY_BYTES, KEY_BYTES)


def is_v1(secret: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the `v1` signatures is that of this secret."""
    wanted = _v1(secret, signed_content(headers[ID], headers[TIMESTAMP], body))
    return any(hmac.compare_digest(wanted, given) for given in signatures_of(headers, "v1"))


def is_v1a(key: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the `v1a` signatures was made by the private half of this public key."""
    content, public = signed_content(headers[ID], headers[TIMESTAMP], body), Ed25519PublicKey.from_public_bytes(key)
    for given in signatures_of(headers, "v1a"):
        try:
            public.verify(base64.b64decode(given, validate=True), content)
        except (InvalidSignature, binascii.Error):
            continue
        return True
    return False


def signatures_of(headers: Mapping[str, str], version: str) -> list[str]:
    """The signatures of one version, as base64."""
    parts = [part.partition(",") for part in headers[SIGNATURE].split(" ")]
    return [signature for name, _, signature in parts if name == version]


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: int) -> None:
    """Check a message as a receiver does; header names in lower case. Raises VerificationError, SigningError."""
    for name in (ID, TIMESTAMP, SIGNATURE):
        if not headers.get(name):
            raise VerificationError("headers", f"The header {name} is missing.")
    stamp = headers[TIMESTAMP]
    if not (stamp.isascii() and stamp.isdigit()):
        raise VerificationError("headers", "The header webhook-timestamp is not a number of seconds since 1970.")
    if abs(now - int(stamp)) > TOLERANCE_SECONDS:
        raise VerificationError(
            "clock", f"The message is {now - int(stamp)} s old by this clock, and {TOLERANCE_SECONDS} s are allowed."
        )
    if not is_v1(secret_bytes(secret), headers, body):
        raise VerificationError("signature", "No signature is that of this secret over this body.")


def _v1(secret: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, content, "sha256")).decode()


def _decode(text: str, prefix: str, shortest: int, longest: int) -> bytes:
    if not text.startswith(prefix):
        raise SigningError(f"it does not begin with {prefix}")
    try:
        raw = base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raise SigningError(f"what follows {prefix} is not base64") from None
    if not shortest <= len(raw) <= longest:
        wanted = str(shortest) if shortest == longest else f"{shortest} to {longest}"
        raise SigningError(f"it holds {len(raw)} bytes, and {wanted} are needed")
    return raw
