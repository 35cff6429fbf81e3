"""What is kept of a try: never a signature, a key, a cookie, or what looks like a person's data. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

EXCERPT_CHARACTERS: Final = 1024
MASK: Final = "•••"
_KEPT: Final = frozenset({"content-type", "content-length", "date", "location", "retry-after", "server", "via"})
_RULES: Final = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), f"{MASK}@{MASK}"),  # e-mail addresses
    (re.compile(r"(?i)\b(?:bearer|basic)\s+\S+"), MASK),
    (re.compile(r"\b(?:whsec|whsk|mk_live|mk_test|sk_live|sk_test|rk_live|ghp|xox[a-z])[_-]\S+"), MASK),  # keys
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), MASK),  # JSON Web Tokens
    (re.compile(r"(?<![\w-])(?=[A-Za-z0-9+/_-]*\d)[A-Za-z0-9+/_-]{40,}={0,2}"), MASK),  # other long secrets
    (re.compile(r"(?<![\w.])\+?\d(?:[ ()-]?\d){8,18}(?![\w])"), MASK),  # cards, accounts, telephones
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"), MASK),  # IBANs
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), MASK),  # network addresses
)


def masked_text(text: str) -> str:
    """Free text of somebody else's."""
    for pattern, mask in _RULES:
        text = pattern.sub(mask, text)
    return text


def masked_url(url: str) -> str:
    """An endpoint's address without the values of its query, which may be keys."""
    parts = urlsplit(url)
    query = "&".join(f"{pair.partition('=')[0]}={MASK}" for pair in parts.query.split("&") if pair)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def masked_request(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """What was sent, without what would let anybody send it again."""
    shown = dict(headers)
    if "webhook-signature" in shown:
        versions = [part.partition(",")[0] for part in shown["webhook-signature"].split(" ")]
        shown["webhook-signature"] = " ".join(f"{version},{MASK}" for version in versions)
    return {"method": "POST", "url": masked_url(url), "headers": shown}


def masked_response(status_code: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """What came back: the headers that help, and the beginning of the body."""
    text = body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace").replace("\x00", "")
    shown = masked_text(text)[:EXCERPT_CHARACTERS]
    kept = {name: masked_text(value)[:256] for name, value in headers.items() if name in _KEPT and name != "location"}
    if "location" in headers:
        kept["location"] = masked_url(headers["location"])[:256]
    return {
        "status": status_code,
        "headers": {name: value.replace("\x00", "") for name, value in kept.items()},
        "body": shown,
        "is_truncated": len(body) > len(shown.encode()) or len(text) > EXCERPT_CHARACTERS,
    }
