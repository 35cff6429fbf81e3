"""Passwords, tokens and limits: pure functions, apart from drawing random bytes."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

# OWASP's choice for argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
SALT_BYTES, HASH_BYTES = 16, 32
_EARLIER: Final = "scrypt"  # hashes that were made before argon2 still fit; a new password gets a new hash
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 12, 256
EMAIL_LENGTH_MAX: Final = 254

IDLE: Final = timedelta(minutes=30)
LIFETIME: Final = timedelta(hours=10)
SEEN_EVERY: Final = timedelta(minutes=1)

FAILURE_WINDOW: Final = timedelta(minutes=15)
FAILURES_KEPT: Final = timedelta(days=1)
FAILURES_MAX: Final = {"user": 10, "address": 30}
IPV6_NETWORK_BITS: Final = 64  # what one household or attacker is given at least


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """argon2id in the PHC format, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`: whoever reads it knows how it was made."""
    made = Argon2id(
        salt=salt or secrets.token_bytes(SALT_BYTES), length=HASH_BYTES, iterations=PASSES, lanes=LANES,
        memory_cost=MEMORY_KIB,
    )  # fmt: skip
    return made.derive_phc_encoded(password.encode())


def fits(password: str, stored: str) -> bool:
    """Whether a password has that hash. Takes as long for a wrong one; False for a hash that cannot be read."""
    if stored.startswith("$argon2id$"):
        return _is_argon2(password, stored)
    try:
        scheme, cost, block, parallel, salt, digest = stored.split("$")
        expected = base64.b64decode(digest, validate=True)
        found = _scrypt(password, base64.b64decode(salt, validate=True), int(cost), int(block), int(parallel))
    except (ValueError, binascii.Error):
        return False
    return scheme == _EARLIER and hmac.compare_digest(found, expected)


def decoy_hash() -> str:
    """A hash that no password is known for: an unknown user costs as much as a known one."""
    return hash_password(secrets.token_urlsafe(32))


def new_token() -> str:
    """256 random bits for a cookie."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What the database keeps of a session's cookie."""
    return hashlib.sha256(token.encode()).digest()


def csrf_token(token: str, purpose: str) -> str:
    """What a form must carry: only who can read the cookie can make it."""
    return hmac.new(token.encode(), f"csrf:{purpose}".encode(), hashlib.sha256).hexdigest()


def is_csrf_token(given: str, token: str, purpose: str) -> bool:
    """Whether a form's token belongs to the cookie."""
    return hmac.compare_digest(given.encode(), csrf_token(token, purpose).encode())


def failure_keys(key: bytes, email: str, address: str) -> dict[str, bytes]:
    """What a sign-in counts against: the e-mail, whether it is known or not, and the network address."""
    named = {"user": email, "address": network_of(address)}
    return {kind: hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).digest() for kind, value in named.items()}


def network_of(address: str) -> str:
    """An IPv4 address, or the network that an IPv6 address is in; anything else as it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((int(found), IPV6_NETWORK_BITS), strict=False))
    return str(found)


def normal_email(email: str) -> str:
    """The form in which e-mail addresses are stored and looked up."""
    return email.strip().lower()


def _is_argon2(password: str, stored: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode(), stored)
    except (InvalidKey, ValueError):
        return False
    return True


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    memory = 128 * cost * block * 2  # what it needs is half of it
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=memory, dklen=HASH_BYTES)
