"""When a delivery is tried and given up, and when an endpoint is left alone. Pure: clock and chance are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

_HOUR = 3600.0
_OK, _REDIRECT, _CLIENT_ERROR = 200, 300, 400
_GONE = 410


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers of delivery. Times are in seconds."""

    # before each try, after the one before it: 75.6 hours in all
    delays: tuple[float, ...] = (
        *(0.0, 5.0, 300.0, 1800.0, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
    )
    jitter: float = 0.1  # a delay becomes up to so much longer, so that what failed together does not return together
    timeout: float = 20.0  # of a whole try, from name resolution to the end of the answer
    lease: float = 30.0  # after it, what a dispatcher had claimed is another's: it died
    overtake_after: float = 300.0  # a delivery that fails for so long no longer holds up later ones of its object
    disable_after: float = 5 * 24 * _HOUR  # an endpoint that has failed for so long, without a success, is disabled
    retry_after_max: float = 24 * _HOUR
    concurrency: int = 256  # tries of one process at a time
    endpoint_concurrency: int = 10  # tries of one endpoint at a time, over all processes
    breaker_failures: int = 5  # failures in a row that open the circuit
    breaker_delays: tuple[float, ...] = (30.0, 60.0, 120.0, 300.0)  # how long, each time that its probe fails too
    answer_bytes_max: int = 65_536


class Outcome(StrEnum):
    """What a try came to."""

    SUCCEEDED = "succeeded"
    HTTP_ERROR = "http_error"
    REDIRECT = "redirect"  # never followed: it could lead anywhere
    GONE = "gone"  # 410: the endpoint asks for nothing more
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"  # no name, no connection, no TLS
    REFUSED = "refused"  # by us: the address is not on the Internet
    BROKEN = "broken"  # what came back is not HTTP, or ended early


@dataclass(frozen=True, slots=True)
class Result:
    """One try. `retry_after` is what the endpoint asked for, in seconds; headers and body are as received."""

    outcome: Outcome
    at: datetime
    latency_ms: int
    status_code: int | None = None
    error: str | None = None
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the endpoint took it."""
        return self.outcome is Outcome.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint does. `failures` are in a row."""

    failures: int = 0
    failing_since: datetime | None = None
    open_until: datetime | None = None
    last_success_at: datetime | None = None


def outcome_of(status_code: int) -> Outcome:
    """2xx alone is success."""
    if _OK <= status_code < _REDIRECT:
        return Outcome.SUCCEEDED
    if _REDIRECT <= status_code < _CLIENT_ERROR:
        return Outcome.REDIRECT
    return Outcome.GONE if status_code == _GONE else Outcome.HTTP_ERROR


def next_delay(policy: Policy, tries: int, result: Result, chance: float) -> float | None:
    """How long to wait before the next try, or None: there is none. `tries` were made; `chance` is in [0, 1)."""
    if result.is_success or result.outcome is Outcome.GONE or tries >= len(policy.delays):
        return None
    delay = policy.delays[tries] * (1 + policy.jitter * chance)
    return max(delay, min(result.retry_after or 0.0, policy.retry_after_max))


def retry_after(header: str | None, now: datetime) -> float | None:
    """The header `Retry-After` in seconds from now: a number of them, or a date (RFC 9110). Nonsense is nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())


def after(health: Health, result: Result, policy: Policy) -> Health:
    """An endpoint's health after one more try."""
    if result.is_success:
        return Health(last_success_at=result.at)
    failures = health.failures + 1
    over = failures - policy.breaker_failures
    open_until = health.open_until
    if over >= 0:
        delay = policy.breaker_delays[min(over, len(policy.breaker_delays) - 1)]
        open_until = result.at + timedelta(seconds=delay)
    return replace(health, failures=failures, failing_since=health.failing_since or result.at, open_until=open_until)


def is_lost(health: Health, now: datetime, policy: Policy) -> bool:
    """Whether an endpoint has failed for so long that it is disabled."""
    return health.failing_since is not None and (now - health.failing_since).total_seconds() >= policy.disable_after
