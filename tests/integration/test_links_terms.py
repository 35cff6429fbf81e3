"""Links beyond a fixed price: what comes back, what does not go together, what changes, ends and comes again."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from regions.events import validate_data
from regions.region import load_region
from regions.vault import open_vault
from tests.support.regional import RegionDatabase
from web.background import housekeeping
from web.db.engine import Database
from web.settings import Settings
from web.wiring import Wiring

PARTNER = "merch_eu_06p0wz3q4hk53g6qyt8nwc2mse"
TERMS, FIELDS = "invalid_terms", "invalid_fields"
BODY: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}
ITEMS: dict[str, Any] = {
    "currency": "EUR",
    "reference": "INV-1",
    "line_items": [
        {
            "name": "Chair",
            "quantity": 2,
            "unit_amount_minor": 4500,
            "adjustable_quantity": {"min": 1, "max": 10},
            "tax": {"name": "VAT", "rate_percent": "19", "is_inclusive": True},
            "discount": {"percent": "10"},
        },
        {
            "name": "Delivery",
            "quantity": 1,
            "unit_amount_minor": 1000,
            "tax": {"name": "VAT", "rate_percent": "19", "is_inclusive": False},
        },
    ],
    "currency_options": [{"currency": "SEK", "unit_amounts_minor": [51000, 11000]}],
}
CHOSEN: dict[str, Any] = {
    "currency": "EUR",
    "reference": "GIFT",
    "usage": "multi",
    "customer_amount": {"min_minor": 500, "max_minor": 50000, "preset_minor": 2000},
}
EVERYTHING: dict[str, Any] = BODY | {
    "usage": "limited",
    "max_payments": 10,
    "currency_options": [{"currency": "SEK", "amount_minor": 22900}],
    "custom_fields": [
        {"key": "size", "label": "Size", "type": "dropdown", "is_required": True, "options": ["S", "M"]},
        {"key": "note", "label": "Note", "type": "text", "is_required": False},
    ],
    "collect": ["name", "phone", "address"],
    "locale": "de-DE",
    "payment_methods": ["card"],
    "branding": {"colour": "#0f766e", "font": "serif", "display_name": "Ada's", "footer": "Ada GmbH, Berlin"},
    "after_completion": {"type": "redirect", "url": "https://shop.example/thanks?p={PAYMENT_ID}"},
    "attribution": {"source": "newsletter", "medium": "email", "term": "oak", "content": "b"},
    "capture_method": "manual",
    "statement_descriptor": "ADAS CHAIRS",
    "splits": [{"merchant_id": PARTNER, "percent": "12.5"}],
}


@pytest.fixture
def client(region_app: Flask) -> FlaskClient:
    return region_app.test_client()


@pytest.fixture
def key(region_database: RegionDatabase) -> dict[str, str]:
    return {"Authorization": f"Bearer {region_database.secret_key}"}


@pytest.fixture
def worker(region_database: RegionDatabase) -> Wiring:
    region = load_region("eu")
    settings = Settings.from_environment(region, region_database.env_for("worker"))
    database = Database(settings.database_url, application_name="tests", pool_size=1)
    yield Wiring(region, settings, database, open_vault(settings.vault_uri), {})
    database.dispose()


def events(database: RegionDatabase, link_id: str) -> list[tuple[str, dict[str, Any]]]:
    with database.connect("postgres") as connection:
        query = "SELECT type, data FROM outbox WHERE subject = %s ORDER BY sequence"
        found = connection.execute(query, [link_id]).fetchall()
    for name, data in found:
        validate_data(name, data)
    return found


def present(value: Any) -> Any:
    """Without what is null, at every depth."""
    if isinstance(value, dict):
        return {name: present(each) for name, each in value.items() if each is not None}
    return [present(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("body", [ITEMS, CHOSEN, EVERYTHING], ids=["line items", "customer amount", "everything"])
def test_what_was_sent_comes_back(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase, body: dict[str, Any]
) -> None:
    answer = client.post("/v1/links", json=body, headers=key)
    assert answer.status_code == 201, answer.text
    link = answer.get_json()
    shown = present(link)
    assert {name: shown[name] for name in body} == body
    assert client.get(f"/v1/links/{link['id']}", headers=key).get_json() == link
    [(_, data)] = events(region_database, link["id"])
    assert "Chair" not in str(data)
    assert "Berlin" not in str(data)


def test_line_items_come_to_what_they_say(client: FlaskClient, key: dict[str, str]) -> None:
    link = client.post("/v1/links", json=ITEMS, headers=key).get_json()
    # twice 45.00 less 10 % with the tax in it, and 10.00 with 19 % on top
    assert link["amount_minor"] == 8100 + 1190


def changed(body: dict[str, Any], *path: Any, to: Any = ...) -> dict[str, Any]:
    copied = copy.deepcopy(body)
    place = copied
    for step in path[:-1]:
        place = place[step]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return copied


OPTION = ("currency_options", 0)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (BODY | {"customer_amount": CHOSEN["customer_amount"]}, "/customer_amount", TERMS),
        (changed(CHOSEN, "customer_amount", "max_minor", to=499), "/customer_amount/max_minor", TERMS),
        (changed(CHOSEN, "customer_amount", "preset_minor", to=1), "/customer_amount/preset_minor", TERMS),
        (changed(ITEMS, "line_items", 0, "quantity", to=11), "/line_items/0/quantity", TERMS),
        (changed(ITEMS, "line_items", 0, "discount", to={}), "/line_items/0/discount", TERMS),
        (changed(ITEMS, "line_items", 0, "tax", "rate_percent", to="101"), "/line_items/0/tax/rate_percent", FIELDS),
        (changed(ITEMS, *OPTION, "unit_amounts_minor", to=[1]), "/currency_options/0/unit_amounts_minor", TERMS),
        (changed(ITEMS, "currency_options", 0, "currency", to="EUR"), "/currency_options/0/currency", TERMS),
        (changed(ITEMS, "currency_options", 0, "currency", to="JPY"), "/currency_options/0/currency", FIELDS),
        (changed(EVERYTHING, "currency_options", 0, "amount_minor"), "/currency_options/0", TERMS),
        (changed(EVERYTHING, "max_payments"), "/max_payments", TERMS),
        (BODY | {"max_payments": 2}, "/max_payments", TERMS),
        (BODY | {"expires_at": "2027-01-01T00:00:00Z", "expires_in": 60}, "/expires_in", TERMS),
        (changed(EVERYTHING, "custom_fields", 1, "key", to="size"), "/custom_fields/1/key", TERMS),
        (changed(EVERYTHING, "custom_fields", 0, "options"), "/custom_fields/0/options", TERMS),
        (changed(EVERYTHING, "custom_fields", 1, "options", to=["a"]), "/custom_fields/1/options", TERMS),
        (changed(EVERYTHING, "custom_fields", to=[EVERYTHING["custom_fields"][1]] * 11), "/custom_fields", FIELDS),
        (changed(EVERYTHING, "after_completion", "url"), "/after_completion/url", TERMS),
        (changed(EVERYTHING, "after_completion", "url", to="http://shop.example"), "/after_completion/url", FIELDS),
        (changed(EVERYTHING, "after_completion", "url", to="javascript:x"), "/after_completion/url", FIELDS),
        (changed(EVERYTHING, "branding", "colour", to="red"), "/branding/colour", FIELDS),
        (changed(EVERYTHING, "branding", "font", to="Comic Sans"), "/branding/font", FIELDS),
        (changed(EVERYTHING, "branding", "size", to=1), "/branding/size", FIELDS),
        (changed(EVERYTHING, "locale", to="tlh"), "/locale", FIELDS),
        (changed(EVERYTHING, "payment_methods", to=["cheque"]), "/payment_methods/0", FIELDS),
        (BODY | {"payment_methods": ["sepa_debit"], "currency": "SEK"}, "/payment_methods", TERMS),
        (BODY | {"payment_methods": ["sepa_debit"], "capture_method": "manual"}, "/payment_methods", TERMS),
        (changed(EVERYTHING, "splits", 0, "percent", to="100.5"), "/splits/0/percent", FIELDS),
        (changed(EVERYTHING, "splits", 0, "amount_minor", to=1), "/splits/0", TERMS),
        (changed(EVERYTHING, "splits", to=[{"merchant_id": PARTNER, "amount_minor": 2000}]), "/splits", TERMS),
        (CHOSEN | {"splits": [{"merchant_id": PARTNER, "amount_minor": 1}]}, "/splits", TERMS),
        (changed(EVERYTHING, "statement_descriptor", to="x"), "/statement_descriptor", FIELDS),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_named(
    client: FlaskClient, key: dict[str, str], body: dict[str, Any], pointer: str, code: str
) -> None:
    answer = client.post("/v1/links", json=body, headers=key)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code), answer.text
    assert pointer in [error["pointer"] for error in answer.get_json()["errors"]], answer.text


def test_expires_in_counts_from_now(client: FlaskClient, key: dict[str, str]) -> None:
    link = client.post("/v1/links", json=BODY | {"expires_in": 3600}, headers=key).get_json()
    created, end = (datetime.fromisoformat(link[name]) for name in ("created_at", "expires_at"))
    assert end - created == timedelta(hours=1)


def test_an_update_changes_what_it_names(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase
) -> None:
    link = client.post("/v1/links", json=EVERYTHING, headers=key).get_json()
    path = f"/v1/links/{link['id']}"
    change = {"reference": "INV-2", "branding": None, "locale": "auto", "max_payments": 11, "metadata": {"a": "b"}}
    updated = client.patch(path, json=change, headers=key)
    assert updated.status_code == 200, updated.text
    assert updated.get_json() == link | change
    assert client.get(path, headers=key).get_json() == link | change
    assert client.patch(path, json=change, headers=key).get_json() == link | change
    told = events(region_database, link["id"])
    assert [name for name, _ in told] == ["link.created", "link.updated"], "what changes nothing is not told"
    assert told[1][1]["fields"] == sorted(change)
    for wrong in ({"amount_minor": 1}, {"usage": "multi"}, {"reference": None}, {"max_payments": None}):
        assert client.patch(path, json=wrong, headers=key).status_code == 422, wrong


def test_a_closed_link_opens_again(client: FlaskClient, key: dict[str, str], region_database: RegionDatabase) -> None:
    path = f"/v1/links/{client.post('/v1/links', json=BODY, headers=key).get_json()['id']}"
    assert client.post(f"{path}/deactivate", headers=key).get_json()["status"] == "deactivated"
    for _ in range(2):
        reopened = client.post(f"{path}/reactivate", headers=key).get_json()
        assert (reopened["status"], reopened["deactivated_at"]) == ("active", None)
    names = [name for name, _ in events(region_database, path.rpartition("/")[2])]
    assert names == ["link.created", "link.deactivated", "link.reactivated"]


def test_an_expired_link_is_told_once_and_comes_again(
    client: FlaskClient, key: dict[str, str], region_database: RegionDatabase, worker: Wiring
) -> None:
    link = client.post("/v1/links", json=EVERYTHING | {"expires_in": 60}, headers=key).get_json()
    path = f"/v1/links/{link['id']}"
    assert client.post(f"{path}/regenerate", headers=key).status_code == 409, "it can still be paid"
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE links SET expires_at = now() - interval '1 s' WHERE id = %s", [link["id"]])
    assert client.get(path, headers=key).get_json()["status"] == "expired", "on read, before any worker"
    for _ in range(2):
        while housekeeping.step_links(worker):
            pass
    assert [name for name, _ in events(region_database, link["id"])] == ["link.created", "link.expired"]
    assert client.post(f"{path}/reactivate", headers=key).status_code == 409
    headers = key | {"Idempotency-Key": f"regenerate-{link['id']}"}
    again = [client.post(f"{path}/regenerate", json={"expires_in": 600}, headers=headers) for _ in range(2)]
    assert again[0].status_code == 201, again[0].text
    assert again[0].get_json() == again[1].get_json()
    new = again[0].get_json()
    assert (new["regenerated_from"], new["status"]) == (link["id"], "active")
    assert new["url"] != link["url"]
    same = {"max_payments", "custom_fields", "branding", "splits", "amount_minor", "metadata", "after_completion"}
    assert {name: new[name] for name in same} == {name: link[name] for name in same}
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert client.patch(path, json={"expires_at": later}, headers=key).get_json()["status"] == "active"
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE links SET expires_at = now() - interval '1 s' WHERE id = %s", [link["id"]])
    while housekeeping.step_links(worker):
        pass
    assert [name for name, _ in events(region_database, link["id"])][-2:] == ["link.updated", "link.expired"]


def test_every_channel_has_its_address_and_code(client: FlaskClient, key: dict[str, str]) -> None:
    link = client.post("/v1/links", json=BODY, headers=key).get_json()
    channels = {each["channel"]: each for each in link["channels"]}
    assert set(channels) == {"email", "sms", "social", "qr", "in_app"}
    assert all(each["url"] == f"{link['url']}?channel={name}" for name, each in channels.items())
    assert channels["qr"]["qr_url"].endswith(f"/v1/links/{link['id']}/qr?channel=qr")
    svg = client.get(f"/v1/links/{link['id']}/qr", headers=key)
    assert (svg.status_code, svg.mimetype) == (200, "image/svg+xml")
    assert b"<svg" in svg.data
    png = client.get(f"/v1/links/{link['id']}/qr?format=png&channel=sms&scale=3", headers=key)
    assert (png.mimetype, png.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert png.data != client.get(f"/v1/links/{link['id']}/qr?format=png&scale=3", headers=key).data
    assert client.get(f"/v1/links/{link['id']}/qr?format=gif", headers=key).status_code == 422
