"""Signing in: nothing without it, nothing left of it, and no way around its limits."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask import Flask
from psycopg.errors import InsufficientPrivilege
from werkzeug.test import TestResponse

from tests.support.console import BASE, PASSWORD, House
from web.console.access import OPEN_ENDPOINTS, Audience, may_open
from web.console.accounts import domain
from web.console.accounts.models import Account, Role
from web.console.view import PAGES


def addresses(app: Flask) -> list[tuple[str, str, bool]]:
    """Every endpoint with an address of it, and whether it is read (or only posted to)."""
    return [
        (rule.endpoint, re.sub(r"<[^>]+>", "x", rule.rule), "GET" in (rule.methods or set()))
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
    ]


def test_every_route_but_the_door_asks_for_a_session(house: House) -> None:
    seen = 0
    for rule in house.app.url_map.iter_rules():
        if rule.endpoint in {"static", "healthz", "accounts.sign_in"}:
            continue
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            address = re.sub(r"<[^>]+>", "x", rule.rule)
            answer = house.app.test_client().open(address, method=method, base_url=BASE)
            assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in"), rule
            seen += 1
    assert seen >= 10
    assert {"static", "healthz", "accounts.sign_in"} == OPEN_ENDPOINTS


def test_an_address_that_does_not_exist_looks_the_same_from_outside(house: House) -> None:
    answer = house.browser().get("/finance/nothing")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert house.signed_in("owner").get("/nothing").status_code == 404


def test_an_invented_or_foreign_cookie_opens_nothing(house: House) -> None:
    browser = house.browser()
    browser.client.set_cookie("__Host-meridian-console-eu", domain.new_token(), domain="console.meridian.test")
    assert browser.get("/overview").status_code == 303


def test_the_right_password_opens_the_first_page(house: House) -> None:
    browser = house.browser()
    answer = browser.sign_in(house.add_user("owner"))
    assert answer.headers["Location"] == "/overview"
    [cookie] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("__Host-meridian-console-eu=")]
    assert all(flag in cookie for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Domain" not in cookie
    assert browser.get("/overview").status_code == 200


@pytest.mark.parametrize("wrong", ["password", "email", "disabled"])
def test_whoever_fails_is_not_told_why(house: House, wrong: str) -> None:
    email, password = house.add_user("owner"), PASSWORD
    if wrong == "password":
        password = PASSWORD + "!"
    elif wrong == "email":
        email = f"not-{email}"
    else:
        with house.admin() as admin:
            admin.execute("UPDATE console_users SET disabled_at = now() WHERE email = %s", [email])
    browser = house.browser()
    answer = browser.sign_in(email, password)
    assert answer.status_code == 401
    assert "The e-mail address, the password or the one-time code is wrong." in answer.text
    assert browser.cookie() is None


def test_an_unknown_user_costs_a_hash_as_well(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    argon2 = domain._is_argon2

    def counted(*arguments: str) -> bool:
        hashed.append("once")
        return argon2(*arguments)

    email = house.add_user("owner")
    house.browser().sign_in("warm-up@example.com")
    monkeypatch.setattr(domain, "_is_argon2", counted)
    for who in (email, "nobody@example.com"):
        hashed.clear()
        assert house.browser().sign_in(who, "wrong").status_code == 401
        assert hashed == ["once"]


def test_the_form_must_be_ours(house: House) -> None:
    email = house.add_user("owner")
    browser = house.browser()
    browser.get("/sign-in")
    assert browser.post("/sign-in", email=email, password=PASSWORD).status_code == 400
    foreign = house.browser().csrf()
    assert browser.post("/sign-in", csrf=foreign, email=email, password=PASSWORD).status_code == 400
    without_cookie = house.browser().post("/sign-in", csrf=foreign, email=email, password=PASSWORD)
    assert without_cookie.status_code == 400
    assert browser.cookie() is None


def test_signing_out_needs_our_form_and_ends_the_session_itself(house: House) -> None:
    browser = house.signed_in("owner")
    token = browser.cookie()
    assert token
    assert browser.post("/sign-out").status_code == 400
    assert browser.post("/sign-out", csrf=house.signed_in("owner").csrf("/overview")).status_code == 400
    assert browser.get("/overview").status_code == 200
    assert browser.post("/sign-out", csrf=browser.csrf("/overview")).status_code == 303
    browser.client.set_cookie("__Host-meridian-console-eu", token, domain="console.meridian.test", secure=True)
    assert browser.get("/overview").status_code == 303


def test_a_planted_session_does_not_become_somebody_elses(house: House) -> None:
    """Session fixation: the attacker's session is in the victim's browser when the victim signs in."""
    attacker = house.signed_in("support")
    planted = attacker.cookie()
    assert planted
    victim = house.browser()
    csrf = victim.csrf()
    victim.client.set_cookie("__Host-meridian-console-eu", planted, domain="console.meridian.test", secure=True)
    assert victim.post("/sign-in", csrf=csrf, email=house.add_user("owner"), password=PASSWORD).status_code == 303
    assert victim.cookie() != planted
    assert victim.get("/compliance").status_code == 200
    assert attacker.get("/overview").status_code == 303


def test_the_database_holds_neither_cookie_nor_password(house: House) -> None:
    browser = house.signed_in("owner")
    token = browser.cookie()
    assert token
    with house.admin() as admin:
        stored = str(admin.execute("SELECT console_sessions::text FROM console_sessions").fetchall())
        stored += str(admin.execute("SELECT console_users::text FROM console_users").fetchall())
        hashes = [row[0] for row in admin.execute("SELECT token_hash FROM console_sessions").fetchall()]
    assert token not in stored
    assert PASSWORD not in stored
    assert domain.token_hash(token) in hashes


@pytest.mark.parametrize(
    "aged", ["seen_at = now() - interval '31 minutes'", "expires_at = now() - interval '1 second'"]
)
def test_a_session_ends(house: House, aged: str) -> None:
    browser = house.signed_in("owner")
    token = browser.cookie()
    assert token
    with house.admin() as admin:
        admin.execute(f"UPDATE console_sessions SET {aged} WHERE token_hash = %s", [domain.token_hash(token)])
    assert browser.get("/overview").status_code == 303


def test_a_session_in_use_stays_open(house: House) -> None:
    browser = house.signed_in("owner")
    query = (
        "UPDATE console_sessions SET seen_at = now() - interval '25 minutes' WHERE token_hash = %s RETURNING seen_at"
    )
    with house.admin() as admin:
        before = admin.execute(query, [domain.token_hash(browser.cookie() or "")]).fetchone()
        assert browser.get("/overview").status_code == 200
        after = admin.execute(
            "SELECT seen_at FROM console_sessions WHERE token_hash = %s", [domain.token_hash(browser.cookie() or "")]
        ).fetchone()
    assert before
    assert after
    assert after[0] > before[0]


def fill_up(house: House, kind: str, key: bytes, count: int) -> None:
    with house.admin() as admin:
        admin.execute(
            """INSERT INTO console_sign_in_failures (kind, key_hash, at)
               SELECT %s, %s, now() FROM generate_series(1, %s)""",
            [kind, key, count],
        )


def key_of(house: House, kind: str, email: str, address: str = "127.0.0.1") -> bytes:
    settings = house.app.extensions["meridian-console"].settings
    return domain.failure_keys(settings.key, email, address)[kind]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_user_is_blocked_after_ten_failures_known_or_not(house: House, is_known: bool) -> None:  # noqa: FBT001
    email = house.add_user("owner") if is_known else "stranger@example.com"
    fill_up(house, "user", key_of(house, "user", email), 10)
    blocked = house.browser().sign_in(email)
    assert (blocked.status_code, blocked.headers["Retry-After"]) == (429, "900")
    with house.admin() as admin:
        admin.execute("UPDATE console_sign_in_failures SET at = now() - interval '16 minutes'")
    assert house.browser().sign_in(email).status_code == (303 if is_known else 401)


def test_an_address_is_blocked_after_thirty_failures(house: House) -> None:
    key = key_of(house, "address", "anybody@example.com")
    fill_up(house, "address", key, 30)
    try:
        assert house.browser().sign_in(house.add_user("owner")).status_code == 429
    finally:
        with house.admin() as admin:
            admin.execute("DELETE FROM console_sign_in_failures")
    assert house.browser().sign_in(house.add_user("owner")).status_code == 303


def test_an_invented_forwarding_header_is_no_other_address(house: House) -> None:
    email = house.add_user("owner")
    fill_up(house, "address", key_of(house, "address", email), 30)
    try:
        browser = house.browser()
        form = {"csrf": browser.csrf(), "email": email, "password": PASSWORD}
        headers = {"X-Forwarded-For": "192.0.2.99"}
        assert browser.client.post("/sign-in", data=form, headers=headers, base_url=BASE).status_code == 429
    finally:
        with house.admin() as admin:
            admin.execute("DELETE FROM console_sign_in_failures")


def test_being_blocked_does_not_last_longer_for_trying(house: House) -> None:
    email = house.add_user("owner")
    key = key_of(house, "user", email)
    fill_up(house, "user", key, 10)
    assert house.browser().sign_in(email).status_code == 429
    with house.admin() as admin:
        row = admin.execute("SELECT count(*) FROM console_sign_in_failures WHERE key_hash = %s", [key]).fetchone()
    assert row == (10,)


def test_many_at_once_do_not_pass_the_limit(house: House) -> None:
    email = house.add_user("owner")
    fill_up(house, "user", key_of(house, "user", email), 8)

    def guess(number: int) -> TestResponse:
        return house.browser().sign_in(email, f"guess number {number}")

    with ThreadPoolExecutor(6) as pool:
        codes = sorted(answer.status_code for answer in pool.map(guess, range(6)))
    assert codes.count(401) <= 2
    assert set(codes) <= {401, 429}


def test_success_takes_the_failures_back(house: House) -> None:
    email = house.add_user("owner")
    assert house.browser().sign_in(email, "wrong").status_code == 401
    assert house.browser().sign_in(email).status_code == 303
    with house.admin() as admin:
        row = admin.execute(
            "SELECT count(*) FROM console_sign_in_failures WHERE key_hash = %s", [key_of(house, "user", email)]
        ).fetchone()
    assert row == (0,)


def test_the_log_says_who_and_what_and_no_secret(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    email = house.add_user("finance")
    browser = house.browser()
    browser.sign_in(email, "a wrong password")
    browser.sign_in(email)
    browser.get("/compliance")
    lines = [record.__dict__ for record in caplog.records if record.name.startswith("web.console")]
    said = str(lines)
    assert {"console sign-in refused", "console sign-in"} <= {line["msg"] for line in lines}
    refused = next(line for line in lines if line.get("endpoint") == "compliance.overview")
    assert (refused["role"], refused["status"], refused["method"]) == ("finance", 403, "GET")
    assert refused["user_id"].startswith("user_eu_")
    for secret in (PASSWORD, "a wrong password", email, browser.cookie() or "?"):
        assert secret not in said


ROLES = [(role, merchant) for role in Role for merchant in (False, True) if not (merchant and role is Role.COMPLIANCE)]


@pytest.mark.parametrize(("role", "has_merchant"), ROLES)
def test_everybody_sees_their_pages_and_no_others(house: House, role: Role, has_merchant: bool) -> None:  # noqa: FBT001
    merchant_id = house.database.merchant_id if has_merchant else None
    browser, account = house.signed_in(role.value, merchant_id), Account("u", merchant_id, role, "e@example.com")
    assert browser.get("/").headers["Location"].startswith("/")
    opened = set()
    for endpoint, address, is_read in addresses(house.app):
        audience = endpoint.partition(".")[0]
        if audience not in {"merchant", "webhooks", "keys", "finance", "compliance"}:
            continue
        status = (browser.get(address) if is_read else browser.post(address)).status_code
        assert (status != 403) == may_open(account, Audience(audience)), (endpoint, status)
        opened |= {audience} if status == 200 else set()
    assert opened, "a role without a page"
    offered = {audience.value for _, _, audience in PAGES if may_open(account, audience)}
    assert opened == offered


@pytest.mark.parametrize(
    ("role", "has_merchant", "address"),
    [
        ("finance", False, "/compliance"),
        ("compliance", False, "/finance"),
        ("compliance", False, "/payments"),
        ("developer", False, "/finance"),
        ("support", False, "/compliance"),
        ("owner", True, "/finance"),
        ("owner", True, "/compliance"),
        ("finance", True, "/finance/breaks"),
    ],
)
def test_what_a_role_must_not_open(house: House, role: str, has_merchant: bool, address: str) -> None:  # noqa: FBT001
    browser = house.signed_in(role, house.database.merchant_id if has_merchant else None)
    assert browser.get(address).status_code == 403


def test_pages_let_nothing_in_and_are_kept_nowhere(house: House) -> None:
    for answer in (house.browser().get("/sign-in"), house.signed_in("owner").get("/overview")):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script|<style| style=| on\w+=|https?://", answer.text)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT code FROM links",
        "SELECT metadata FROM links",
        "SELECT * FROM data_subjects",
        "SELECT payer FROM checkout_sessions",
        "SELECT * FROM retention_plans",
        "SELECT * FROM outbox",
        "SELECT * FROM api_keys",
        "SELECT hash FROM api_keys",
        "UPDATE api_keys SET revoked_at = now()",
        "UPDATE console_users SET role = 'owner'",
        "UPDATE payments SET status = 'failed'",
        "INSERT INTO console_users (id) VALUES ('u')",
        "SET ROLE owner",
    ],
)
def test_the_role_may_do_what_pages_need_and_nothing_else(house: House, statement: str) -> None:
    with house.database.connect("console") as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(
    "table", ["merchants", "links", "payments", "erasure_requests", "console_retention_plans", "console_legal_holds"]
)
def test_without_a_reach_no_row_is_seen(house: House, table: str) -> None:
    with house.database.connect("console") as connection:
        assert count(connection, table) == 0


def count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(
        f"SELECT count(id) FROM {table}" if "plans" not in table else f"SELECT count(*) FROM {table}"
    )
    found = row.fetchone()
    assert found is not None
    return int(found[0])
