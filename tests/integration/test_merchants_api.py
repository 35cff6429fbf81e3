"""Sub-accounts, branding, and what the region is."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from regions.region import load_region
from tests.support.api import problem
from tests.support.regional import RegionDatabase

LINK: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def own(region_database: RegionDatabase) -> dict[str, str]:
    return bearer(region_database.add_merchant("Parent AG")[1])


def made(client: FlaskClient, own: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/merchants", json={"name": "Nordlicht AB", "country": "SE"} | fields, headers=own)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def test_a_sub_account_is_a_merchant_of_its_own(
    client: FlaskClient, own: dict[str, str], key: dict[str, str], region_database: RegionDatabase
) -> None:
    sub = made(client, own, settlement_currency="SEK")
    assert (sub["name"], sub["country"], sub["settlement_currency"]) == ("Nordlicht AB", "SE", "SEK")
    assert client.get(f"/v1/merchants/{sub['id']}", headers=own).get_json() == sub
    assert client.get(f"/v1/merchants/{sub['parent_id']}", headers=own).get_json()["name"] == "Parent AG"
    assert client.get("/v1/merchants", headers=own).get_json()["data"] == [sub]
    assert client.get("/v1/merchants", headers=key).get_json()["data"] == []
    problem(client.get(f"/v1/merchants/{sub['id']}", headers=key), 404, "not_found")
    body = {"kind": "secret", "name": "shop"}
    secret = client.post(f"/v1/merchants/{sub['id']}/keys", json=body, headers=own).get_json()["secret"]
    link = client.post("/v1/links", json=LINK, headers=bearer(secret)).get_json()["id"]
    problem(client.get(f"/v1/links/{link}", headers=own), 404, "not_found")
    assert client.get("/v1/keys", headers=own).get_json()["data"][0]["name"] != "shop"
    with region_database.connect("postgres") as connection:
        event = connection.execute(
            "SELECT merchant_id, type, sequence FROM outbox WHERE subject = %s", [sub["id"]]
        ).fetchall()
        actors = connection.execute(
            "SELECT DISTINCT actor LIKE 'key_eu_%%' FROM audit_entries WHERE %s = ANY(object_ids)", [sub["id"]]
        ).fetchall()
    assert event == [(sub["id"], "merchant.created", 1)]
    assert actors == [(True,)]
    nobody = client.post(f"/v1/merchants/{sub['parent_id']}/keys", json=body, headers=own)
    problem(nobody, 404, "not_found")
    problem(client.post("/v1/merchants", json={"name": "X", "country": "SE"}, headers=bearer(secret)), 409, "conflict")


def test_a_currency_that_the_region_lacks_is_refused(client: FlaskClient, own: dict[str, str]) -> None:
    body = {"name": "X", "country": "SE", "settlement_currency": "USD"}
    problem(client.post("/v1/merchants", json=body, headers=own), 422, "invalid_terms")


def test_branding_shows_on_pages_where_a_link_says_nothing_else(client: FlaskClient, own: dict[str, str]) -> None:
    assert client.get("/v1/branding", headers=own).get_json()["has_logo"] is False
    body = {"colour": "#0f766e", "font": "serif", "tone": "formal", "footer": "Parent AG, Berlin", "display_name": "P"}
    logo = {"logo_png": base64.b64encode(PNG).decode()}
    answer = client.patch("/v1/branding", json=body | logo, headers=own)
    assert answer.get_json() == body | {"object": "branding", "has_logo": True}
    plain, marked = (
        client.post("/v1/links", json=LINK | more, headers=own).get_json()["url"].rpartition("/l/")[2]
        for more in ({}, {"branding": {"colour": "#1d4ed8", "display_name": "Q"}})
    )
    page, other = client.get(f"/l/{plain}").text, client.get(f"/l/{marked}").text
    assert "/brand/0f766e-serif.css" in page
    assert "Parent AG, Berlin" in page
    assert "/brand/1d4ed8-serif.css" in other
    assert f'src="/l/{plain}/logo.png" alt="P"' in page
    shown = client.get(f"/l/{plain}/logo.png")
    assert (shown.data, shown.mimetype) == (PNG, "image/png")
    cleared = client.patch("/v1/branding", json={"colour": None, "logo_png": None}, headers=own).get_json()
    assert (cleared["colour"], cleared["font"], cleared["has_logo"]) == (None, "serif", False)
    assert client.get(f"/l/{plain}/logo.png").status_code == 404


@pytest.mark.parametrize("logo", ["", "nonsense", base64.b64encode(b"<svg onload=x>").decode()])
def test_a_logo_that_is_none_is_refused(client: FlaskClient, own: dict[str, str], logo: str) -> None:
    problem(client.patch("/v1/branding", json={"logo_png": logo}, headers=own), 422, "invalid_terms")


def test_what_the_region_is(client: FlaskClient, own: dict[str, str]) -> None:
    eu = load_region("eu")
    publishable = client.post("/v1/keys", json={"kind": "publishable"}, headers=own).get_json()["secret"]
    region = client.get("/v1/region", headers=bearer(publishable)).get_json()
    assert (region["code"], region["currencies"]) == ("eu", list(eu.currencies))
    assert region["other_regions"]["us"] == "https://us.meridian.test"
    methods = client.get("/v1/region/payment_methods", headers=bearer(publishable)).get_json()["data"]
    assert [method["name"] for method in methods] == [method.name for method in eu.payment_methods]
