"""API keys in the console: made and shown once, rolled, revoked; by the service, for owners and developers alone."""

import html
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from regions.ids import new_id
from tests.integration.console.test_console_pages import text_of
from tests.support.console import BASE, Browser, House, commanding
from web.http.scopes import GRANTABLE

SECRET = re.compile(r"\b[mrp]k_test_eu_[0-9A-Za-z]{43}\b")
RESTRICTED = {"kind": "restricted", "name": "ERP <export>", "networks": "127.0.0.0/8, 2001:db8::/32"}


@pytest.fixture
def shop(house: House, region_app: Flask) -> Iterator[str]:
    """A merchant of its own, with the key that it was provisioned with."""
    with commanding(house, region_app):
        yield house.database.add_merchant("Shop Ltd")[0]


def hidden(browser: Browser, page: str, action: str) -> dict[str, str]:
    """What a page's form carries without showing it."""
    form = browser.client.get(page, base_url=BASE).text.split(f'action="{action}">')[1].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


def post(browser: Browser, page: str, action: str, **said: Any) -> Any:
    """Send the page's form, with what is said."""
    return browser.client.post(action, data=hidden(browser, page, action) | said, base_url=BASE)


def make(browser: Browser, **said: Any) -> tuple[str, str]:
    """Make a test key; its id and the key itself."""
    answer = post(browser, "/keys/new?mode=test", "/keys/new", **said)
    assert answer.status_code == 200, text_of(answer.text)
    return re.findall(r'/keys/(key_eu_\w+)">I have it', answer.text)[0], SECRET.findall(answer.text)[0]


