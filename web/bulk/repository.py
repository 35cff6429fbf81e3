import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from web.bulk.domain import CHUNK_ROWS
from web.bulk.models import Claimed, Job
from web.bulk.schemas import ListJobs
from web.db.engine import driver_of
from web.db.scope import Scope
from web.http.paging import Listing, fetch
from web.links.models import Link

_COLUMNS = ", ".join(f"t.{field.name}" for field in fields(Job))
_INSERT = text("""
INSERT INTO bulk_jobs (id, merchant_id, livemode, kind, campaign, expires_at, row_count, request_id, created_at,
                       touched_at)
VALUES (:id, :merchant_id, :livemode, :kind, :campaign, :expires_at, :row_count, :request_id, :created_at,
        :created_at)
""")
_INSERT_CHUNK = """
INSERT INTO bulk_chunks (job_id, number, merchant_id, first_row, rows) VALUES (%s, %s, %s, %s, %s)
"""
_GET = text(f"SELECT {_COLUMNS} FROM bulk_jobs t WHERE t.id = :id AND t.livemode = :livemode")  # noqa: S608
_RESULTS = text("SELECT result FROM bulk_chunks WHERE job_id = :id AND result IS NOT NULL ORDER BY number")
_CLAIM = text(f"""
SELECT {_COLUMNS}, t.merchant_id FROM bulk_jobs t WHERE t.status <> 'done'
 ORDER BY t.touched_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608
_NEXT_CHUNKS = text("""
SELECT number, first_row, rows FROM bulk_chunks WHERE job_id = :id AND result IS NULL ORDER BY number LIMIT :batch
""")
_FINISH_CHUNK = "UPDATE bulk_chunks SET result = %s, rows = NULL WHERE job_id = %s AND number = %s"
_PROGRESS = """
UPDATE bulk_jobs
   SET succeeded_count = succeeded_count + %(succeeded)s, failed_count = failed_count + %(failed)s,
       touched_at = clock_timestamp(),
       status = CASE WHEN succeeded_count + failed_count + %(succeeded)s + %(failed)s >= row_count
                     THEN 'done' ELSE 'running' END,
       finished_at = CASE WHEN succeeded_count + failed_count + %(succeeded)s + %(failed)s >= row_count
                          THEN %(now)s::timestamptz END
 WHERE id = %(id)s
"""
_FINISH = text("UPDATE bulk_jobs SET status = 'done', finished_at = :now, row_count = succeeded_count WHERE id = :id")
_OPEN_LINKS = "merchant_id = :merchant_id AND livemode = :livemode AND campaign = :campaign AND status = 'active'"
_COUNT = text(f"SELECT count(*) FROM links WHERE {_OPEN_LINKS}")  # noqa: S608
_BATCH = text(f"""
SELECT id FROM links WHERE {_OPEN_LINKS}
   AND (CAST(:expires_at AS timestamptz) IS NULL OR expires_at IS NULL OR expires_at > :expires_at)
 ORDER BY created_at, id LIMIT :batch FOR NO KEY UPDATE
""")  # noqa: S608
_LINKS = """
INSERT INTO links (id, merchant_id, livemode, code, amount_minor, currency, reference, description, metadata, usage,
                   channel, campaign, expires_at, created_at, max_payments, terms)
SELECT id, %(merchant_id)s, %(livemode)s, code, amount_minor, currency, reference, description,
       coalesce(metadata, '{}'), usage, channel, campaign, expires_at, %(created_at)s, max_payments,
       coalesce(terms, '{}')
  FROM json_to_recordset(%(links)s::json)
    AS given (id text, code text, amount_minor bigint, currency text, reference text, description text, metadata jsonb,
              usage text, channel text, campaign text, expires_at timestamptz, max_payments integer, terms jsonb)
"""
_WRITTEN = (
    "id", "code", "amount_minor", "currency", "reference", "description", "metadata", "usage", "channel", "campaign",
    "expires_at", "max_payments", "terms",
)  # fmt: skip
_EMPTY: tuple[object, ...] = (None, {})
_KEYS = """
SELECT key, fingerprint, object_id FROM idempotency_keys WHERE merchant_id = %s AND livemode = %s AND key = ANY(%s)
"""
_KEEP_KEYS = """
INSERT INTO idempotency_keys (merchant_id, livemode, key, fingerprint, object_id, response_status, response_body,
                              created_at)
SELECT %s, %s, key, fingerprint, object_id, 201, '', %s
  FROM unnest(%s::text[], %s::bytea[], %s::text[]) AS given (key, fingerprint, object_id)
"""
_FORGET = text("DELETE FROM bulk_jobs WHERE id IN (SELECT id FROM bulk_jobs WHERE finished_at < :before LIMIT 10)")


def insert(scope: Scope, job: Job, chunks: Iterable[Sequence[bytes]]) -> None:
    """Insert a queued job with its rows."""
    values = {field.name: getattr(job, field.name) for field in fields(Job)}
    scope.connection.execute(_INSERT, {**values, "merchant_id": scope.merchant_id})
    driver_of(scope.connection).cursor().executemany(
        _INSERT_CHUNK,
        [
            (job.id, number, scope.merchant_id, number * CHUNK_ROWS + 1, zlib.compress(b"\n".join(rows), 1))
            for number, rows in enumerate(chunks)
        ],
    )


def get(scope: Scope, job_id: str) -> Job | None:
    """One job of the scope's merchant and mode."""
    row = scope.connection.execute(_GET, {"id": job_id, "livemode": scope.livemode}).mappings().one_or_none()
    return None if row is None else Job(**row)


def page(scope: Scope, asked: ListJobs) -> tuple[list[Job], bool]:
    """A page of the merchant's jobs, newest first, and whether there are more."""
    return fetch(scope, Listing("bulk_jobs", _COLUMNS, [], {}), asked, lambda row: Job(**row))


def results(scope: Scope, job_id: str) -> bytes:
    """The results of the rows that are done, as JSON Lines."""
    return b"".join(zlib.decompress(row.result) for row in scope.connection.execute(_RESULTS, {"id": job_id}))


def claim(connection: Connection) -> Claimed | None:
    """Lock the open job that has waited longest; other workers skip it."""
    row = connection.execute(_CLAIM).mappings().one_or_none()
    if row is None:
        return None
    values = dict(row)
    merchant_id = values.pop("merchant_id")
    return Claimed(Job(**values), merchant_id)


def next_chunks(scope: Scope, job_id: str, batch: int) -> list[tuple[int, int, list[bytes]]]:
    """The next few chunks that are not done, in order: a chunk's number, its first row's number, its rows."""
    found = scope.connection.execute(_NEXT_CHUNKS, {"id": job_id, "batch": batch})
    return [(row.number, row.first_row, zlib.decompress(row.rows).split(b"\n")) for row in found]


def finish_chunk(scope: Scope, job_id: str, number: int, lines: Sequence[bytes]) -> None:
    """Write a chunk's result."""
    result = zlib.compress(b"\n".join(lines) + b"\n", 1)
    driver_of(scope.connection).execute(_FINISH_CHUNK, (result, job_id, number))


def progress(scope: Scope, job_id: str, succeeded: int, failed: int = 0) -> None:
    """Count rows that are done; the last one ends the job."""
    values = {"id": job_id, "succeeded": succeeded, "failed": failed, "now": scope.now}
    driver_of(scope.connection).execute(_PROGRESS, values)


def finish(scope: Scope, job_id: str) -> None:
    """End a job that has found all there is."""
    scope.connection.execute(_FINISH, {"id": job_id, "now": scope.now})


def count_open_links(scope: Scope, campaign: str) -> int:
    """How many links of a campaign are open."""
    values = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "campaign": campaign}
    return int(scope.connection.execute(_COUNT, values).scalar_one())


