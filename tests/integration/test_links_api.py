"""POST, GET, list and end links: what comes back, and a problem document for each bad input."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from regions.events import validate_data
from tests.support.api import BODY, problem
from tests.support.regional import RegionDatabase


def rows(database: RegionDatabase) -> tuple[int, int]:
    with database.connect("postgres") as connection:
        row = connection.execute("SELECT (SELECT count(*) FROM links), (SELECT count(*) FROM outbox)").fetchone()
    assert row is not None
    return row[0], row[1]


def test_the_smallest_request(client: FlaskClient, key: dict[str, str], region_database: RegionDatabase) -> None:
    before = datetime.now(UTC)
    answer = client.post("/v1/links", json=BODY, headers=key)
    link = answer.get_json()
    assert answer.status_code == 201
    assert {name: link[name] for name in BODY} == BODY
    assert (link["object"], link["status"], link["usage"], link["livemode"]) == ("link", "active", "single", False)
    assert link["id"].startswith("plink_eu_")
    assert link["url"].startswith("https://eu.meridian.test/l/")
    assert before <= datetime.fromisoformat(link["created_at"]) <= datetime.now(UTC)
    assert client.get(f"/v1/links/{link['id']}", headers=key).get_json() == link
    with region_database.connect("postgres") as connection:
        events = connection.execute(
            "SELECT type, family, sequence, merchant_id, livemode, correlation_id, data FROM outbox WHERE subject = %s",
            [link["id"]],
        ).fetchall()
    assert [event[:6] for event in events] == [
        ("link.created", "links", 1, region_database.merchant_id, False, answer.headers["Request-Id"])
    ]
    validate_data("link.created", events[0][6])
    assert events[0][6]["link_id"] == link["id"]


def test_every_field_comes_back(client: FlaskClient, key: dict[str, str]) -> None:
    wanted = BODY | {
        "description": "Two chairs, grün\nand a table",
        "usage": "multi",
        "metadata": {"order": "17", "ünï": "✓"},
        "channel": "email",
        "campaign": "Spring-26",
        "expires_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
    }
    link = client.post("/v1/links", json=wanted, headers=key).get_json()
    assert datetime.fromisoformat(link.pop("expires_at")) == datetime.fromisoformat(wanted.pop("expires_at"))
    assert {name: link[name] for name in wanted} == wanted


def test_free_text_stays_out_of_the_event(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase
) -> None:
    wanted = BODY | {"description": "CANARY-description", "metadata": {"k": "CANARY-metadata"}}
    link = client.post("/v1/links", json=wanted, headers=key).get_json()
    with region_database.connect("postgres") as connection:
        event = connection.execute("SELECT outbox::text FROM outbox WHERE subject = %s", [link["id"]]).fetchone()
    assert event is not None
    assert link["id"] in event[0]
    assert "CANARY" not in event[0]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount_minor": 0}, "/amount_minor"),
        ({"amount_minor": -1}, "/amount_minor"),
        ({"amount_minor": "1999"}, "/amount_minor"),
        ({"amount_minor": 19.99}, "/amount_minor"),
        ({"amount_minor": True}, "/amount_minor"),
        ({"amount_minor": 10**12}, "/amount_minor"),
        ({"amount_minor": 10**400}, "/amount_minor"),
        ({"currency": "eur"}, "/currency"),
        ({"currency": "JPY"}, "/currency"),
        ({"currency": "EUR\n"}, "/currency"),
        ({"currency": 978}, "/currency"),
        ({"reference": ""}, "/reference"),
        ({"reference": "x" * 129}, "/reference"),
        ({"reference": "a\x00b"}, "/reference"),
        ({"description": "x" * 501}, "/description"),
        ({"description": "\x1b[31m"}, "/description"),
        ({"usage": "twice"}, "/usage"),
        ({"metadata": {"k": 1}}, "/metadata/k"),
        ({"metadata": {"a/b~c": 1}}, "/metadata/a~1b~0c"),
        ({"metadata": {"k" * 41: "v"}}, "/metadata/" + "k" * 41),
        ({"metadata": {"k": "v\x00"}}, "/metadata/k"),
        ({"metadata": {str(n): "v" for n in range(51)}}, "/metadata"),
        ({"metadata": []}, "/metadata"),
        ({"channel": "E-Mail"}, "/channel"),
        ({"campaign": "a b"}, "/campaign"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": 1900000000}, "/expires_at"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"unknown": 1}, "/unknown"),
        ({"id": "plink_eu_x"}, "/id"),
        ({"merchant_id": "merch_eu_x"}, "/merchant_id"),
    ],
)
def test_a_wrong_field_is_named(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase, change: dict[str, Any], pointer: str
) -> None:
    before = rows(region_database)
    document = problem(client.post("/v1/links", json=BODY | change, headers=key), 422, "invalid_fields")
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert all(error["detail"] for error in document["errors"])
    assert rows(region_database) == before


@pytest.mark.parametrize("missing", ["currency", "reference"])
def test_a_missing_field_is_named(client: FlaskClient, key: dict[str, str], missing: str) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}
    document = problem(client.post("/v1/links", json=body, headers=key), 422, "invalid_fields")
    assert document["errors"] == [{"pointer": f"/{missing}", "detail": "required"}]


def test_every_wrong_field_is_named_at_once(client: FlaskClient, key: dict[str, str]) -> None:
    document = problem(client.post("/v1/links", json={"amount_minor": 0, "x": 1}, headers=key), 422, "invalid_fields")
    assert {error["pointer"] for error in document["errors"]} == {"/amount_minor", "/currency", "/reference", "/x"}


@pytest.mark.parametrize("price", [{}, {"amount_minor": None}])
def test_a_link_without_a_price(client: FlaskClient, key: dict[str, str], price: dict[str, Any]) -> None:
    body = {"currency": "EUR", "reference": "INV-1"} | price
    document = problem(client.post("/v1/links", json=body, headers=key), 422, "invalid_terms")
    assert [error["pointer"] for error in document["errors"]] == ["/amount_minor"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[1,]", b"\xff\xfe", b'{"reference": "\\ud800"}', b"nul", b"[" * 5000])
def test_a_body_that_is_not_json(client: FlaskClient, key: dict[str, str], raw: bytes) -> None:
    answer = client.post("/v1/links", data=raw, headers=key | {"Content-Type": "application/json"})
    problem(answer, 400, "malformed_request")


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"x"'])
def test_a_body_that_is_no_object(client: FlaskClient, key: dict[str, str], raw: bytes) -> None:
    answer = client.post("/v1/links", data=raw, headers=key | {"Content-Type": "application/json"})
    document = problem(answer, 422, "invalid_fields")
    assert document["errors"][0]["pointer"] == ""


def test_another_content_type(client: FlaskClient, key: dict[str, str]) -> None:
    problem(client.post("/v1/links", data=BODY, headers=key), 415, "unsupported_media_type")


def test_a_body_that_is_too_large(client: FlaskClient, key: dict[str, str]) -> None:
    body = BODY | {"description": "x" * 70_000}
    problem(client.post("/v1/links", json=body, headers=key), 413, "request_entity_too_large")


def test_ids_that_name_nothing(client: FlaskClient, key: dict[str, str], region_database: RegionDatabase) -> None:
    link_id = client.post("/v1/links", json=BODY, headers=key).get_json()["id"]
    _, secret = region_database.add_merchant()
    other = {"Authorization": f"Bearer {secret}"}
    problem(client.get(f"/v1/links/{link_id}", headers=other), 404, "not_found")
    problem(client.post(f"/v1/links/{link_id}/deactivate", headers=other), 404, "not_found")
    for wrong in ("plink_eu_x", link_id[:-1], link_id.replace("plink", "pay"), link_id.replace("_eu_", "_zz_"), "%00"):
        problem(client.get(f"/v1/links/{wrong}", headers=key), 404, "not_found")
    problem(client.get("/v2/links"), 404, "not_found")
    assert client.delete("/v1/links", headers=key).headers["Allow"]
    problem(client.delete("/v1/links", headers=key), 405, "method_not_allowed")


def test_ending_a_link(client: FlaskClient, key: dict[str, str], region_database: RegionDatabase) -> None:
    link_id = client.post("/v1/links", json=BODY, headers=key).get_json()["id"]
    for _ in range(2):
        assert client.post(f"/v1/links/{link_id}/deactivate", headers=key).get_json()["status"] == "deactivated"
    problem(client.post(f"/v1/links/{link_id}/deactivate", json={"x": 1}, headers=key), 422, "invalid_fields")
    with region_database.connect("postgres") as connection:
        query = "SELECT type, sequence, data FROM outbox WHERE subject = %s ORDER BY sequence"
        events = connection.execute(query, [link_id]).fetchall()
    assert [event[:2] for event in events] == [("link.created", 1), ("link.deactivated", 2)]
    validate_data("link.deactivated", events[1][2])


def test_a_paid_link_cannot_be_ended(client: FlaskClient, key: dict[str, str], region_database: RegionDatabase) -> None:
    link_id = client.post("/v1/links", json=BODY, headers=key).get_json()["id"]
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE links SET status = 'completed' WHERE id = %s", [link_id])
    problem(client.post(f"/v1/links/{link_id}/deactivate", headers=key), 409, "conflict")


def test_expiry_is_evaluated_on_read(client: FlaskClient, key: dict[str, str], region_database: RegionDatabase) -> None:
    link_id = client.post("/v1/links", json=BODY, headers=key).get_json()["id"]
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE links SET expires_at = now() WHERE id = %s", [link_id])
    assert client.get(f"/v1/links/{link_id}", headers=key).get_json()["status"] == "expired"


def test_pages_hold_every_link_once_newest_first(client: FlaskClient, region_database: RegionDatabase) -> None:
    _, secret = region_database.add_merchant()
    key = {"Authorization": f"Bearer {secret}"}
    made = [client.post("/v1/links", json=BODY, headers=key).get_json()["id"] for _ in range(5)]
    seen: list[str] = []
    path = "/v1/links?limit=2"
    for page_size in (2, 2, 1):
        page = client.get(path, headers=key).get_json()
        assert len(page["data"]) == page_size
        seen += [link["id"] for link in page["data"]]
        path = f"/v1/links?limit=2&starting_after={seen[-1]}"
    assert page["has_more"] is False
    assert seen == made[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "offset=1"])
def test_a_wrong_query_is_named(client: FlaskClient, key: dict[str, str], query: str) -> None:
    document = problem(client.get(f"/v1/links?{query}", headers=key), 422, "invalid_fields")
    assert document["errors"][0]["pointer"] == "?" + query.split("=", maxsplit=1)[0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_last_use_is_written_once_an_hour_not_once_a_request(
    client: FlaskClient, region_app: Flask, region_database: RegionDatabase, method: str
) -> None:
    merchant_id, secret = region_database.add_merchant()

    def row() -> tuple[Any, ...]:
        assert client.open("/v1/links", method=method, json=BODY, headers=key).status_code < 300
        with region_database.connect("postgres") as connection:
            query = "SELECT last_used_at, ctid::text FROM api_keys WHERE merchant_id = %s"
            return connection.execute(query, [merchant_id]).fetchall()[0]

    key = {"Authorization": f"Bearer {secret}"}
    first = row()
    assert first[0] is not None
    assert row() == first
    region_app.extensions["meridian"].key_use._written.clear()  # as another process sees it
    assert row() == first


def test_health_needs_the_database(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok", "region": "eu"})
