"""The simulated PSP on a throw-away PostgreSQL: settings, a database, an app, and a tiny client."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from web.sandbox.app import create_app
from web.sandbox.database import Database
from web.sandbox.provision import provision
from web.sandbox.settings import Settings

CONTROL_KEY = "control-key-of-tests"
API_KEYS = {"eu": "sk_sandbox_eu_tests", "us": "sk_sandbox_us_tests", "in": "sk_sandbox_in_tests"}
ACCOUNTS = {"eu": "MeridianEU", "us": "MeridianUS", "in": "MeridianIN"}
WEBHOOK_SECRETS = {region: f"whsec_{region}_tests" for region in API_KEYS}
RETURN_URL = "https://pay.eu.example/c/abc/return"


def environment(database_url: str, **more: str) -> dict[str, str]:
    env = {
        "SANDBOX_DATABASE_URL": database_url,
        "SANDBOX_URL": "http://psp.example",
        "SANDBOX_CONTROL_KEY": CONTROL_KEY,
        "SANDBOX_HOLD_SECONDS": "0",
        "SANDBOX_PENDING_SECONDS": "0",
    }
    for region, key in API_KEYS.items():
        suffix = region.upper()
        env |= {
            f"SANDBOX_API_KEY_{suffix}": key,
            f"SANDBOX_WEBHOOK_SECRET_{suffix}": WEBHOOK_SECRETS[region],
            f"API_BASE_URL_{suffix}": f"https://pay.{region}.example",
        }
    return env | more


def settings(database_url: str, **more: str) -> Settings:
    return Settings.from_environment(environment(database_url, **more))


_numbers = count(1)


@contextmanager
def sandbox_database(server_url: str) -> Iterator[str]:
    """A provisioned database of its own on a running server, dropped at the end."""
    name = f"sandbox_{next(_numbers)}"
    url = server_url.rsplit("/", 1)[0] + f"/{name}"
    provision(url)
    try:
        yield url
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def path_of(payment: dict[str, Any]) -> str:
    """The path of the page that the payer goes to next."""
    return str(payment["action"]["url"]).removeprefix("http://psp.example")


class Psp:
    """Talks to the app as one account would."""

    def __init__(self, app: Flask, database: Database, chosen: Settings, region: str = "eu") -> None:
        self.app, self.database, self.settings, self.region = app, database, chosen, region
        self.account = ACCOUNTS[region]

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {API_KEYS[self.region]}"}

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(path, headers=self.headers, query_string=query)

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> TestResponse:
        headers = self.headers | {"Idempotency-Key": key or f"{self.region}-{next(_numbers)}"}
        return self.client.post(path, json=body, headers=headers)

    def control(self, path: str, body: dict[str, Any] | None = None, **query: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {CONTROL_KEY}"}
        if body is None:
            return self.client.get(f"/_control/{path}", headers=headers, query_string=query)
        return self.client.post(f"/_control/{path}", json=body, headers=headers)

    def token(self, number: str = "4242424242424242", **fields: str) -> str:
        return str(self.tokenise(number, **fields).json["token"])

    def tokenise(self, number: str, **fields: str) -> TestResponse:
        card = {"account": self.account, "number": number, "exp_month": "12", "exp_year": "34", "cvc": "123"} | fields
        return self.client.post("/frame/tokens", json=card)

    def order(self, number: str | None = "4242424242424242", **fields: Any) -> dict[str, Any]:
        body = {
            "reference": f"att_{next(_numbers)}",
            "amount_minor": 1999,
            "currency": "EUR",
            "return_url": RETURN_URL,
        }
        return body | {"payment_token": self.token(number) if number else None} | fields

    def pay(self, number: str | None = "4242424242424242", **fields: Any) -> dict[str, Any]:
        answer = self.post("/v1/payments", self.order(number, **fields))
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def refund(self, payment: dict[str, Any], **fields: Any) -> dict[str, Any]:
        body = {
            "reference": f"re_{next(_numbers)}",
            "amount_minor": payment["amount_minor"],
            "currency": payment["currency"],
        }
        answer = self.post(f"/v1/payments/{payment['id']}/refunds", body | fields)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def read(self, payment: dict[str, Any]) -> dict[str, Any]:
        return dict(self.get(f"/v1/payments/{payment['id']}").json)


def await_lock_waiter(database_url: str, timeout_seconds: float = 10) -> None:
    """Return once somebody in the database waits for a lock."""
    deadline = time.monotonic() + timeout_seconds
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        while not (row := connection.execute(query).fetchone()) or not row[0]:
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.01)


@contextmanager
def running_psp(database_url: str, region: str = "eu", **more: str) -> Iterator[Psp]:
    chosen = settings(database_url, **more)
    database = Database(chosen.database_url)
    try:
        yield Psp(create_app(chosen, database), database, chosen, region)
    finally:
        database.close()
