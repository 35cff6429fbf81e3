"""The API's dated versions. Code speaks the newest; what an older version was told differently is told so at the edge.

A change that would break a reader (a field that goes, or means something else) is an entry of CHANGES, with the
function that makes an older answer of a newer one. Fields may be added without: readers tolerate what they do not know.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from web.http.problems import MalformedRequestError

HEADER: Final = "Meridian-Version"
FIRST: Final = "2026-11-01"
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Older = Callable[[Mapping[str, Any]], dict[str, Any]]  # a new object, as the version before told it


@dataclass(frozen=True, slots=True)
class Change:
    """One step: what it is called, what it says to readers, and each kind of object that it changed."""

    version: str
    title: str
    description: str
    objects: Mapping[str, Older]


def _link_before_channels(link: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in link.items() if name not in {"channels", "capture_after_hours"}}
    return told | {"channel_urls": {each["channel"]: each["url"] for each in link["channels"]}}


def _without(*names: str) -> Older:
    def older(shown: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in shown.items() if name not in names}

    return older


CHANGES: Final = (
    Change(
        "2026-11-23",
        "A link's channels",
        "A link lists its `channels`, each with its own `url` and the `qr_url` where its QR code is drawn. They take "
        "the place of `channel_urls`, which had the addresses alone. Links and payments tell of manual capture. "
        "Payments tell their link's `reference`, what is `refundable_minor` and `disputed_minor`; refunds tell "
        "`livemode`.",
        MappingProxyType(
            {
                "link": _link_before_channels,
                "payment": _without(
                    "capture_method",
                    "capturable_minor",
                    "authorised_until",
                    "reference",
                    "refundable_minor",
                    "disputed_minor",
                ),
                "refund": _without("livemode"),
            }
        ),
    ),
)
VERSIONS: Final = (FIRST, *(change.version for change in CHANGES))
LATEST: Final = VERSIONS[-1]


def chosen(asked: str | None, pinned: str | None) -> str:
    """The version to answer in: what the request asks for, else what its key is pinned to, else the first.

    A day between two versions means the earlier. Raises MalformedRequestError for what is no day since the first.
    """
    if asked is None:
        return pinned or FIRST
    if not _DATE.fullmatch(asked) or asked < FIRST:
        raise MalformedRequestError(f"{HEADER} must be a day from {FIRST} on, such as {LATEST}.")
    return max(version for version in VERSIONS if version <= asked)


def as_of(version: str, body: Any) -> Any:
    """An answer as that version tells it: an object, or a list of objects."""
    if version == LATEST or not isinstance(body, dict):
        return body
    if body.get("object") == "list":
        return body | {"data": [as_of(version, each) for each in body["data"]]}
    for change in reversed(CHANGES):
        if change.version <= version:
            break
        older = change.objects.get(body.get("object", ""))
        body = older(body) if older else body
    return body
