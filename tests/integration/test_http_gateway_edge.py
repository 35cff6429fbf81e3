"""Routes that ask a gateway: three steps, no transaction across the call, the key bound to the intent."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from regions.ids import new_id
from regions.region import load_region
from regions.vault import open_vault
from tests.support.regional import RegionDatabase
from web.db.engine import Database
from web.db.scope import Scope
from web.db.steps import Settled
from web.http import handlers
from web.http.answers import Answer
from web.http.gateway_edge import GatewayWork, merchant_gateway_route
from web.settings import Settings
from web.wiring import Wiring, install, wired


@dataclass
class Intent:
    object_id: str


class Stage:
    """A route whose three steps note what they did and do what a test wants."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.call: Callable[[], str] = lambda: "yes"
        self.is_settled = False

    def intend(self, scope: Scope) -> Any:
        self.done.append("intend")
        if self.is_settled:
            return Settled(Answer(201, {"state": "settled"}))
        return Intent(new_id("refund", scope.region.code))

    def ask(self, _intent: Intent) -> str:
        self.done.append("call")
        assert wired().database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        return self.call()

    def conclude(self, _scope: Scope, intent: Intent, reply: str) -> Answer:
        self.done.append("conclude")
        return Answer(201, {"id": intent.object_id, "state": reply})

    def current(self, _scope: Scope, object_id: str) -> Answer:
        self.done.append("current")
        return Answer(201, {"id": object_id, "state": "current"})


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def client(region_database: RegionDatabase, stage: Stage) -> Iterator[FlaskClient]:
    region = load_region("eu")
    settings = Settings.from_environment(region, region_database.env)
    app = Flask(__name__)
    database = Database(settings.database_url, application_name="tests", pool_size=4)
    install(app, Wiring(region, settings, database, open_vault(settings.vault_uri), {}))
    handlers.register(app)

    @app.post("/v1/things")
    @merchant_gateway_route
    def make_thing() -> GatewayWork[Intent, str]:
        return GatewayWork(stage.intend, stage.ask, stage.conclude, stage.current)

    yield app.test_client()
    database.dispose()


@pytest.fixture
def sent(region_database: RegionDatabase) -> dict[str, str]:
    return {"Authorization": f"Bearer {region_database.secret_key}", "Idempotency-Key": str(uuid.uuid4())}


def test_the_outcome_is_stored_and_replayed(client: FlaskClient, stage: Stage, sent: dict[str, str]) -> None:
    first = client.post("/v1/things", headers=sent)
    second = client.post("/v1/things", headers=sent)
    assert first.status_code == second.status_code == 201
    assert first.data == second.data
    assert stage.done == ["intend", "call", "conclude"]


def test_a_duplicate_during_the_call_is_told_to_wait(client: FlaskClient, stage: Stage, sent: dict[str, str]) -> None:
    seen: list[int] = []

    def duplicate() -> str:
        seen.append(client.application.test_client().post("/v1/things", headers=sent).status_code)
        return "yes"

    stage.call = duplicate
    assert client.post("/v1/things", headers=sent).status_code == 201
    assert seen == [409]
    assert stage.done == ["intend", "call", "conclude"]


def test_a_run_that_died_leaves_its_key_bound_to_the_object(
    client: FlaskClient, stage: Stage, sent: dict[str, str], region_database: RegionDatabase
) -> None:
    def die() -> str:
        raise RuntimeError("the process is gone")

    stage.call = die
    assert client.post("/v1/things", headers=sent).status_code == 500
    waiting = client.post("/v1/things", headers=sent)
    assert (waiting.status_code, "Retry-After" in waiting.headers) == (409, True)
    with region_database.connect("postgres") as superuser:
        key = sent["Idempotency-Key"]
        bound = superuser.execute("SELECT object_id FROM idempotency_keys WHERE key = %s", [key]).fetchone()
        superuser.execute("UPDATE idempotency_keys SET locked_until = now() - interval '1 s' WHERE key = %s", [key])
    assert bound is not None
    retried = client.post("/v1/things", headers=sent)
    assert retried.get_json() == {"id": bound[0], "state": "current"}
    assert stage.done == ["intend", "call", "current"]
    assert client.post("/v1/things", headers=sent, json={"x": 1}).status_code == 422


def test_nothing_to_ask_is_answered_and_stored_at_once(client: FlaskClient, stage: Stage, sent: dict[str, str]) -> None:
    stage.is_settled = True
    assert client.post("/v1/things", headers=sent).get_json() == {"state": "settled"}
    assert client.post("/v1/things", headers=sent).headers["Idempotency-Replayed"] == "true"
    assert stage.done == ["intend"]


def test_it_works_without_a_key(client: FlaskClient, stage: Stage, sent: dict[str, str]) -> None:
    del sent["Idempotency-Key"]
    assert client.post("/v1/things", headers=sent).status_code == 201
    assert client.post("/v1/things", headers=sent).status_code == 201
    assert stage.done == ["intend", "call", "conclude"] * 2