def lock_open_links(scope: Scope, campaign: str, expires_at: datetime | None, batch: int) -> list[str]:
    """Lock links of a campaign that are open, and that would end later than `expires_at` if that is given."""
    values = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "campaign": campaign}
    rows = scope.connection.execute(_BATCH, {**values, "expires_at": expires_at, "batch": batch})
    return list(rows.scalars())


def insert_links(scope: Scope, links: Sequence[Link]) -> None:
    """Insert links in one statement, out of one JSON document: arrays cost their writer more than all the rest.

    The database looks up the name of every value there is and reads it, so what is empty is left out.
    """
    rows = [{name: value for name in _WRITTEN if (value := getattr(link, name)) not in _EMPTY} for link in links]
    values = {
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "created_at": scope.now,
        "links": orjson.dumps(rows).decode(),
    }
    driver_of(scope.connection).execute(_LINKS, values)


def known_keys(scope: Scope, keys: Sequence[str]) -> dict[str, tuple[bytes, str]]:
    """What rows' idempotency keys hold: fingerprint and link."""
    rows = driver_of(scope.connection).execute(_KEYS, (scope.merchant_id, scope.livemode, list(keys)))
    return {key: (bytes(fingerprint), object_id) for key, fingerprint, object_id in rows}


def keep_keys(scope: Scope, keys: Sequence[tuple[str, bytes, str]]) -> None:
    """Bind rows' idempotency keys to the links that they made."""
    arrays = [list(column) for column in zip(*keys, strict=True)]
    driver_of(scope.connection).execute(_KEEP_KEYS, (scope.merchant_id, scope.livemode, scope.now, *arrays))


def forget(connection: Connection, before: datetime) -> int:
    """Delete a few jobs that were done before then, with their results; how many."""
    return connection.execute(_FORGET, {"before": before}).rowcount
