"""What keys may do: every operation asks for a scope, and every kind of key is held to what it has."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api import problem
from tests.support.regional import RegionDatabase
from web.http.scopes import GRANTABLE, SCOPES, is_allowed
from web.openapi.registry import Declared, declared

BODY: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}


@pytest.fixture
def own(region_database: RegionDatabase) -> dict[str, str]:
    """The key of a merchant of this test's own."""
    return bearer(region_database.add_merchant()[1])


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def made(client: FlaskClient, own: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/keys", json={"kind": "restricted"} | fields, headers=own)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def address_of(route: Declared) -> str:
    return re.sub(r"<(?:\w+:)?\w+>", "nothing", route.rule.rule)


def test_every_operation_needs_a_scope_that_there_is(region_app: Flask) -> None:
    wrong = [
        f"{route.method} {route.rule.rule}" for route in declared(region_app) if route.operation.scope not in SCOPES
    ]
    assert wrong == [], 'give each of these @operation(…, scope="<noun>:read" or ":write") of web/http/scopes.py'
    reading = [route for route in declared(region_app) if route.method == "GET"]
    assert [r.rule.rule for r in reading if r.operation.scope.endswith(":write")] == []
    writing = [route for route in declared(region_app) if route.method != "GET"]
    assert [r.rule.rule for r in writing if r.operation.scope.endswith(":read")] == []


def test_a_restricted_key_is_let_in_where_its_scope_is_asked_for_and_nowhere_else(
    client: FlaskClient, own: dict[str, str], region_app: Flask
) -> None:
    """All operations, with a key for each scope that can be given: nothing exists, so what is let in finds nothing."""
    keys = {scope: bearer(made(client, own, scopes=[scope])["secret"]) for scope in sorted(GRANTABLE)}
    for route in declared(region_app):
        for scope, headers in keys.items():
            answer = client.open(address_of(route), method=route.method, headers=headers)
            is_let_in = answer.status_code != 403
            assert is_let_in == is_allowed("restricted", [scope], route.operation.scope), (scope, route.rule.rule)
            if not is_let_in:
                document = problem(answer, 403, "scope_missing")
                assert document["required_scope"] == route.operation.scope


def test_a_publishable_key_may_know_what_every_payer_may(
    client: FlaskClient, own: dict[str, str], region_app: Flask
) -> None:
    key = made(client, own, kind="publishable")
    assert key["secret"].startswith("pk_test_eu_")
    assert key["scopes"] == []
    for route in declared(region_app):
        answer = client.open(address_of(route), method=route.method, headers=bearer(key["secret"]))
        assert (answer.status_code == 403) == (route.operation.scope != "config:read"), route.rule.rule


def test_a_key_is_shown_once_and_kept_as_a_hash(
    client: FlaskClient, own: dict[str, str], region_database: RegionDatabase
) -> None:
    headers = own | {"Idempotency-Key": "make-a-key"}
    body = {"kind": "restricted", "name": "ERP", "scopes": ["links:read", "links:read"]}
    first, again = (client.post("/v1/keys", json=body, headers=headers) for _ in range(2))
    key, secret = first.get_json(), first.get_json()["secret"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json() == key | {"secret": None}
    shown = client.get(f"/v1/keys/{key['id']}", headers=own).get_json()
    assert shown == key | {"secret": None}
    assert (shown["prefix"], shown["scopes"], shown["name"]) == (secret[:15], ["links:read"], "ERP")
    with region_database.connect("postgres") as connection:
        stored = connection.execute("SELECT k::text FROM api_keys k WHERE id = %s", [key["id"]]).fetchone()
        answers = connection.execute(
            "SELECT convert_from(response_body, 'UTF8') FROM idempotency_keys WHERE key = 'make-a-key'"
        ).fetchall()
    assert secret[20:] not in str(stored)
    assert secret[20:] not in str(answers)


def test_a_rolled_key_and_its_successor_overlap(client: FlaskClient, own: dict[str, str]) -> None:
    old = made(client, own, scopes=["links:write"], allowed_networks=["127.0.0.0/8"], name="shop")
    new = client.post(f"/v1/keys/{old['id']}/roll", json={"overlap_seconds": 3600}, headers=own).get_json()
    assert new["rolled_from"] == old["id"]
    assert {name: new[name] for name in ("kind", "name", "scopes", "allowed_networks")} == {
        name: old[name] for name in ("kind", "name", "scopes", "allowed_networks")
    }
    for key in (old, new):
        assert client.post("/v1/links", json=BODY, headers=bearer(key["secret"])).status_code == 201
    assert client.get(f"/v1/keys/{old['id']}", headers=own).get_json()["expires_at"] is not None
    newest = client.post(f"/v1/keys/{new['id']}/roll", json={"overlap_seconds": 0}, headers=own).get_json()
    problem(client.post("/v1/links", json=BODY, headers=bearer(new["secret"])), 401, "unauthenticated")
    assert client.post("/v1/links", json=BODY, headers=bearer(newest["secret"])).status_code == 201
    problem(client.post(f"/v1/keys/{new['id']}/roll", headers=own), 409, "conflict")


def test_a_key_ends_by_its_time_and_when_it_is_revoked(
    client: FlaskClient, own: dict[str, str], region_database: RegionDatabase
) -> None:
    ending, revoked = (
        made(client, own, scopes=["links:read"], expires_at="2100-01-01T00:00:00Z"),
        made(client, own, scopes=["links:read"]),
    )
    assert client.get("/v1/links", headers=bearer(ending["secret"])).status_code == 200
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE api_keys SET expires_at = now() WHERE id = %s", [ending["id"]])
    first, again = (client.post(f"/v1/keys/{revoked['id']}/revoke", headers=own).get_json() for _ in range(2))
    assert (first["status"], first) == ("revoked", again)
    for key in (ending, revoked):
        problem(client.get("/v1/links", headers=bearer(key["secret"])), 401, "unauthenticated")
    assert [key["status"] for key in client.get("/v1/keys", headers=own).get_json()["data"]] == [
        "revoked", "expired", "active",
    ]  # fmt: skip


def test_an_allow_list_is_held_to(client: FlaskClient, own: dict[str, str]) -> None:
    key = made(client, own, scopes=["links:read"], allowed_networks=["203.0.113.0/24", "2001:db8::/32"])
    headers = bearer(key["secret"])
    for address, status in (("203.0.113.9", 200), ("2001:db8::7", 200), ("203.0.114.9", 403), ("127.0.0.1", 403)):
        answer = client.get("/v1/links", headers=headers, environ_base={"REMOTE_ADDR": address})
        assert answer.status_code == status, address
    forged = client.get("/v1/links", headers=headers | {"X-Forwarded-For": "203.0.113.9"})
    problem(forged, 403, "address_not_allowed")
    changed = client.patch(f"/v1/keys/{key['id']}", json={"allowed_networks": ["127.0.0.1"]}, headers=own)
    assert changed.get_json()["allowed_networks"] == ["127.0.0.1/32"]
    assert client.get("/v1/links", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/scopes"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["keys:write"]}, "/scopes"),
        ({"kind": "secret", "scopes": ["links:read"]}, "/scopes"),
        ({"scopes": ["links:read"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"scopes": ["links:read"], "allowed_networks": ["203.0.113.1/24"]}, "/allowed_networks"),
        ({"scopes": ["links:read"], "allowed_networks": ["everywhere"]}, "/allowed_networks"),
    ],
)
def test_a_key_that_cannot_be(client: FlaskClient, own: dict[str, str], fields: dict[str, Any], pointer: str) -> None:
    answer = client.post("/v1/keys", json={"kind": "restricted"} | fields, headers=own)
    assert problem(answer, 422, "invalid_terms")["errors"][0]["pointer"] == pointer


def test_a_key_of_one_mode_sees_and_makes_keys_of_that_mode(
    client: FlaskClient, region_database: RegionDatabase
) -> None:
    own = bearer(region_database.add_merchant(livemode=True)[1])
    key = made(client, own, kind="secret")
    assert (key["livemode"], key["secret"][:11]) == (True, "mk_live_eu_")
    assert client.get("/v1/keys", headers=bearer(key["secret"])).status_code == 200
