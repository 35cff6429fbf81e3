"""What the hosted pages decide without a database: who may still pay, in which language, from which kind of device."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from web.transitions import Machine

SESSION_LIFETIME = timedelta(hours=1)

CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
CAMPAIGN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)+")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{0,255}")
_EMAIL_LENGTH_MAX = 254
_PHONE = re.compile(r"\+?[0-9 ()/.-]{5,30}")
_DIGIT = re.compile(r"[0-9]")
_PHONE_DIGITS = range(5, 16)
_COUNTRY = re.compile(r"[A-Z]{2}")
_NUMBER = re.compile(r"-?[0-9]{1,15}([.,][0-9]{1,6})?")
_ANSWER = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


class LinkState(StrEnum):
    """What a payer meets behind a link."""

    OPEN = "open"
    PAID = "paid"
    ENDED = "ended"


class SessionStatus(StrEnum):
    """Where a payer's visit stands."""

    OPEN = "open"
    EXPIRED = "expired"
    COMPLETED = "completed"


SESSION = Machine(
    "session",
    {
        SessionStatus.OPEN: frozenset({SessionStatus.EXPIRED, SessionStatus.COMPLETED}),
        SessionStatus.EXPIRED: frozenset({SessionStatus.COMPLETED}),  # its money came late
        SessionStatus.COMPLETED: frozenset(),
    },
)


def link_state(status: str, expires_at: datetime | None, now: datetime) -> LinkState:
    """Whether a link may still be paid; expiry is evaluated here, on read."""
    if status == "completed":
        return LinkState.PAID
    if status != "active" or (expires_at is not None and expires_at <= now):
        return LinkState.ENDED
    return LinkState.OPEN


def session_end(now: datetime, link_expires_at: datetime | None) -> datetime:
    """When a session that opens now ends: an hour later, or with its link if that is sooner."""
    end = now + SESSION_LIFETIME
    return end if link_expires_at is None else min(end, link_expires_at)


def device_class(user_agent: str) -> str:
    """A coarse guess, for the funnel only: desktop, mobile, tablet, bot or unknown."""
    agent = user_agent.lower()
    if not agent:
        return "unknown"
    if any(word in agent for word in ("bot", "crawler", "spider", "preview", "facebookexternalhit", "slurp")):
        return "bot"
    if "ipad" in agent or "tablet" in agent or ("android" in agent and "mobile" not in agent):
        return "tablet"
    if "mobi" in agent or "iphone" in agent or "android" in agent:
        return "mobile"
    if any(word in agent for word in ("windows", "macintosh", "x11", "cros", "linux")):
        return "desktop"
    return "unknown"


def negotiate_locale(wanted: Sequence[str], offered: Sequence[str], default: str) -> str:
    """The first wanted language tag that is offered whole, or in its language alone; else the default."""
    for tag in wanted:
        for locale in offered:
            if locale.lower() == tag.lower():
                return locale
        for locale in offered:
            if locale.partition("-")[0].lower() == tag.partition("-")[0].lower():
                return locale
    return default


def clean(pattern: re.Pattern[str], value: str | None) -> str | None:
    """An attribution from a URL, or None: whatever does not fit is dropped, it must never cost a payment."""
    return value if value is not None and pattern.fullmatch(value) else None


def is_email(value: str) -> bool:
    """Whether mail could be sent there."""
    return len(value) <= _EMAIL_LENGTH_MAX and _EMAIL.fullmatch(value) is not None


def is_name(value: str) -> bool:
    """Whether it can be a person's name."""
    return _NAME.fullmatch(value) is not None


def is_token(value: str) -> bool:
    """Whether it can be a gateway's token; empty means that the payer goes to the gateway's own page."""
    return _TOKEN.fullmatch(value) is not None


def is_phone(value: str) -> bool:
    """Whether it can be dialled: 5 to 15 digits, as E.164 has at most, with what people write between them."""
    return _PHONE.fullmatch(value) is not None and len(_DIGIT.findall(value)) in _PHONE_DIGITS


def is_country(value: str) -> bool:
    """Whether it is a country's two letters."""
    return _COUNTRY.fullmatch(value) is not None


def is_answer(asked: Mapping[str, Any], value: str) -> bool:
    """Whether it answers a link's question; nothing at all does, unless an answer is required."""
    if not value:
        return not asked.get("is_required")
    match asked["type"]:
        case "number":
            return _NUMBER.fullmatch(value) is not None
        case "dropdown":
            return value in asked["options"]
        case "checkbox":
            return value == "yes"
        case _:
            return _ANSWER.fullmatch(value) is not None
