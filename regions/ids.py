"""Ids and keys that say what they name and where it lives.

An id is `<prefix>_<region>_<26 characters>`: a UUIDv7 in lower-case Crockford base32, so ids of one kind sort by time.
An id names an object and grants nothing (74 random bits). What grants access (an API key, a link's code, a session's
token) is drawn whole from the system's randomness, with at least 128 bits.
"""

import os
import re
import uuid
import zlib
from types import MappingProxyType
from typing import Final, NamedTuple

import uuid_utils

from regions.errors import MeridianError

KINDS: Final = MappingProxyType(
    {
        "merchant": "merch",
        "key": "key",
        "link": "plink",
        "session": "cs",
        "payment": "pay",
        "attempt": "att",
        "refund": "re",
        "capture": "cap",
        "void": "void",
        "dispute": "dp",
        "split": "spl",
        "fee": "fee",
        "journal": "jrn",
        "subject": "subj",
        "webhook": "gwh",
        "break": "brk",
        "posting": "post",
        "resolution": "rsl",
        "request": "req",
        "erasure": "ereq",
        "hold": "hold",
        "user": "user",
        "bulk": "bulk",
        "event": "evt",
        "endpoint": "whe",
        "delivery": "whd",
        "payout": "pout",
        "payout_batch": "pbat",
        "saved_method": "pm",
        "renewal": "rnw",
    }
)
_KIND_OF = {prefix: kind for kind, prefix in KINDS.items()}

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_CROCKFORD_VALUE = {char: value for value, char in enumerate(_CROCKFORD)}
_CROCKFORD_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# A random byte is a character, but for the last 8 of 256, which would make the first 8 characters likelier.
_BASE62_OF_BYTE = bytes(ord(_BASE62[byte % 62]) for byte in range(256))
_BASE62_REFUSED = bytes(range(256 - 256 % 62, 256))
_ENCODED_LENGTH = 26
_PAIR_SHIFTS = tuple(range(120, -1, -10))
_CODE_LENGTH = 22  # 62^22 > 2^130
_SECRET_LENGTH = 43
_CHECK_LENGTH = 6  # of those: a CRC-32 of all before it; 62^6 > 2^32, and 62^37 > 2^220

REGION_PATTERN: Final = "[a-z][a-z0-9]{1,7}"
_REGION = re.compile(REGION_PATTERN)
# 26 base32 characters hold 130 bits; the first one of a 128-bit number is at most 7.
_ID = re.compile(rf"([a-z]+)_({REGION_PATTERN})_([0-7][0-9a-hjkmnp-tv-z]{{25}})")
_KEY = re.compile(rf"(mk|pk|rk)_(live|test)_({REGION_PATTERN})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})")
KEY_KINDS: Final = MappingProxyType({"secret": "mk", "publishable": "pk", "restricted": "rk"})
_KEY_KIND_OF = {prefix: kind for kind, prefix in KEY_KINDS.items()}


class InvalidIdError(MeridianError):
    """Not an id that this platform makes."""


class ParsedId(NamedTuple):
    """What an id says. `ulid` is the 26-character part."""

    kind: str
    region: str
    ulid: str

    @property
    def uuid(self) -> uuid.UUID:
        """The UUIDv7 behind the id."""
        number = 0
        for char in self.ulid:
            number = number << 5 | _CROCKFORD_VALUE[char]
        return uuid.UUID(int=number)


def encode_uuid(value: uuid.UUID | uuid_utils.UUID) -> str:
    """128 bits as 26 lower-case Crockford characters; keeps the order of the numbers."""
    number = value.int
    return "".join([_CROCKFORD_PAIRS[number >> shift & 1023] for shift in _PAIR_SHIFTS])


def new_id(kind: str, region: str) -> str:
    """A new id of that kind (a key of `KINDS`) in that region, for example `pay_eu_06p…`."""
    if kind not in KINDS:
        raise InvalidIdError(f"{kind!r} is no kind of object: use one of {', '.join(KINDS)}")
    return f"{KINDS[kind]}_{_checked_region(region)}_{encode_uuid(uuid_utils.uuid7())}"


def id_of_uuid(kind: str, region: str, value: uuid.UUID) -> str:
    """The id of an object whose UUIDv7 something else has drawn: the database does for events."""
    return f"{KINDS[kind]}_{region}_{encode_uuid(value)}"


def house_id(region: str) -> str:
    """The tenant of the platform's own books: fees, bank accounts, and money that nobody of ours is known for."""
    return f"{KINDS['merchant']}_{_checked_region(region)}_{'0' * _ENCODED_LENGTH}"


def hashed_id(kind: str, region: str, digest: str) -> str:
    """An id that a hexadecimal digest decides (its first 100 bits), so that the same thing always has the same one."""
    return f"{KINDS[kind]}_{_checked_region(region)}_0{digest[: _ENCODED_LENGTH - 1]}"


def parse_id(value: str) -> ParsedId:
    """Split an id; raises InvalidIdError for anything `new_id` cannot have made."""
    match = _ID.fullmatch(value)
    if match is None or match[1] not in _KIND_OF:
        raise InvalidIdError("this is not an id of an object here")
    return ParsedId(_KIND_OF[match[1]], match[2], match[3])


def region_of(value: str) -> str | None:
    """The region an id belongs to, or None when it is no id."""
    try:
        return parse_id(value).region
    except InvalidIdError:
        return None


class ParsedKey(NamedTuple):
    """What an API key says of itself. Whether it opens anything the database knows."""

    kind: str
    region: str
    livemode: bool


def new_secret(region: str, livemode: bool, kind: str = "secret") -> str:  # noqa: FBT001 - callers name it or pass a column
    """An API key: `mk_test_eu_`, `pk_live_eu_`, …, 37 random base62 characters (220 bits) and 6 that check all before.

    `kind` is a key of KEY_KINDS.
    """
    mode = "live" if livemode else "test"
    start = f"{KEY_KINDS[kind]}_{mode}_{_checked_region(region)}_{_random_base62(_SECRET_LENGTH - _CHECK_LENGTH)}"
    return start + _check_of(start)


def parse_key(key: str) -> ParsedKey | None:
    """What a key says, or None when it is none: another form, or a slip of the pen that its check gives away."""
    match = _KEY.fullmatch(key)
    if match is None or _check_of(key[:-_CHECK_LENGTH]) != key[-_CHECK_LENGTH:]:
        return None
    return ParsedKey(_KEY_KIND_OF[match[1]], match[3], match[2] == "live")


def region_of_key(key: str) -> str | None:
    """The region an API key belongs to, or None when it is no key."""
    found = parse_key(key)
    return found.region if found else None


def is_live_key(key: str) -> bool:
    """Whether the key moves real money; InvalidIdError when it is no key."""
    found = parse_key(key)
    if found is None:
        raise InvalidIdError("this is not an API key")
    return found.livemode


def new_code() -> str:
    """22 random base62 characters (131 bits): the unguessable part of a link's or a session's URL."""
    return _random_base62(_CODE_LENGTH)


def _random_base62(length: int) -> str:
    """One draw for all characters: a draw each costs a system call each, which shows on the way to a link."""
    found = b""
    while len(found) < length:
        found += os.urandom(length + 8).translate(_BASE62_OF_BYTE, _BASE62_REFUSED)
    return found[:length].decode()


def _check_of(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, digit = divmod(number, len(_BASE62))
        characters.append(_BASE62[digit])
    return "".join(characters)


def _checked_region(region: str) -> str:
    if not _REGION.fullmatch(region):
        raise InvalidIdError(f"{region!r} is not a region code")
    return region
