"""Allowances as a process spends them: it leases a few requests at a time from the database, which all processes share.

What is leased is taken out first, so all processes together never let in more than the allowance; what a process does
not spend within LEASE_SECONDS is lost, which is little (see the shares in the repository).
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from web.db.engine import Database
from web.rates import repository
from web.rates.domain import Bucket, Standing

LEASE_SECONDS = 5.0
_TRIES = 3
_LEASES_MAX = 20_000


@dataclass(slots=True)
class _Lease:
    tokens: int
    level: float
    until: float
    refused_until: float


class ExhaustedError(Exception):
    """An allowance is used up; so many seconds until there is one request more."""

    def __init__(self, standings: list[Standing], seconds: int) -> None:
        super().__init__("an allowance is used up")
        self.standings = standings
        self.seconds = seconds


class RateLimiter:
    """The allowances of one process's callers. Threads share it."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._leases: dict[bytes, _Lease] = {}
        self._lock = threading.Lock()

    def spend(self, buckets: Sequence[Bucket]) -> list[Standing]:
        """Take one request out of each allowance, or out of none: then ExhaustedError. Mostly without a round trip."""
        for _ in range(_TRIES):
            moment = self._clock()
            with self._lock:
                lacking = [bucket for bucket in buckets if not self._has_one(bucket, moment)]
                if not lacking:
                    return [self._take(bucket) for bucket in buckets]
                self._refuse(buckets, lacking, moment)
            self._lease(lacking, moment)
        with self._lock:  # other threads were faster each time: there is little left
            raise ExhaustedError([self._standing(bucket) for bucket in buckets], 1)

    def _has_one(self, bucket: Bucket, moment: float) -> bool:
        lease = self._leases.get(bucket.name)
        return lease is not None and lease.tokens > 0 and moment < lease.until

    def _refuse(self, buckets: Sequence[Bucket], lacking: Sequence[Bucket], moment: float) -> None:
        """Raise if an allowance was found empty, and cannot have refilled yet: a flood does not reach the database."""
        waits = [self._leases[b.name].refused_until - moment for b in lacking if b.name in self._leases]
        if waits and max(waits) > 0:
            raise ExhaustedError([self._standing(bucket) for bucket in buckets], max(1, ceil(max(waits))))

    def _take(self, bucket: Bucket) -> Standing:
        self._leases[bucket.name].tokens -= 1
        return self._standing(bucket)

    def _standing(self, bucket: Bucket) -> Standing:
        lease = self._leases.get(bucket.name)
        return Standing(bucket, 0 if lease is None else int(lease.tokens + max(0.0, lease.level)))

    def _lease(self, buckets: Sequence[Bucket], moment: float) -> None:
        with self._database.single_statements() as connection:
            granted = repository.lease(connection, buckets)
        with self._lock:
            if len(self._leases) > _LEASES_MAX:
                self._leases = {name: lease for name, lease in self._leases.items() if moment < lease.until}
            for bucket in buckets:
                grant, held = granted[bucket.name], self._leases.get(bucket.name)
                kept = held.tokens if held is not None and moment < held.until else 0
                wait = 0.0 if grant.tokens else (1 - grant.level) / bucket.rate.per_second
                self._leases[bucket.name] = _Lease(
                    kept + grant.tokens, grant.level, moment + LEASE_SECONDS, moment + wait
                )
