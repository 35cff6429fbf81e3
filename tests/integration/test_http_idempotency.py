"""Repeating a request: replayed, refused, or told to wait, and never done twice."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient

from tests.support.gunicorn_serving import serving
from tests.support.regional import RegionDatabase

BODY = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}


def headers(database: RegionDatabase, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {database.secret_key}", "Idempotency-Key": key}


def count(database: RegionDatabase, reference: str) -> tuple[int, int]:
    """Links, and events, of that reference."""
    with database.connect("postgres") as connection:
        row = connection.execute(
            """SELECT (SELECT count(*) FROM links WHERE reference = %(r)s),
                      (SELECT count(*) FROM outbox WHERE type = 'link.created' AND data ->> 'reference' = %(r)s)""",
            {"r": reference},
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_repeated_request_is_replayed_byte_for_byte(client: FlaskClient, region_database: RegionDatabase) -> None:
    reference = f"INV-{uuid.uuid4()}"
    sent = headers(region_database, str(uuid.uuid4()))
    first = client.post("/v1/links", json=BODY | {"reference": reference}, headers=sent)
    second = client.post("/v1/links", json=BODY | {"reference": reference}, headers=sent)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.headers["Request-Id"] != second.headers["Request-Id"]
    assert count(region_database, reference) == (1, 1)


@pytest.mark.parametrize("change", [{"amount_minor": 5}, {"reference": "other"}, {"x": 1}])
def test_another_body_under_the_same_key_is_refused(
    client: FlaskClient, region_database: RegionDatabase, change: dict[str, Any]
) -> None:
    sent = headers(region_database, str(uuid.uuid4()))
    assert client.post("/v1/links", json=BODY, headers=sent).status_code == 201
    refused = client.post("/v1/links", json=BODY | change, headers=sent)
    assert refused.status_code == 422
    assert refused.json is not None
    assert refused.json["code"] == "idempotency_key_reused"


def test_another_path_under_the_same_key_is_refused(client: FlaskClient, region_database: RegionDatabase) -> None:
    sent = headers(region_database, str(uuid.uuid4()))
    link = client.post("/v1/links", json=BODY, headers=sent).get_json()
    refused = client.post(f"/v1/links/{link['id']}/deactivate", headers=sent)
    assert refused.status_code == 422


def test_keys_belong_to_one_merchant(client: FlaskClient, region_database: RegionDatabase) -> None:
    key = str(uuid.uuid4())
    _, other = region_database.add_merchant()
    first = client.post("/v1/links", json=BODY, headers=headers(region_database, key)).get_json()
    theirs = {"Authorization": f"Bearer {other}", "Idempotency-Key": key}
    second = client.post("/v1/links", json=BODY | {"amount_minor": 7}, headers=theirs)
    assert second.status_code == 201
    assert second.get_json()["id"] != first["id"]


def test_test_and_live_mode_share_no_keys(client: FlaskClient, region_database: RegionDatabase) -> None:
    _, live = region_database.add_merchant(livemode=True)
    answer = client.post("/v1/links", json=BODY, headers={"Authorization": f"Bearer {live}"})
    assert answer.get_json()["livemode"] is True
    seen = client.get(f"/v1/links/{answer.get_json()['id']}", headers=headers(region_database, "x"))
    assert seen.status_code == 404


def test_a_refused_request_does_not_use_its_key_up(client: FlaskClient, region_database: RegionDatabase) -> None:
    sent = headers(region_database, str(uuid.uuid4()))
    assert client.post("/v1/links", json=BODY | {"amount_minor": 0}, headers=sent).status_code == 422
    assert client.post("/v1/links", json=BODY, headers=sent).status_code == 201


def test_deactivation_is_replayed_too(client: FlaskClient, region_database: RegionDatabase) -> None:
    link = client.post("/v1/links", json=BODY, headers=headers(region_database, str(uuid.uuid4()))).get_json()
    sent = headers(region_database, str(uuid.uuid4()))
    answers = [client.post(f"/v1/links/{link['id']}/deactivate", headers=sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["Idempotency-Replayed"] == "true"


def test_a_request_in_flight_is_told_to_wait(client: FlaskClient, region_database: RegionDatabase) -> None:
    """The first request's transaction is open and stays so: the second gives up at the lock's deadline."""
    key = str(uuid.uuid4())
    with region_database.connect("postgres") as first, first.transaction(force_rollback=True):
        first.execute(
            """INSERT INTO idempotency_keys (merchant_id, livemode, key, fingerprint)
               VALUES (%s, false, %s, sha256('x'))""",
            [region_database.merchant_id, key],
        )
        waiting = client.post("/v1/links", json=BODY, headers=headers(region_database, key))
    assert waiting.status_code == 409
    assert waiting.get_json()["code"] == "idempotency_key_in_flight"
    assert int(waiting.headers["Retry-After"]) >= 1
    assert client.post("/v1/links", json=BODY, headers=headers(region_database, key)).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a,b", "a b", "ü", "x" * 256, "tab\t"])
def test_a_key_that_cannot_be_is_refused(client: FlaskClient, region_database: RegionDatabase, key: str) -> None:
    refused = client.post("/v1/links", json=BODY, headers=headers(region_database, key))
    assert refused.status_code == 400
    assert refused.get_json()["code"] == "malformed_request"


def test_concurrent_duplicates_make_one_link_across_threads_and_processes(region_database: RegionDatabase) -> None:
    references = [f"INV-{uuid.uuid4()}" for _ in range(6)]

    def send(reference: str) -> httpx.Response:
        body = BODY | {"reference": reference}
        return httpx.post(
            f"{base}/v1/links", json=body, headers=headers(region_database, f"key-{reference}"), timeout=30
        )

    with serving("web.wsgi:for_region('eu')", region_database.env) as base, ThreadPoolExecutor(16) as pool:
        for reference in references:
            answers = list(pool.map(send, [reference] * 16))
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.json()["id"] for answer in answers}) == 1
            assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
        doubled = httpx.post(
            f"{base}/v1/links",
            json=BODY,
            headers=[
                ("Authorization", f"Bearer {region_database.secret_key}"),
                ("Idempotency-Key", "one"),
                ("Idempotency-Key", "two"),
            ],
        )
    assert doubled.status_code == 400
    assert {count(region_database, reference) for reference in references} == {(1, 1)}
