"""A console on a provisioned region and a published warehouse, and people who sign in to it."""

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from regions.ids import new_code, new_id
from regions.region import load_region
from tests.support.regional import RegionDatabase
from web.console.app import create_app
from web.console.commands import Commands
from web.console.provision import provision
from web.console.settings import Settings
from web.db.engine import Database

PASSWORD = "correct horse battery"
BASE = "https://console.meridian.test"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass
class Browser:
    """Somebody's browser: cookies are kept, redirects are not followed."""

    client: FlaskClient

    def get(self, path: str, **query: str) -> TestResponse:
        return self.client.get(path, query_string=query, base_url=BASE)

    def post(self, path: str, **form: str) -> TestResponse:
        return self.client.post(path, data=form, base_url=BASE)

    def csrf(self, path: str = "/sign-in") -> str:
        found = CSRF.search(self.get(path).text)
        assert found, "the page has no form of ours"
        return found[1]

    def sign_in(self, email: str, password: str = PASSWORD, code: str = "") -> TestResponse:
        return self.post("/sign-in", csrf=self.csrf(), email=email, password=password, code=code)

    def cookie(self, name: str = "__Host-meridian-console-eu") -> str | None:
        found = self.client.get_cookie(name, domain="console.meridian.test")
        return found.value if found else None


@dataclass
class House:
    """The console of region `eu`, its database and its warehouse's folder."""

    app: Flask
    database: RegionDatabase

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def add_user(self, role: str, merchant_id: str | None = None) -> str:
        """A new user with PASSWORD; returns the e-mail address."""
        email = f"{role}-{secrets.token_hex(4)}@example.com"
        owner = Database(self.database.role_urls["owner"], application_name="tests", pool_size=1)
        try:
            with owner.transaction() as connection:
                provision(connection, "eu", email, role, merchant_id, PASSWORD)
        finally:
            owner.dispose()
        return email

    def signed_in(self, role: str, merchant_id: str | None = None) -> Browser:
        browser = self.browser()
        answer = browser.sign_in(self.add_user(role, merchant_id))
        assert answer.status_code == 303, answer.text
        return browser

    def admin(self) -> psycopg.Connection:
        """The superuser, for moving clocks."""
        return self.database.connect("postgres")


def house_on(database: RegionDatabase, warehouse: Path) -> House:
    """A console of that database and warehouse folder."""
    env = database.env_for("console") | {
        "WAREHOUSE_URI_EU": warehouse.as_uri(),
        "CONSOLE_KEY_EU": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    region = load_region("eu")
    return House(create_app(region, Settings.from_environment(region, env)), database)


@contextmanager
def commanding(house: House, service: Flask) -> Iterator[None]:
    """The console's commands go to the web service of the same region."""

    def post(path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, Any]:
        answer = service.test_client().post(path, json=dict(body), headers=dict(headers))
        return answer.status_code, answer.json

    wiring = house.app.extensions["meridian-console"]
    commands = Commands(post, house.database.env["SERVICE_KEY_EU"])
    house.app.extensions["meridian-console"] = replace(wiring, commands=commands)
    try:
        yield
    finally:
        house.app.extensions["meridian-console"] = wiring


def sell(
    database: RegionDatabase, merchant_id: str, reference: str, amount_minor: int = 1999, status: str = "succeeded"
) -> tuple[str, str]:
    """A link with one payment in the region's database; returns both ids."""
    link_id, session_id, payment_id = (new_id(kind, "eu") for kind in ("link", "session", "payment"))
    captured = amount_minor if status == "succeeded" else 0
    with database.connect("worker") as connection:
        connection.execute(
            """INSERT INTO links (id, merchant_id, livemode, code, amount_minor, currency, reference, channel)
               VALUES (%s, %s, false, %s, %s, 'EUR', %s, 'email')""",
            [link_id, merchant_id, new_code(), amount_minor, reference],
        )
        connection.execute(
            """INSERT INTO checkout_sessions (id, merchant_id, livemode, link_id, token_hash, amount_minor, currency,
                                              locale, device_class, expires_at)
               VALUES (%s, %s, false, %s, %s, %s, 'EUR', 'en-IE', 'desktop', now() + interval '1 hour')""",
            [session_id, merchant_id, link_id, secrets.token_bytes(32), amount_minor],
        )
        connection.execute(
            """INSERT INTO payments (id, merchant_id, livemode, link_id, session_id, amount_minor, currency, status,
                                     captured_minor, succeeded_at)
               VALUES (%s, %s, false, %s, %s, %s, 'EUR', %s, %s, %s)""",
            [
                payment_id, merchant_id, link_id, session_id, amount_minor, status, captured,
                datetime.now(UTC) if captured else None,
            ],
        )  # fmt: skip
        connection.execute(
            """INSERT INTO attempts (id, merchant_id, payment_id, gateway, gateway_account, payment_token, amount_minor,
                                     currency, status)
               VALUES (%s, %s, %s, 'sandbox', 'MeridianEU', 'tok_used', %s, 'EUR', %s)""",
            [
                new_id("attempt", "eu"), merchant_id, payment_id, amount_minor,
                status if status in {"succeeded", "failed"} else "unknown",
            ],
        )  # fmt: skip
    return link_id, payment_id
