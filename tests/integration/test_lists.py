"""Filters, cursors and limits of lists."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.regional import RegionDatabase

BODY: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}


@pytest.fixture
def key(region_database: RegionDatabase) -> dict[str, str]:
    """The key of a merchant without links."""
    _, secret = region_database.add_merchant()
    return {"Authorization": f"Bearer {secret}"}


def listed(client: FlaskClient, key: dict[str, str], query: str) -> list[str]:
    answer = client.get(f"/v1/links?{query}", headers=key)
    assert answer.status_code == 200, answer.text
    return [link["id"] for link in answer.get_json()["data"]]


def test_each_filter_keeps_what_it_says(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase
) -> None:
    def make(**fields: Any) -> str:
        return str(client.post("/v1/links", json=BODY | fields, headers=key).get_json()["id"])

    plain, other = make(), make(reference="INV-2", campaign="spring", metadata={"order": "17", "vip": ""})
    ended, timed = make(metadata={"order": "18"}), make(reference="INV-2")
    client.post(f"/v1/links/{ended}/deactivate", headers=key)
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE links SET expires_at = now() WHERE id = %s", [timed])
        connection.execute("UPDATE links SET created_at = created_at - interval '1 day' WHERE id = %s", [plain])
    assert listed(client, key, "status=active") == [other, plain]
    assert listed(client, key, "status=expired") == [timed]
    assert listed(client, key, "status=deactivated") == [ended]
    assert listed(client, key, "status=completed") == []
    assert listed(client, key, "reference=INV-2") == [timed, other]
    assert listed(client, key, "campaign=spring&reference=INV-2") == [other]
    assert listed(client, key, "metadata_key=order") == [ended, other]
    assert listed(client, key, "metadata_key=vip") == [other]
    assert listed(client, key, "metadata_key=order&metadata_value=17") == [other]
    noon = (datetime.now(UTC) - timedelta(hours=12)).isoformat().replace("+00:00", "Z")
    assert listed(client, key, f"created_before={noon}") == [plain]
    assert listed(client, key, f"created_from={noon}") == [timed, ended, other]


def test_walking_either_way_meets_every_link_once_while_links_are_added(
    client: FlaskClient, key: dict[str, str]
) -> None:
    made = [client.post("/v1/links", json=BODY, headers=key).get_json()["id"] for _ in range(7)]
    down: list[str] = []
    while page := listed(client, key, f"limit=3{f'&starting_after={down[-1]}' if down else ''}"):
        down += page
        client.post("/v1/links", json=BODY, headers=key)
    assert down == made[::-1]
    up: list[str] = [made[0]]
    for _ in itertools.count():
        page = listed(client, key, f"limit=3&ending_before={up[-1]}")
        if made[-1] in page or not page:
            break
        up += page[::-1]
    assert up + [each for each in page[::-1] if each in made] == made


@pytest.mark.parametrize("path", ["links", "payments", "refunds"])
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "starting_after=plink_eu_x",
        "ending_before=",
        "starting_after=a&ending_before=b",
        "created_from=yesterday",
        "created_from=1900000000",
        "created_before=2026-01-01T00:00:00",
        "status=odd",
        "order=asc",
    ],
)
def test_what_a_list_does_not_take_is_named(client: FlaskClient, key: dict[str, str], path: str, query: str) -> None:
    answer = client.get(f"/v1/{path}?{query}", headers=key)
    assert answer.status_code == 422, answer.text
    pointers = [error["pointer"] for error in answer.get_json()["errors"]]
    assert pointers == ["?"] if "&" in query else pointers == ["?" + query.partition("=")[0]]


def test_a_foreign_cursor_names_nothing(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase
) -> None:
    link_id = client.post("/v1/links", json=BODY, headers=key).get_json()["id"]
    other = {"Authorization": f"Bearer {region_database.secret_key}"}
    for name in ("starting_after", "ending_before"):
        assert client.get(f"/v1/links?{name}={link_id}", headers=key).status_code == 200
        assert client.get(f"/v1/links?{name}={link_id}", headers=other).status_code == 422


def test_a_body_may_be_sixteen_levels_deep_and_no_deeper(client: FlaskClient, key: dict[str, str]) -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = "{[{[{[{[{[{[{[{[{[{["  # brackets in a string are text
        for _ in range(levels - 1):
            value = [value]
        return BODY | {"description": value}

    deep = client.post("/v1/links", json=nested(17), headers=key)
    assert (deep.status_code, deep.get_json()["code"]) == (400, "malformed_request")
    assert "16 levels" in deep.get_json()["detail"]
    shallow = client.post("/v1/links", json=nested(16), headers=key)
    assert (shallow.status_code, shallow.get_json()["errors"][0]["pointer"]) == (422, "/description")
