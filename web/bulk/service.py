"""Bulk jobs: asked for over HTTP, done by the worker one chunk a transaction."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from regions.ids import new_id
from web import outbox
from web.bulk import repository
from web.bulk.domain import FileError, chunks, csv_rows, json_rows
from web.bulk.models import Job
from web.bulk.schemas import LinkRow
from web.clock import utc_now
from web.db.engine import driver_of
from web.db.scope import Scope, enter_tenant_as
from web.http.bodies import parse_json
from web.http.problems import FieldError, IdempotencyKeyReusedError, InvalidFieldsError, NotFoundError, Problem
from web.links import events
from web.links import service as links
from web.links.models import Link
from web.links.shown import link_url
from web.wiring import Wiring

READERS = {"application/x-ndjson": json_rows, "text/csv": csv_rows}
RESULTS_KEPT = timedelta(days=30)
_CAMPAIGN_BATCH = 200
CHUNKS_A_STEP = 10  # a transaction: so much is seen as progress, and done again after a crash
_KEY_PREFIX = "bulk:"


@dataclass(slots=True)
class Made:
    """A row that has become a link, which is not written yet."""

    number: int
    link: Link
    key: str | None
    fingerprint: bytes


def submit_file(scope: Scope, mimetype: str, body: bytes) -> Job:
    """Store a file of links as a job. Raises InvalidFieldsError for a file that cannot be read as a whole."""
    try:
        parts = list(chunks(READERS[mimetype](body)))
    except FileError as error:
        raise InvalidFieldsError([FieldError("", str(error))]) from None
    job = _new(scope, "create_links", sum(map(len, parts)))
    repository.insert(scope, job, parts)
    return job


def submit_campaign(scope: Scope, kind: str, campaign: str, expires_at: datetime | None = None) -> Job:
    """Store the end of a campaign's open links as a job. Raises NotFoundError if the campaign has none."""
    count = repository.count_open_links(scope, campaign)
    if count == 0:
        raise NotFoundError("This campaign has no open links.")
    job = _new(scope, kind, count, campaign=campaign, expires_at=expires_at)
    repository.insert(scope, job, [])
    return job


def get(scope: Scope, job_id: str) -> Job:
    """One job of the merchant; raises NotFoundError."""
    job = repository.get(scope, job_id)
    if job is None:
        raise NotFoundError("There is no such job.")
    return job


def step(wiring: Wiring) -> bool:
    """Do one chunk of the job that has waited longest; False when there is none."""
    now = utc_now()
    with wiring.database.transaction() as connection:
        claimed = repository.claim(connection)
        if claimed is None:
            return repository.forget(connection, now - RESULTS_KEPT) > 0
        job = claimed.job
        enter_tenant_as(connection, claimed.merchant_id, "", job.request_id)
        scope = Scope(connection, wiring.region, claimed.merchant_id, job.livemode, job.request_id, now)
        if job.kind == "create_links":
            _create(scope, job, wiring.settings.api_base_url)
        else:
            _change_batch(scope, job)
    return True


def _new(scope: Scope, kind: str, row_count: int, **more: Any) -> Job:
    job_id = new_id("bulk", scope.region.code)
    values = {"campaign": None, "expires_at": None} | more
    return Job(
        id=job_id,
        livemode=scope.livemode,
        kind=kind,
        status="queued",
        row_count=row_count,
        succeeded_count=0,
        failed_count=0,
        request_id=scope.correlation_id,
        created_at=scope.now,
        finished_at=None,
        **values,
    )


def _create(scope: Scope, job: Job, api_base_url: str) -> None:
    """A few chunks: while the database writes one, the next is judged; all of them wait for the disk once."""
    chunks_now = repository.next_chunks(scope, job.id, CHUNKS_A_STEP)
    succeeded = 0
    with driver_of(scope.connection).pipeline():
        for number, first_row, rows in chunks_now:
            results = _create_chunk(scope, first_row, rows, api_base_url)
            succeeded += sum(result["status"] != "failed" for result in results.values())
            lines = [orjson.dumps({"row": row, **results[row]}) for row in range(first_row, first_row + len(rows))]
            repository.finish_chunk(scope, job.id, number, lines)
        count = sum(len(rows) for _, _, rows in chunks_now)
        repository.progress(scope, job.id, succeeded, count - succeeded)


def _create_chunk(scope: Scope, first_row: int, rows: Sequence[bytes], api_base_url: str) -> dict[int, dict[str, Any]]:
    """Write a chunk's links; what has become of each row, by its number."""
    results: dict[int, dict[str, Any]] = {}
    made = list(_judge(scope, first_row, rows, results))
    made = list(_once(scope, made, results))
    for each in made:
        link = each.link
        results[each.number] = {"status": "created", "id": link.id, "url": link_url(api_base_url, link.code)}
    if made:
        _write(scope, made)
    return results


def _judge(scope: Scope, first_row: int, rows: Sequence[bytes], results: dict[int, dict[str, Any]]) -> Iterator[Made]:
    """Rows as links; a row that is refused gets its result at once."""
    for number, raw in enumerate(rows, first_row):
        try:
            wanted = parse_json(raw, LinkRow)
            link = links.build(scope, wanted)
        except Problem as problem:
            results[number] = _failed(problem)
        else:
            key = None if wanted.idempotency_key is None else _KEY_PREFIX + wanted.idempotency_key
            yield Made(number, link, key, hashlib.sha256(raw).digest() if key else b"")


def _once(scope: Scope, made: Sequence[Made], results: dict[int, dict[str, Any]]) -> Iterator[Made]:
    """Without the rows whose idempotency key is bound to a link already, here or in an earlier file."""
    keys = [each.key for each in made if each.key]
    known = repository.known_keys(scope, keys) if keys else {}
    for each in made:
        found = known.get(each.key) if each.key else None
        if found is None:
            if each.key:
                known[each.key] = (each.fingerprint, each.link.id)
            yield each
        elif found[0] == each.fingerprint:
            results[each.number] = {"status": "replayed", "id": found[1]}
        else:
            results[each.number] = _failed(IdempotencyKeyReusedError())


def _write(scope: Scope, made: Sequence[Made]) -> None:
    repository.insert_links(scope, [each.link for each in made])
    outbox.append_first(scope, "link.created", {each.link.id: events.created(each.link) for each in made})
    keyed = [(each.key, each.fingerprint, each.link.id) for each in made if each.key]
    if keyed:
        repository.keep_keys(scope, keyed)


def _failed(problem: Problem) -> dict[str, Any]:
    errors = [{"pointer": error.pointer, "detail": error.detail} for error in problem.errors]
    return {"status": "failed", "code": problem.code, "detail": problem.detail, "errors": errors}


def _change_batch(scope: Scope, job: Job) -> None:
    ending = (job.expires_at or job.created_at) if job.kind == "expire_campaign" else None
    found = repository.lock_open_links(scope, job.campaign or "", ending, _CAMPAIGN_BATCH)
    for link_id in found:
        if ending is None:
            links.deactivate(scope, link_id)
        else:
            links.end_at(scope, link_id, ending)
    if len(found) == 0:
        repository.finish(scope, job.id)
    else:
        repository.progress(scope, job.id, len(found))
