"""Time zones as reports name them. Pure."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

# Abbreviations as reports print them; an abbreviation says summer or winter time itself.
_OFFSET_HOURS: Final = {
    "UTC": 0, "GMT": 0, "BST": 1, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "IST": 5.5, "HKT": 8,
    "SGT": 8, "JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "BRT": -3,
}  # fmt: skip


def zone(name: str) -> tzinfo | None:
    """The zone of an abbreviation or an IANA name, if we know it."""
    if name in _OFFSET_HOURS:
        return timezone(timedelta(hours=_OFFSET_HOURS[name]))
    try:
        return ZoneInfo(name) if "/" in name else None
    except (ValueError, OSError, KeyError):
        return None
