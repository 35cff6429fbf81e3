"""Yesterday's version of the API still answers the same: each version's answers are frozen in api_versions/."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from regions.ids import new_id
from tests.support.regional import RegionDatabase
from web.http.problems import MalformedRequestError
from web.http.versions import CHANGES, FIRST, HEADER, LATEST, VERSIONS, as_of, chosen

FROZEN = {path.stem: json.loads(path.read_text()) for path in Path(__file__).with_name("api_versions").glob("*.json")}
LINK: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1", "description": "Two chairs"}
# The same answer as on the day of the first version, but for what is drawn anew each time.
YESTERDAYS_LINK = {
    "object": "link", "status": "active", "amount_minor": 1999, "customer_amount": None, "line_items": None,
    "currency": "EUR", "currency_options": None, "reference": "INV-1", "description": "Two chairs", "usage": "single",
    "max_payments": None, "metadata": {}, "channel": None, "campaign": None, "attribution": None, "custom_fields": None,
    "collect": ["name"], "locale": "auto", "payment_methods": None, "branding": None, "after_completion": None,
    "capture_method": "automatic", "statement_descriptor": None, "splits": None, "regenerated_from": None,
    "expires_at": None, "deactivated_at": None, "livemode": False,
    "url": "https://eu.meridian.test/l/CODE",
    "channel_urls": {
        name: f"https://eu.meridian.test/l/CODE?channel={name}" for name in ("email", "sms", "social", "qr", "in_app")
    },
}  # fmt: skip


@pytest.fixture
def client(region_app: Flask) -> FlaskClient:
    return region_app.test_client()


@pytest.fixture(params=sorted(FROZEN))
def pinned(request: pytest.FixtureRequest, region_database: RegionDatabase) -> tuple[str, dict[str, str]]:
    """A version, and the header of a key that is pinned to it."""
    merchant_id, secret = region_database.add_merchant()
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE api_keys SET api_version = %s WHERE merchant_id = %s", [request.param, merchant_id])
    return request.param, {"Authorization": f"Bearer {secret}"}


def closed(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer of the version may hold, and nothing else."""
    found = json.loads(json.dumps(schemas))
    for schema in found.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return dict(found)


def conforms(frozen: Mapping[str, Any], route: str, answer: Any) -> None:
    schema = {
        "$ref": f"#/components/schemas/{frozen['answers'][route]}",
        "components": {"schemas": closed(frozen["schemas"])},
    }
    problems = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(answer)]
    assert problems == [], route


def test_a_key_of_yesterday_is_answered_as_yesterday(client: FlaskClient, pinned: tuple[str, dict[str, str]]) -> None:
    version, headers = pinned
    frozen = FROZEN[version]
    made = client.post("/v1/links", json=LINK, headers=headers)
    assert made.headers[HEADER] == version
    link = made.get_json()
    conforms(frozen, "POST /v1/links", link)
    for path in (f"/v1/links/{link['id']}", "/v1/links", "/v1/keys", "/v1/events", "/v1/bulk/jobs", "/v1/payments"):
        answer = client.get(path, headers=headers)
        route = re.sub(r"plink_eu_\w+", "<link_id>", path)
        conforms(frozen, f"GET {route}", answer.get_json())
    conforms(
        frozen, "PATCH /v1/links/<link_id>", client.patch(f"/v1/links/{link['id']}", json={}, headers=headers).json
    )
    ended = client.post(f"/v1/links/{link['id']}/deactivate", headers=headers)
    conforms(frozen, "POST /v1/links/<link_id>/deactivate", ended.get_json())
    key = client.post("/v1/keys", json={"kind": "secret"}, headers=headers).get_json()
    conforms(frozen, "POST /v1/keys", key)
    assert key["api_version"] == LATEST, "a new key speaks the newest version"


def test_the_first_version_to_the_letter(client: FlaskClient, region_database: RegionDatabase) -> None:
    own = {"Authorization": f"Bearer {region_database.add_merchant()[1]}", HEADER: FIRST}
    link = client.post("/v1/links", json=LINK, headers=own).get_json()
    told = re.sub(r"/l/\w{22}", "/l/CODE", json.dumps(link))
    assert {
        name: value for name, value in json.loads(told).items() if name not in {"id", "created_at"}
    } == YESTERDAYS_LINK


def test_a_request_may_ask_for_another_version(client: FlaskClient, region_database: RegionDatabase) -> None:
    own = {"Authorization": f"Bearer {region_database.add_merchant()[1]}"}
    link = client.post("/v1/links", json=LINK, headers=own).get_json()
    assert "channel_urls" not in link
    older = client.get(f"/v1/links/{link['id']}", headers=own | {HEADER: FIRST})
    assert older.headers[HEADER] == FIRST
    assert older.get_json()["channel_urls"] == {each["channel"]: each["url"] for each in link["channels"]}
    (listed,) = client.get("/v1/links", headers=own | {HEADER: "2026-11-22"}).get_json()["data"]
    assert listed == older.get_json(), "a day between two versions means the earlier"
    assert client.get("/v1/links", headers=own | {HEADER: "2999-01-01"}).headers[HEADER] == LATEST
    for wrong in ("2026-10-31", "latest", "2026-11-1", "2026-11-01, 2026-11-23"):
        answer = client.get("/v1/links", headers=own | {HEADER: wrong})
        assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed_request"), wrong


def test_a_repetition_is_answered_with_the_same_bytes(client: FlaskClient, region_database: RegionDatabase) -> None:
    own = {"Authorization": f"Bearer {region_database.add_merchant()[1]}", "Idempotency-Key": new_id("request", "eu")}
    first = client.post("/v1/links", json=LINK, headers=own | {HEADER: FIRST})
    again = client.post("/v1/links", json=LINK, headers=own)
    assert (again.headers["Idempotency-Replayed"], again.data) == ("true", first.data)


def test_no_field_goes_without_a_step(region_app: Flask) -> None:
    """Whatever a frozen version tells is told today, or a later change says for which kind of object it is not."""
    document = region_app.test_client().get("/openapi.json").get_json()
    today = document["components"]["schemas"]
    for version, frozen in FROZEN.items():
        changed = {name for change in CHANGES if change.version > version for name in change.objects}
        for name, schema in frozen["schemas"].items():
            kind = schema.get("properties", {}).get("object", {}).get("const")
            assert name in today or kind in changed, (
                f"{name} of {version} is gone: add a Change to web/http/versions.py"
            )
            gone = set(schema.get("properties", {})) - set(today[name].get("properties", {}))
            assert not gone or kind in changed, f"{name} lost {gone}: add a Change to web/http/versions.py"


def test_changes_are_dated_told_and_pure(region_app: Flask) -> None:
    assert list(VERSIONS) == sorted(set(VERSIONS))
    document = region_app.test_client().get("/openapi.json").get_json()
    assert [each["version"] for each in document["x-changelog"]] == list(VERSIONS[1:])
    assert document["info"]["version"] == LATEST
    page = region_app.test_client().get("/docs/changelog").text
    assert all(f'id="{version}"' in page for version in VERSIONS)
    link = {"object": "link", "channels": [{"channel": "qr", "url": "u", "qr_url": "q"}]}
    assert as_of(FIRST, link) == {"object": "link", "channel_urls": {"qr": "u"}}
    assert "channels" in link
    assert as_of(LATEST, link) is link
    assert (chosen(None, None), chosen(None, LATEST), chosen(FIRST, LATEST)) == (FIRST, LATEST, FIRST)
    with pytest.raises(MalformedRequestError):
        chosen("2020-01-01", None)
