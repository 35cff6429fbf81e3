"""Writing down what tries came to: deliveries, attempts, the health of endpoints, all of a batch in one transaction."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from pipelines.webhooks.domain import Health, Outcome, Policy, Result, after, is_lost, next_delay
from pipelines.webhooks.masking import masked_request, masked_response

if TYPE_CHECKING:
    import psycopg

    from pipelines.webhooks.claims import Claimed

_HEALTH = """
SELECT h.endpoint_id, h.failures, h.failing_since, h.open_until, h.last_success_at FROM webhook_health AS h
 WHERE h.endpoint_id = ANY(%s) ORDER BY h.endpoint_id FOR NO KEY UPDATE
"""
_FINISH = """
UPDATE webhook_deliveries AS d
   SET claim = NULL, status = f.status, due_at = coalesce(f.due_at, d.due_at), last_status = f.code,
       last_error = f.error,
       finished_at = CASE WHEN f.status <> 'pending' THEN clock_timestamp() END
  FROM unnest(%(ids)s::text[], %(claims)s::uuid[], %(statuses)s::text[], %(due)s::timestamptz[], %(codes)s::smallint[],
              %(errors)s::text[]) AS f (id, claim, status, due_at, code, error)
 WHERE d.id = f.id AND d.claim = f.claim AND d.status = 'pending'
"""
# What waited for a finished delivery of its object and was never tried is due now: the next number.
_WAKE = """
UPDATE webhook_deliveries AS d SET due_at = clock_timestamp()
  FROM (SELECT DISTINCT endpoint_id, object_id
          FROM unnest(%(endpoint_ids)s::text[], %(object_ids)s::text[]) AS l (endpoint_id, object_id)) AS l
 CROSS JOIN LATERAL (SELECT n.id FROM webhook_deliveries AS n
                      WHERE n.endpoint_id = l.endpoint_id AND n.object_id = l.object_id AND n.status = 'pending'
                        AND n.started_at IS NULL ORDER BY n.sequence LIMIT 1) AS n
 WHERE d.id = n.id AND d.due_at > clock_timestamp()
"""
_ATTEMPTS = """
INSERT INTO webhook_attempts (delivery_id, number, endpoint_id, merchant_id, livemode, at, latency_ms, outcome,
                              status_code, error, request, response)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_SET_HEALTH = """
UPDATE webhook_health
   SET failures = %s, failing_since = %s, open_until = %s, last_success_at = coalesce(%s, last_success_at)
 WHERE endpoint_id = %s
"""
_DISABLE = """
UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = %(reason)s, disabled_at = clock_timestamp(),
       updated_at = clock_timestamp()
 WHERE id = %(id)s AND status = 'enabled' RETURNING merchant_id
"""
_CANCEL = """
UPDATE webhook_deliveries SET status = 'cancelled', claim = NULL, finished_at = clock_timestamp()
 WHERE endpoint_id = %s AND status = 'pending'
"""


@dataclass(frozen=True, slots=True)
class Done:
    """One try, as it went: what was claimed, the headers that were sent, what came of it."""

    delivery: Claimed
    headers: dict[str, str]
    result: Result


@dataclass(frozen=True, slots=True)
class _HealthRow:
    endpoint_id: str
    failures: int
    failing_since: Any
    open_until: Any
    last_success_at: Any

    def health(self) -> Health:
        return Health(self.failures, self.failing_since, self.open_until, self.last_success_at)


@dataclass(frozen=True, slots=True)
class Disabled:
    """An endpoint that was disabled just now, and why."""

    endpoint_id: str
    merchant_id: str
    reason: str


async def finish(
    connection: psycopg.AsyncConnection, policy: Policy, batch: Sequence[Done], chance: random.Random
) -> list[Disabled]:
    """Write a batch down; the endpoints that it disabled."""
    async with connection.transaction():
        async with connection.cursor(row_factory=class_row(_HealthRow)) as cursor:
            await cursor.execute(_HEALTH, (sorted({done.delivery.endpoint_id for done in batch}),))
            before = {row.endpoint_id: row.health() for row in await cursor.fetchall()}
        await _finish_deliveries(connection, policy, batch, chance)
        async with connection.cursor() as cursor:
            await cursor.executemany(_ATTEMPTS, [_attempt(done) for done in batch])
        return await _judge(connection, policy, batch, before)


async def _finish_deliveries(
    connection: psycopg.AsyncConnection, policy: Policy, batch: Sequence[Done], chance: random.Random
) -> None:
    rows, ended = [], []
    for done in batch:
        delivery, result = done.delivery, done.result
        delay = next_delay(policy, delivery.tries, result, chance.random())
        status = "pending" if delay is not None else "succeeded" if result.is_success else "failed"
        due = None if delay is None else result.at + timedelta(milliseconds=result.latency_ms, seconds=delay)
        rows.append((delivery.id, delivery.claim, status, due, result.status_code, result.error))
        if delay is None:
            ended.append((delivery.endpoint_id, delivery.object_id))
    names = ("ids", "claims", "statuses", "due", "codes", "errors")
    await connection.execute(_FINISH, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    if ended:
        endpoints, objects = (list(column) for column in zip(*ended, strict=True))
        await connection.execute(_WAKE, {"endpoint_ids": endpoints, "object_ids": objects})


async def _judge(
    connection: psycopg.AsyncConnection, policy: Policy, batch: Sequence[Done], before: dict[str, Health]
) -> list[Disabled]:
    """Each endpoint's health after its tries, in their order; those that are gone or lost are disabled."""
    health, reasons = dict(before), dict[str, str]()
    for done in sorted(batch, key=lambda done: done.result.at):
        endpoint_id = done.delivery.endpoint_id
        health[endpoint_id] = after(health.get(endpoint_id, Health()), done.result, policy)
        if done.result.outcome is Outcome.GONE:
            reasons[endpoint_id] = "gone"
        elif is_lost(health[endpoint_id], done.result.at, policy):
            reasons.setdefault(endpoint_id, "failing")
    changed = [
        (found.failures, found.failing_since, found.open_until, found.last_success_at, endpoint_id)
        for endpoint_id, found in health.items()
        if _is_news(before.get(endpoint_id, Health()), found)
    ]
    if changed:
        async with connection.cursor() as cursor:
            await cursor.executemany(_SET_HEALTH, changed)
    disabled = []
    for endpoint_id, reason in reasons.items():
        row = await (await connection.execute(_DISABLE, {"id": endpoint_id, "reason": reason})).fetchone()
        if row is not None:
            await connection.execute(_CANCEL, (endpoint_id,))
            disabled.append(Disabled(endpoint_id, row[0], reason))
    return disabled


def _is_news(before: Health, now: Health) -> bool:
    """A success after a success is worth a write a minute: the row is every process's lock."""
    if (before.failures, before.failing_since) != (now.failures, now.failing_since) or before.last_success_at is None:
        return True
    return now.last_success_at is not None and now.last_success_at - before.last_success_at > timedelta(minutes=1)


def _attempt(done: Done) -> tuple[object, ...]:
    delivery, result = done.delivery, done.result
    response = None
    if result.status_code is not None:
        response = Jsonb(masked_response(result.status_code, result.headers, result.body))
    return (
        *(delivery.id, delivery.attempt_count, delivery.endpoint_id, delivery.merchant_id, delivery.livemode),
        *(result.at, result.latency_ms, result.outcome.value, result.status_code, result.error),
        *(Jsonb(masked_request(delivery.url, done.headers)), response),
    )