def opens(app: Flask, secret: str, path: str = "/v1/links") -> int:
    return app.test_client().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_key_is_made_shown_once_rolled_and_revoked(
    house: House, shop: str, region_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = house.signed_in("developer", shop)
    key_id, secret = make(browser, **RESTRICTED, scope=["links:write", "payments:read"], last_day="2100-12-31")
    assert (opens(region_app, secret), opens(region_app, secret, "/v1/refunds")) == (200, 403)
    listed = browser.get("/keys", mode="test").text
    assert "ERP &lt;export&gt;" in listed
    assert "links:write, payments:read 127.0.0.0/8, 2001:db8::/32 test" in text_of(listed)
    page = browser.get(f"/keys/{key_id}").text
    assert "Expires 1 Jan 2101, 00:00" in text_of(page)
    rolled = post(browser, f"/keys/{key_id}", f"/keys/{key_id}/roll", overlap="0")
    [new_secret] = SECRET.findall(rolled.text)
    [new_key] = set(re.findall(r"/keys/(key_eu_\w+)", rolled.text)) - {key_id}
    assert (opens(region_app, secret), opens(region_app, new_secret)) == (401, 200)
    assert new_key in browser.get(f"/keys/{key_id}").text
    unsure = post(browser, f"/keys/{new_key}", f"/keys/{new_key}/revoke")
    assert (unsure.status_code, opens(region_app, new_secret)) == (409, 200)
    sure = post(browser, f"/keys/{new_key}", f"/keys/{new_key}/revoke", confirm="yes")
    assert (sure.status_code, opens(region_app, new_secret)) == (303, 401)
    ended = browser.get(f"/keys/{new_key}").text
    assert "State revoked" in text_of(ended)
    assert "Roll the key" not in ended
    again = browser.get("/keys", mode="test").text
    said = str([record.__dict__ for record in caplog.records])
    for one in (secret, new_secret):
        assert not any(one in text for text in (listed, page, ended, again, said))


def test_the_page_that_was_loaded_again_makes_no_second_key_and_shows_none(house: House, shop: str) -> None:
    browser = house.signed_in("owner", shop)
    said = hidden(browser, "/keys/new?mode=test", "/keys/new") | {"kind": "secret", "name": "once"}
    first, second = (browser.post("/keys/new", **said) for _ in range(2))
    assert (len(set(SECRET.findall(first.text))), SECRET.findall(second.text)) == (1, [])
    assert "nobody can show the key a second time" in second.text
    assert browser.get("/keys", mode="test").text.count(">once<") == 1
    changed = browser.post("/keys/new", **(said | {"name": "another"}))
    assert (changed.status_code, said["key"] in changed.text) == (422, False)


def test_the_audit_log_names_the_person_and_holds_no_secret(house: House, shop: str) -> None:
    browser = house.signed_in("developer", shop)
    key_id, secret = make(browser, kind="publishable", name="audited")
    with house.admin() as admin:
        found = admin.execute(
            "SELECT actor, audit_entries::text FROM audit_entries WHERE audit_entries::text LIKE %s", [f"%{key_id}%"]
        ).fetchall()
        stored = admin.execute("SELECT idempotency_keys::text FROM idempotency_keys").fetchall()
    assert [actor.startswith("user_eu_") for actor, _ in found] == [True]
    assert secret not in str(found) + str(stored)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"kind": "restricted"}, "A restricted key needs at least one scope"),
        ({"kind": "secret", "scope": ["links:read"]}, "Goes with kind restricted"),
        ({"kind": "restricted", "scope": ["keys:write"]}, "keys:write cannot be given"),
        ({"kind": "secret", "networks": "10.0.0.1/8"}, "'10.0.0.1/8' is no network"),
        ({"kind": "secret", "last_day": "2001-01-01"}, "Must lie in the future"),
        ({"kind": "secret", "last_day": "9999-12-31"}, "This is no day"),
        ({"kind": "secret", "name": "\x00"}, "control characters"),
        ({"kind": "golden"}, "Input should be"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(
    house: House, shop: str, said: dict[str, Any], told: str
) -> None:
    answer = post(house.signed_in("owner", shop), "/keys/new?mode=test", "/keys/new", **({"name": "kept"} | said))
    assert answer.status_code == 422
    assert told in html.unescape(answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert ('value="kept"' in answer.text) == ("name" not in said)
    assert all(f'value="{scope}"' in answer.text for scope in GRANTABLE)


def test_only_owners_and_developers_and_only_our_forms(house: House, shop: str, region_app: Flask) -> None:
    key_id, secret = make(house.signed_in("owner", shop), kind="secret")
    paths = ("/keys/new", f"/keys/{key_id}/roll", f"/keys/{key_id}/revoke")
    for role in ("finance", "support"):
        browser = house.signed_in(role, shop)
        refused = browser.get("/keys")
        assert (refused.status_code, "not for your role" in refused.text) == (403, True)
        assert all(browser.post(path).status_code == 403 for path in paths)
        assert "/keys" not in browser.get("/overview").text
    browser = house.signed_in("developer", shop)
    assert [browser.post(path, csrf="0" * 64, confirm="yes").status_code for path in paths] == [400] * 3
    other = house.signed_in("owner", house.database.merchant_id)
    csrf = hidden(other, "/keys/new", "/keys/new")["csrf"]
    assert other.get(f"/keys/{key_id}").status_code == 404
    assert [other.post(path, csrf=csrf, confirm="yes", overlap="0").status_code for path in paths[1:]] == [404] * 2
    assert key_id not in other.get("/keys", mode="test").text
    assert opens(region_app, secret) == 200


def test_people_of_the_platform_say_whose_key_it_is(house: House, shop: str, region_app: Flask) -> None:
    browser = house.signed_in("owner")
    assert f'<option value="{shop}">Shop Ltd' in browser.get("/keys/new", mode="test").text
    _, secret = make(browser, kind="secret", merchant=shop)
    assert opens(region_app, secret) == 200
    for merchant in ("", "x\x00", new_id("merchant", "eu")):
        refused = post(browser, "/keys/new?mode=test", "/keys/new", kind="secret", merchant=merchant)
        assert (refused.status_code, "There is no such merchant" in refused.text) == (422, True)


def test_the_service_believes_no_console_about_who_may(house: House, shop: str, region_app: Flask) -> None:
    headers = {"Authorization": f"Bearer {house.database.env['SERVICE_KEY_EU']}", "Idempotency-Key": "k"}
    client, body = region_app.test_client(), {"merchant_id": shop, "livemode": False, "kind": "secret"}

    def refused(actor: str) -> int:
        return client.post("/internal/v1/keys", json=body | {"actor": actor}, headers=headers).status_code

    assert refused("user_eu_nobody") == 403
    for role, merchant in (("finance", shop), ("support", shop), ("owner", house.database.merchant_id)):
        email = house.add_user(role, merchant)
        with house.admin() as admin:
            [found] = admin.execute("SELECT id FROM console_users WHERE email = %s", [email]).fetchall()
        assert refused(found[0]) == 403
    headers["Authorization"] = f"Bearer {house.database.secret_key}"
    assert refused(found[0]) == 401


def test_a_script_runs_where_the_key_is_and_nowhere_else(house: House, shop: str) -> None:
    browser = house.signed_in("owner", shop)
    answer = post(browser, "/keys/new?mode=test", "/keys/new", kind="secret")
    policy = answer.headers["Content-Security-Policy"]
    assert ("script-src 'self';" in policy, "unsafe" in policy) == (True, False)
    assert answer.headers["Cache-Control"] == "no-store"
    assert browser.get("/static/copy.js").status_code == 200
    for page in ("/keys", "/keys/new"):
        found = browser.get(page)
        assert "script" not in found.headers["Content-Security-Policy"] + found.text


def test_without_a_way_to_the_service_the_form_says_so(house: House, shop: str) -> None:
    house.app.extensions["meridian-console"] = replace(house.app.extensions["meridian-console"], commands=None)
    browser = house.signed_in("owner", shop)
    answer = post(browser, "/keys/new?mode=test", "/keys/new", kind="secret")
    assert (answer.status_code, "can only read" in answer.text) == (422, True)


def test_keys_come_in_pages_and_modes(house: House, shop: str) -> None:
    with house.admin() as admin:
        admin.execute(
            """INSERT INTO api_keys (id, merchant_id, livemode, hash, prefix, created_at, kind, name)
               SELECT 'key_eu_' || lpad(n::text, 26, '0'), %s, n <= 51, sha256(n::text::bytea), 'mk_live_eu_AbCd',
                      now() - n * interval '1 minute', 'secret', 'N-' || n FROM generate_series(1, 52) AS n""",
            [shop],
        )
    browser = house.signed_in("developer", shop)
    first = browser.get("/keys", mode="live").text
    older = html.unescape(re.findall(r'href="([^"]+)">Older keys', first)[0])
    second = browser.client.get(older, base_url=BASE).text
    assert [len(re.findall(r">N-\d+<", page)) for page in (first, second)] == [50, 1]
    assert ">N-52<" in browser.get("/keys", mode="test").text
    assert browser.get("/keys", mode="live", after="\x00").status_code == 404
