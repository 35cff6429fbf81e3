"""A request that takes too long ends with a problem; it leaves nothing behind, and its key is free again."""

import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from flask.testing import FlaskClient

from regions.errors import ConfigurationError
from regions.region import load_region
from tests.support.regional import RegionDatabase
from web.app import create_app
from web.db.engine import SESSION_SETTINGS
from web.settings import REQUEST_MS, Settings

LOCK_SECONDS = int(SESSION_SETTINGS["lock_timeout"]) / 1000
BODY = {"amount_minor": 100, "currency": "EUR", "reference": "R"}


@pytest.fixture
def hurried(region_database: RegionDatabase) -> FlaskClient:
    """A service whose requests have a quarter of a second."""
    region = load_region("eu")
    settings = Settings.from_environment(region, region_database.env)
    return create_app(region, replace(settings, request_ms=250)).test_client()


@pytest.fixture
def headers(region_database: RegionDatabase) -> dict[str, str]:
    """The key of a merchant without links."""
    return {"Authorization": f"Bearer {region_database.add_merchant()[1]}"}


@pytest.fixture
def blocker(region_database: RegionDatabase) -> Iterator[psycopg.Connection]:
    """Somebody who can hold locks."""
    with region_database.connect("postgres") as connection:
        yield connection


def test_a_write_of_one_statement_is_rolled_back_and_its_key_is_free(
    hurried: FlaskClient, headers: dict[str, str], blocker: psycopg.Connection
) -> None:
    keyed = headers | {"Idempotency-Key": "late"}
    hurried.post("/v1/links", json=BODY, headers=headers)  # notes the key's use, once
    with blocker.transaction():
        blocker.execute("LOCK TABLE outbox IN SHARE MODE")  # the last thing that the statement writes
        began = time.monotonic()
        late = hurried.post("/v1/links", json=BODY, headers=keyed)
        assert time.monotonic() - began < LOCK_SECONDS  # not the lock's own deadline, which is longer
    assert (late.status_code, late.get_json()["code"]) == (503, "deadline_exceeded")
    assert late.headers["Retry-After"] == "2"
    assert len(hurried.get("/v1/links", headers=headers).get_json()["data"]) == 1
    again = hurried.post("/v1/links", json=BODY, headers=keyed)
    assert again.status_code == 201, again.text
    assert "Idempotency-Replayed" not in again.headers
    assert len(hurried.get("/v1/links", headers=headers).get_json()["data"]) == 2


def test_a_transaction_of_several_statements_too(
    hurried: FlaskClient, headers: dict[str, str], blocker: psycopg.Connection
) -> None:
    link = hurried.post("/v1/links", json=BODY, headers=headers).get_json()
    path, keyed = f"/v1/links/{link['id']}/deactivate", headers | {"Idempotency-Key": "late"}
    for _ in range(2):  # the connection that was ended is not used again
        with blocker.transaction():
            blocker.execute("LOCK TABLE outbox IN SHARE MODE")
            late = hurried.post(path, headers=keyed)
        assert (late.status_code, late.get_json()["code"]) == (503, "deadline_exceeded")
        assert hurried.get(f"/v1/links/{link['id']}", headers=headers).get_json()["status"] == "active"
    done = hurried.post(path, headers=keyed)
    assert (done.status_code, done.get_json()["status"]) == (200, "deactivated"), done.text


@pytest.mark.parametrize("text", ["soon", "-1", "99", "25001", "1e3"])
def test_a_deadline_is_a_number_of_milliseconds(region_database: RegionDatabase, text: str) -> None:
    region, env = load_region("eu"), region_database.env
    assert Settings.from_environment(region, env).request_ms == REQUEST_MS
    with pytest.raises(ConfigurationError, match="REQUEST_TIMEOUT_MS"):
        Settings.from_environment(region, env | {"REQUEST_TIMEOUT_MS": text})
