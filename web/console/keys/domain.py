"""API keys as a form says them. Pure."""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

from web.http.scopes import GRANTABLE

KINDS = {
    "restricted": "Does what you tick below, and nothing else. Take this for a program.",
    "secret": "May do everything, other keys included. For your own servers only.",
    "publishable": "Reads what every payer may see. It may stand in a page.",
}
OVERLAPS = {0: "at once", 3_600: "in an hour", 86_400: "in a day", 604_800: "in 7 days", 2_592_000: "in 30 days"}
OVERLAP_SECONDS = 86_400
_BETWEEN = re.compile(r"[\s,;]+")


def scope_groups(scopes: Iterable[str] = GRANTABLE) -> list[tuple[str, list[str]]]:
    """Scopes by noun, each noun with what may be granted of it: ("links", ["read", "write"])."""
    groups: dict[str, list[str]] = {}
    for scope in sorted(scopes):
        noun, _, what = scope.partition(":")
        groups.setdefault(noun, []).append(what)
    return list(groups.items())


def networks_in(written: str) -> list[str]:
    """Networks that were written one a line, or with commas or spaces between."""
    return [part for part in _BETWEEN.split(written) if part]


def end_of(last_day: date, zone: tzinfo) -> datetime:
    """The moment at which a day is over. Raises ValueError, OverflowError for a day that has none after it."""
    return datetime.combine(last_day + timedelta(days=1), time.min, zone)
