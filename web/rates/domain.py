"""Allowances: so many requests at once, refilled by the second. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

_WRITTEN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)/(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, and `per_second` more every second."""

    per_second: float
    burst: int

    @property
    def window_seconds(self) -> int:
        """How long an empty allowance takes to be full, at least 1."""
        return max(1, ceil(self.burst / self.per_second))


class Bucket(NamedTuple):
    """One allowance: whose (`key`, `address`), its name in the database, its rate."""

    kind: str
    name: bytes
    rate: Rate


class Standing(NamedTuple):
    """What is left of an allowance, as far as this process knows: never less than others have left over."""

    bucket: Bucket
    remaining: int


def rate_of(text: str) -> Rate | None:
    """Read `100/400` (a second, at once); None for anything else, and for an allowance of nothing."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0 or int(match[2]) < 1:
        return None
    return Rate(float(match[1]), int(match[2]))


def headers(standings: Sequence[Standing]) -> dict[str, str]:
    """RateLimit-Policy and RateLimit, as the IETF's httpapi group drafts them."""
    policy = [f'"{s.bucket.kind}";q={s.bucket.rate.burst};w={s.bucket.rate.window_seconds}' for s in standings]
    left = [
        f'"{s.bucket.kind}";r={s.remaining};t={ceil((s.bucket.rate.burst - s.remaining) / s.bucket.rate.per_second)}'
        for s in standings
    ]
    return {"RateLimit-Policy": ", ".join(policy), "RateLimit": ", ".join(left)}
