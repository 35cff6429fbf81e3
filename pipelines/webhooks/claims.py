"""Claiming: what is due, fairly over endpoints, in order per object, by any number of processes.

Whoever claims or finishes deliveries of an endpoint holds the lock of its row in `webhook_health`, so what follows from
looking at an endpoint's deliveries (how many are in flight, which is the first of its object) is still true when it is
written. Claimers skip locked endpoints, so they never wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from psycopg.rows import class_row

if TYPE_CHECKING:
    import psycopg

    from pipelines.webhooks.domain import Policy

RECHECK_SECONDS = 1.0  # what waits for a delivery in flight looks again then, if nothing wakes it before
ENDPOINTS_MAX = 64  # at a time: more come with the next claim, those served longest ago first

# Endpoints with pending deliveries, one index probe each, and of those the ones that have something due.
_ENDPOINTS = """
WITH RECURSIVE busy AS (
  (SELECT endpoint_id FROM webhook_deliveries WHERE status = 'pending' ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.endpoint_id FROM webhook_deliveries AS d WHERE d.status = 'pending' AND d.endpoint_id > b.endpoint_id
           ORDER BY d.endpoint_id LIMIT 1)
    FROM busy AS b WHERE b.endpoint_id IS NOT NULL)
SELECT h.endpoint_id, h.failures >= %(breaker)s AS is_probed
  FROM busy AS b JOIN webhook_health AS h USING (endpoint_id) JOIN webhook_endpoints AS e ON e.id = h.endpoint_id
 WHERE e.kind = 'url' AND e.status = 'enabled' AND e.deleted_at IS NULL
   AND (h.open_until IS NULL OR h.open_until <= clock_timestamp())
   AND EXISTS (SELECT FROM webhook_deliveries AS d
                WHERE d.endpoint_id = h.endpoint_id AND d.status = 'pending' AND d.due_at <= clock_timestamp())
 ORDER BY h.served_at LIMIT %(endpoints)s FOR NO KEY UPDATE OF h SKIP LOCKED
"""
# An endpoint whose circuit was open gets one try at a time until one succeeds.
_CANDIDATES = """
SELECT d.id, d.endpoint_id, d.object_id, d.sequence,
       coalesce(d.started_at <= clock_timestamp() - make_interval(secs => %(overtake)s), false) AS is_stuck
  FROM unnest(%(endpoint_ids)s::text[], %(rooms)s::int[]) WITH ORDINALITY AS e (id, room, place)
 CROSS JOIN LATERAL (SELECT count(*) AS flying FROM webhook_deliveries AS f
                      WHERE f.endpoint_id = e.id AND f.claim IS NOT NULL AND f.due_at > clock_timestamp()) AS f
 CROSS JOIN LATERAL (SELECT d.* FROM webhook_deliveries AS d
                      WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.due_at <= clock_timestamp()
                      ORDER BY d.due_at, d.sequence LIMIT greatest(e.room - f.flying, 0) FOR UPDATE SKIP LOCKED) AS d
 ORDER BY row_number() OVER (PARTITION BY e.id ORDER BY d.due_at, d.sequence), e.place LIMIT %(room)s
"""
# Of one object one delivery is in flight, the lowest number first; one that has failed for long enough is passed by.
_HOLDERS = """
SELECT c.id, max(greatest(
         clock_timestamp() + make_interval(secs => %(recheck)s),
         CASE WHEN b.sequence < c.sequence
              THEN coalesce(b.started_at, clock_timestamp()) + make_interval(secs => %(overtake)s) END)) AS until
  FROM unnest(%(ids)s::text[], %(endpoint_ids)s::text[], %(object_ids)s::text[], %(sequences)s::bigint[])
       AS c (id, endpoint_id, object_id, sequence)
  JOIN webhook_deliveries AS b ON b.endpoint_id = c.endpoint_id AND b.object_id = c.object_id AND b.status = 'pending'
   AND b.id <> c.id
 WHERE (b.claim IS NOT NULL AND b.due_at > clock_timestamp())
    OR (b.sequence < c.sequence
        AND (b.started_at IS NULL OR b.started_at > clock_timestamp() - make_interval(secs => %(overtake)s)))
 GROUP BY c.id
"""
_POSTPONE = """
UPDATE webhook_deliveries AS d SET due_at = p.until, claim = NULL
  FROM unnest(%s::text[], %s::timestamptz[]) AS p (id, until) WHERE d.id = p.id
"""
_CLAIM = """
WITH claimed AS (
  UPDATE webhook_deliveries AS d
     SET claim = %(claim)s, due_at = clock_timestamp() + make_interval(secs => %(lease)s), tries = tries + 1,
         attempt_count = attempt_count + 1, started_at = coalesce(started_at, clock_timestamp())
   WHERE id = ANY(%(ids)s) RETURNING d.*)
