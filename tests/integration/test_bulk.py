"""Files of links and ends of campaigns as jobs: row by row, resumable, nothing twice."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from regions.events import validate_data
from regions.region import load_region
from regions.vault import open_vault
from tests.support.regional import RegionDatabase
from web.bulk import repository, service
from web.bulk.domain import CHUNK_ROWS, ROWS_MAX
from web.db.engine import Database
from web.settings import Settings
from web.wiring import Wiring

NDJSON = "application/x-ndjson"


@pytest.fixture
def client(region_app: Flask) -> FlaskClient:
    return region_app.test_client()


@pytest.fixture
def key(region_database: RegionDatabase) -> dict[str, str]:
    """The key of a merchant without links."""
    _, secret = region_database.add_merchant()
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def worker(region_database: RegionDatabase) -> Iterator[Wiring]:
    region = load_region("eu")
    settings = Settings.from_environment(region, region_database.env_for("worker"))
    database = Database(settings.database_url, application_name="tests", pool_size=4)
    yield Wiring(region, settings, database, open_vault(settings.vault_uri), {})
    database.dispose()


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {"amount_minor": 100 + number, "currency": "EUR", "reference": f"INV-{number}"} | fields


def lines(rows: list[Any]) -> bytes:
    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in rows)


def send(client: FlaskClient, key: dict[str, str], body: bytes, mimetype: str = NDJSON) -> TestResponse:
    return client.post("/v1/bulk/links", data=body, headers=key | {"Content-Type": mimetype})


def finish(client: FlaskClient, key: dict[str, str], worker: Wiring, accepted: TestResponse) -> list[dict[str, Any]]:
    """Work until the job is done; its results."""
    assert accepted.status_code == 202, accepted.text
    path = f"/v1/bulk/jobs/{accepted.get_json()['id']}"
    while client.get(path, headers=key).get_json()["status"] != "done":
        assert service.step(worker)
    answer = client.get(f"{path}/results", headers=key)
    assert answer.mimetype == NDJSON
    return [json.loads(line) for line in answer.data.splitlines()]


def test_each_row_stands_for_itself(
    client: FlaskClient, key: dict[str, str], worker: Wiring, region_database: RegionDatabase
) -> None:
    rows = [
        row(1),
        row(2, amount_minor=0),
        b"{",
        row(4, colour="red"),
        row(5, usage="limited", max_payments=3, metadata={"a": "b"}, description=""),
        row(6, usage="limited"),
        b"[]",
        b'{"reference": "' + b"x" * 20_000 + b'"}',
    ]
    accepted = send(client, key, lines(rows))
    job = accepted.get_json()
    assert (job["status"], job["row_count"], job["succeeded_count"]) == ("queued", 8, 0)
    results = finish(client, key, worker, accepted)
    assert [result["row"] for result in results] == list(range(1, 9))
    assert [result["status"] for result in results] == [
        "created", "failed", "failed", "failed", "created", "failed", "failed", "failed",
    ]  # fmt: skip
    assert results[1]["errors"][0]["pointer"] == "/amount_minor"
    assert results[2]["code"] == "malformed_request"
    assert results[3]["errors"] == [{"pointer": "/colour", "detail": "unknown field"}]
    assert results[5]["code"] == "invalid_terms"
    done = client.get(f"/v1/bulk/jobs/{job['id']}", headers=key).get_json()
    assert (done["succeeded_count"], done["failed_count"]) == (2, 6)
    link = client.get(f"/v1/links/{results[4]['id']}", headers=key).get_json()
    assert (link["reference"], link["max_payments"], link["metadata"]) == ("INV-5", 3, {"a": "b"})
    assert link["description"] == "", "as a link made alone"
    assert link["url"] == results[4]["url"]
    with region_database.connect("postgres") as connection:
        query = "SELECT type, sequence, correlation_id, data FROM outbox WHERE subject = %s"
        [(name, sequence, correlation_id, data)] = connection.execute(query, [link["id"]]).fetchall()
    assert (name, sequence, correlation_id) == ("link.created", 1, accepted.headers["Request-Id"])
    validate_data(name, data)
    assert client.post(f"/v1/links/{link['id']}/deactivate", headers=key).status_code == 200, "its sequence goes on"
    with region_database.connect("postgres") as connection:
        query = "SELECT id, uuid_extract_version(id) FROM outbox WHERE subject = ANY(%s) ORDER BY time"
        ids = connection.execute(query, [[results[0]["id"], link["id"]]]).fetchall()
    assert len(ids) == 3
    assert sorted(ids) == ids, "the relay tells events of one batch in the order of their ids"
    assert {version for _, version in ids} == {7}


def test_a_csv_file(client: FlaskClient, key: dict[str, str], worker: Wiring) -> None:
    body = (
        "\ufeffreference,amount_minor,currency,description,metadata.order,expires_in\r\n"
        'INV-1,1999,EUR,"Two chairs, ""oak"",\ngrün",17,3600\r\n'
        "INV-2,x,EUR,,,\r\n"
        "INV-3,1999\r\n"
    )
    results = finish(client, key, worker, send(client, key, body.encode(), "text/csv; charset=utf-8"))
    assert [result["status"] for result in results] == ["created", "failed", "failed"]
    link = client.get(f"/v1/links/{results[0]['id']}", headers=key).get_json()
    assert link["description"] == 'Two chairs, "oak",\ngrün'
    assert link["metadata"] == {"order": "17"}
    assert link["expires_at"]
    assert results[1]["errors"][0]["pointer"] == "/amount_minor"


@pytest.mark.parametrize(
    ("body", "mimetype", "status"),
    [
        (b"", NDJSON, 422),
        (b"\n \n", NDJSON, 422),
        (b"price\n1\n", "text/csv", 422),
        (b"reference,reference\na,b\n", "text/csv", 422),
        (b"reference\n\xff\n", "text/csv", 422),
        (b'reference\n"a\n', "text/csv", 422),
        (b"{}", "application/json", 415),
        (b"{}\n" * (ROWS_MAX + 1), NDJSON, 422),
    ],
    ids=["empty", "blank", "unknown column", "column twice", "not UTF-8", "open quote", "JSON", "too many rows"],
)
def test_a_file_that_cannot_be_read_makes_no_job(
    client: FlaskClient, key: dict[str, str], body: bytes, mimetype: str, status: int
) -> None:
    assert send(client, key, body, mimetype).status_code == status
    assert client.get("/v1/bulk/jobs", headers=key).get_json()["data"] == []


def test_a_row_with_a_key_makes_one_link_however_often_it_is_sent(
    client: FlaskClient, key: dict[str, str], worker: Wiring
) -> None:
    rows = [row(1, idempotency_key="a"), row(1, idempotency_key="a"), row(2, idempotency_key="a"), row(3)]
    first = finish(client, key, worker, send(client, key, lines(rows)))
    assert [result["status"] for result in first] == ["created", "replayed", "failed", "created"]
    assert first[1]["id"] == first[0]["id"]
    assert first[2]["code"] == "idempotency_key_reused"
    again = finish(client, key, worker, send(client, key, lines(rows)))
    assert [result["status"] for result in again] == ["replayed", "replayed", "failed", "created"]
    assert len(client.get("/v1/links", headers=key).get_json()["data"]) == 3


def test_a_job_that_is_interrupted_goes_on_where_it_was(
    client: FlaskClient,
    key: dict[str, str],
    worker: Wiring,
    region_database: RegionDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reference, count = f"BULK-{uuid.uuid4()}", CHUNK_ROWS * 2 + 5
    monkeypatch.setattr(service, "CHUNKS_A_STEP", 1)
    accepted = send(client, key, lines([row(n, reference=reference) for n in range(count)]))
    path = f"/v1/bulk/jobs/{accepted.get_json()['id']}"
    assert service.step(worker)
    halfway = client.get(path, headers=key).get_json()
    assert (halfway["status"], halfway["succeeded_count"]) == ("running", CHUNK_ROWS)
    assert len(client.get(f"{path}/results", headers=key).data.splitlines()) == CHUNK_ROWS
    finish_chunk = repository.finish_chunk

    def dies(*arguments: Any) -> None:
        finish_chunk(*arguments)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(repository, "finish_chunk", dies)
        with pytest.raises(SystemExit):
            service.step(worker)
    monkeypatch.setattr(service, "CHUNKS_A_STEP", 2)
    results = finish(client, key, worker, accepted)
    assert [result["row"] for result in results] == list(range(1, count + 1))
    with region_database.connect("postgres") as connection:
        query = "SELECT count(*), count(DISTINCT code) FROM links WHERE reference = %s"
        assert connection.execute(query, [reference]).fetchone() == (count, count)
        query = "SELECT count(*) FROM outbox WHERE type = 'link.created' AND data ->> 'reference' = %s"
        assert connection.execute(query, [reference]).fetchone() == (count,)


def test_several_workers_share_the_jobs_and_do_no_row_twice(
    client: FlaskClient, key: dict[str, str], worker: Wiring
) -> None:
    accepted = [send(client, key, lines([row(n) for n in range(40)])) for _ in range(6)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            list(pool.map(lambda _: service.step(worker), range(4)))
    counts = Counter(result["status"] for each in accepted for result in finish(client, key, worker, each))
    assert counts == {"created": 240}
    total = 0
    cursor = ""
    while page := client.get(f"/v1/links?limit=100{cursor}", headers=key).get_json()["data"]:
        total += len(page)
        cursor = f"&starting_after={page[-1]['id']}"
    assert total == 240


def test_a_campaign_ends_as_a_whole(
    client: FlaskClient, key: dict[str, str], worker: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_CAMPAIGN_BATCH", 3)
    rows = [row(n, campaign="spring" if n % 2 else "summer") for n in range(10)]
    finish(client, key, worker, send(client, key, lines(rows)))

    def statuses(campaign: str) -> Counter[str]:
        found = client.get(f"/v1/links?campaign={campaign}", headers=key).get_json()["data"]
        return Counter(link["status"] for link in found)

    ended = client.post("/v1/bulk/campaigns/deactivate", json={"campaign": "spring"}, headers=key)
    finish(client, key, worker, ended)
    assert (statuses("spring"), statuses("summer")) == ({"deactivated": 5}, {"active": 5})
    expired = client.post("/v1/bulk/campaigns/expire", json={"campaign": "summer"}, headers=key)
    finish(client, key, worker, expired)
    assert statuses("summer") == {"expired": 5}
    assert client.post("/v1/bulk/campaigns/expire", json={"campaign": "none"}, headers=key).status_code == 404


def test_a_job_is_its_merchants(client: FlaskClient, key: dict[str, str], region_database: RegionDatabase) -> None:
    job_id = send(client, key, lines([row(1)])).get_json()["id"]
    other = {"Authorization": f"Bearer {region_database.secret_key}"}
    for path in (f"/v1/bulk/jobs/{job_id}", f"/v1/bulk/jobs/{job_id}/results"):
        assert client.get(path, headers=other).status_code == 404
        assert client.get(path, headers=key).status_code == 200


def test_a_file_sent_twice_under_one_key_is_one_job(client: FlaskClient, key: dict[str, str]) -> None:
    headers = key | {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (send(client, headers, lines([row(1)])) for _ in range(2))
    assert first.get_json() == second.get_json()
    assert len(client.get("/v1/bulk/jobs", headers=key).get_json()["data"]) == 1
