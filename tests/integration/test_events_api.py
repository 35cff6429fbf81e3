"""Events as their merchant reads them."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from regions.event_erasure import PersonalFields, personal_fields
from regions.ids import new_id, parse_id
from tests.support.api import problem
from tests.support.regional import RegionDatabase

BODY: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}


@pytest.fixture
def own(region_database: RegionDatabase) -> dict[str, str]:
    return {"Authorization": f"Bearer {region_database.add_merchant()[1]}"}


def ids(client: FlaskClient, own: dict[str, str], query: str = "") -> list[str]:
    answer = client.get(f"/v1/events?{query}", headers=own)
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.get_json()["data"]]


def test_what_happened_is_told_newest_first(client: FlaskClient, own: dict[str, str]) -> None:
    link = client.post("/v1/links", json=BODY, headers=own).get_json()["id"]
    ended = client.post(f"/v1/links/{link}/deactivate", headers=own)
    found = client.get("/v1/events", headers=own).get_json()
    assert [event["type"] for event in found["data"]] == ["link.deactivated", "link.created"]
    newest, oldest = found["data"]
    assert (newest["object_id"], newest["sequence"], oldest["sequence"]) == (link, 2, 1)
    assert newest["request_id"] == ended.headers["Request-Id"]
    assert oldest["data"]["reference"] == "INV-1"
    assert client.get(f"/v1/events/{newest['id']}", headers=own).get_json() == newest
    assert str(parse_id(newest["id"]).uuid) == newest["uuid"]


def test_filters_and_cursors(client: FlaskClient, own: dict[str, str], region_database: RegionDatabase) -> None:
    links = [client.post("/v1/links", json=BODY, headers=own).get_json()["id"] for _ in range(5)]
    client.post(f"/v1/links/{links[0]}/deactivate", headers=own)
    every = ids(client, own)
    assert len(every) == 6
    assert ids(client, own, "type=link.deactivated") == every[:1]
    assert ids(client, own, f"object_id={links[0]}") == [every[0], every[-1]]
    walked: list[str] = []
    while page := ids(client, own, f"limit=2{f'&starting_after={walked[-1]}' if walked else ''}"):
        walked += page
    assert walked == every
    assert ids(client, own, f"limit=2&ending_before={every[4]}") == every[2:4]
    moment = client.get(f"/v1/events/{every[2]}", headers=own).get_json()["created_at"]
    assert ids(client, own, f"created_from={moment}") == every[:3]
    assert ids(client, own, f"created_before={moment}") == every[3:]
    for cursor in ("evt_eu_x", new_id("event", "eu"), links[0]):
        answer = client.get(f"/v1/events?starting_after={cursor}", headers=own)
        assert problem(answer, 422, "invalid_fields")["errors"][0]["pointer"] == "?starting_after"


def test_what_is_personal_or_ours_is_not_told(
    client: FlaskClient, own: dict[str, str], region_database: RegionDatabase
) -> None:
    """What webhooks withhold is withheld; what is sealed, and fields that a contract calls pii, stay where they are."""
    link = client.post("/v1/links", json=BODY, headers=own).get_json()["id"]
    with region_database.connect("postgres") as connection:
        for type_ in ("risk.assessed", "payment.succeeded"):
            connection.execute(
                """INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version,
                                       data, pii)
                   SELECT uuidv7(), %s, 'payments', %s, 1, merchant_id, livemode, time, 1,
                          '{"decision": "allow", "email_token": "etok_1"}', '{"ciphertext": "c2VhbGVk"}'
                     FROM outbox WHERE subject = %s AND sequence = 1""",
                [type_, new_id("payment", "eu"), link],
            )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(personal_fields(), "payment.succeeded", PersonalFields(frozenset({"email_token"}), frozenset()))
        told = client.get("/v1/events", headers=own).get_json()["data"]
    assert [event["type"] for event in told] == ["payment.succeeded", "link.created"]
    assert told[0]["data"] == {"decision": "allow"}
    assert "c2VhbGVk" not in json.dumps(told)
    assert ids(client, own, "type=risk.assessed") == []


def test_another_merchants_event_is_not_there(client: FlaskClient, own: dict[str, str], key: dict[str, str]) -> None:
    client.post("/v1/links", json=BODY, headers=own)
    (event_id,) = ids(client, own)
    problem(client.get(f"/v1/events/{event_id}", headers=key), 404, "not_found")
    assert event_id not in ids(client, key, "limit=100")
    problem(client.get(f"/v1/events/{event_id.replace('_eu_', '_us_')}", headers=own), 421, "wrong_region")
