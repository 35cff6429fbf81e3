"""Who may call, and where: keys that open nothing, other regions' keys and ids."""

import json
import uuid
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from regions.ids import new_secret
from tests.support.api import BODY, problem
from tests.support.regional import RegionDatabase


def rows(database: RegionDatabase) -> tuple[int, int]:
    with database.connect("postgres") as connection:
        row = connection.execute("SELECT (SELECT count(*) FROM links), (SELECT count(*) FROM outbox)").fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic bWs6",
        "Bearer sk_live_x",
        "Bearer mk_test_eu_short",
        f"Bearer mk_test_eu_{'a' * 43}",
        f"Bearer mk_test_zz_{'a' * 43}",
        pytest.param(f"Bearer {new_secret('eu', livemode=False)}", id="of nobody"),
        pytest.param(f"Bearer {new_secret('zz', livemode=False)}", id="of no region"),
        "Bearer mk_test_eu_\x00",
    ],
)
def test_a_key_that_opens_nothing(client: FlaskClient, header: str | None) -> None:
    answer = client.post("/v1/links", json=BODY, headers={} if header is None else {"Authorization": header})
    document = problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "aaaa" not in json.dumps(document)


def test_a_revoked_key(client: FlaskClient, region_database: RegionDatabase) -> None:
    merchant_id, secret = region_database.add_merchant()
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/v1/links", headers=headers).status_code == 200
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE api_keys SET revoked_at = now() WHERE merchant_id = %s", [merchant_id])
    problem(client.get("/v1/links", headers=headers), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ("revoked_at = now()", 401, "unauthenticated"),
        ("expires_at = now()", 401, "unauthenticated"),
        ("allowed_networks = '{192.0.2.0/24}'", 403, "address_not_allowed"),
        ("kind = 'restricted', scopes = '{links:read}'", 403, "scope_missing"),
    ],
)
def test_a_key_that_the_process_has_met_writes_nothing_once_it_may_not(
    client: FlaskClient, region_database: RegionDatabase, change: str, status: int, code: str
) -> None:
    merchant_id, secret = region_database.add_merchant()
    headers = {"Authorization": f"Bearer {secret}"}
    for _ in range(2):
        assert client.post("/v1/links", json=BODY, headers=headers).status_code == 201
    with region_database.connect("postgres") as connection:
        connection.execute(f"UPDATE api_keys SET {change} WHERE merchant_id = %s", [merchant_id])
    before = rows(region_database)
    for sent in (headers, headers | {"Idempotency-Key": str(uuid.uuid4())}):
        problem(client.post("/v1/links", json=BODY, headers=sent), status, code)
        problem(client.post("/v1/links", json={"amount_minor": 0}, headers=sent), status, code)
    assert rows(region_database) == before


def test_a_link_takes_one_round_trip_once_its_caller_is_known(
    client: FlaskClient, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/v1/links", json=BODY, headers=key)
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: psycopg.Cursor, query: str, *more: Any, **options: Any) -> psycopg.Cursor:
        if "rate_buckets" not in query:  # leased now and then, for many requests
            statements.append(query)
        return execute(cursor, query, *more, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    sent = key | {"Idempotency-Key": str(uuid.uuid4())}
    assert client.post("/v1/links", json=BODY, headers=sent).status_code == 201
    assert len(statements) == 1


def test_another_regions_key_or_id_is_sent_there_and_writes_nothing(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase
) -> None:
    link_id = client.post("/v1/links", json=BODY, headers=key).get_json()["id"]
    before = rows(region_database)
    theirs = {"Authorization": f"Bearer {new_secret('us', livemode=False)}"}
    foreign = link_id.replace("_eu_", "_in_")
    answers = {
        "us": [client.post("/v1/links", json=BODY, headers=theirs), client.get(f"/v1/links/{link_id}", headers=theirs)],
        "in": [
            client.get(f"/v1/links/{foreign}", headers=key),
            client.post(f"/v1/links/{foreign}/deactivate", headers=key),
        ],
    }
    for region, of_region in answers.items():
        for answer in of_region:
            document = problem(answer, 421, "wrong_region")
            assert (document["region"], document["base_url"]) == (region, f"https://{region}.meridian.test")
    assert rows(region_database) == before