SELECT d.id, d.event_id, d.endpoint_id, d.merchant_id, d.livemode, d.type, d.object_id, d.sequence, d.api_version,
       d.claim, d.tries, d.attempt_count, e.url, v.schema_version, v.time, v.data
  FROM claimed AS d JOIN webhook_endpoints AS e ON e.id = d.endpoint_id JOIN webhook_events AS v ON v.id = d.event_id
"""
_SERVED = "UPDATE webhook_health SET served_at = clock_timestamp() WHERE endpoint_id = ANY(%s)"
_SECRETS = """
SELECT endpoint_id, number, sealed FROM webhook_secrets
 WHERE endpoint_id = ANY(%s) AND (expires_at IS NULL OR expires_at > clock_timestamp())
 ORDER BY endpoint_id, number DESC
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process has until its lease ends, with all that a try needs."""

    id: str
    event_id: UUID
    endpoint_id: str
    merchant_id: str
    livemode: bool
    type: str
    object_id: str
    sequence: int
    api_version: str
    claim: UUID
    tries: int
    attempt_count: int
    url: str
    schema_version: int
    time: datetime
    data: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret that is valid now, sealed. The newest of an endpoint comes first."""

    endpoint_id: str
    number: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim brought. `postponed` deliveries wait for another one of their object."""

    deliveries: Sequence[Claimed] = ()
    secrets: Sequence[Sealed] = ()
    postponed: int = 0


async def claim(connection: psycopg.AsyncConnection, policy: Policy, room: int) -> Taken:
    """Claim up to `room` deliveries, in a transaction of its own."""
    async with connection.transaction():
        values = {"breaker": policy.breaker_failures, "endpoints": ENDPOINTS_MAX}
        endpoints = await (await connection.execute(_ENDPOINTS, values)).fetchall()
        if not endpoints:
            return Taken()
        found = await _candidates(connection, policy, endpoints, room)
        if not found:
            return Taken()
        held = await _holders(connection, policy, found)
        free = _first_of_each(found, held)
        if held:
            await connection.execute(_POSTPONE, (list(held), list(held.values())))
        if not free:
            return Taken(postponed=len(held))
        async with connection.cursor(row_factory=class_row(Claimed)) as cursor:
            await cursor.execute(_CLAIM, {"claim": uuid4(), "lease": policy.lease, "ids": free})
            claimed = await cursor.fetchall()
        served = sorted({one.endpoint_id for one in claimed})
        await connection.execute(_SERVED, (served,))
        async with connection.cursor(row_factory=class_row(Sealed)) as cursor:
            await cursor.execute(_SECRETS, (served,))
            return Taken(claimed, await cursor.fetchall(), len(held))


async def _candidates(
    connection: psycopg.AsyncConnection, policy: Policy, endpoints: Sequence[tuple[str, bool]], room: int
) -> list[tuple[str, str, str, int, bool]]:
    """Due deliveries of these endpoints, one of each in turn, no more than each may have in flight."""
    values = {
        "endpoint_ids": [endpoint_id for endpoint_id, _ in endpoints],
        "rooms": [1 if is_probed else policy.endpoint_concurrency for _, is_probed in endpoints],
        "room": room,
        "overtake": policy.overtake_after,
    }
    return await (await connection.execute(_CANDIDATES, values)).fetchall()


async def _holders(
    connection: psycopg.AsyncConnection, policy: Policy, found: Sequence[tuple[str, str, str, int, bool]]
) -> dict[str, datetime]:
    """Which of these must wait for another delivery of their object, and until when at most."""
    ids, endpoint_ids, object_ids, sequences, _ = (list(column) for column in zip(*found, strict=True))
    values = {"ids": ids, "endpoint_ids": endpoint_ids, "object_ids": object_ids, "sequences": sequences}
    times = {"overtake": policy.overtake_after, "recheck": min(RECHECK_SECONDS, policy.overtake_after / 10)}
    rows = await connection.execute(_HOLDERS, {**values, **times})
    return dict(await rows.fetchall())


def _first_of_each(found: Sequence[tuple[str, str, str, int, bool]], held: dict[str, datetime]) -> list[str]:
    """One delivery of each object: the lowest number of those that nothing holds, a stuck one only after the others."""
    first: dict[tuple[str, str], tuple[bool, int, str]] = {}
    for delivery_id, endpoint_id, object_id, sequence, is_stuck in found:
        lane, place = (endpoint_id, object_id), (is_stuck, sequence, delivery_id)
        if delivery_id not in held and (lane not in first or place < first[lane]):
            first[lane] = place
    return [delivery_id for _, _, delivery_id in first.values()]
