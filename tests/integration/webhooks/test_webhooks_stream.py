"""From a merchant's request to its server: event, outbox, relay, Kafka, router, dispatcher, a signed POST."""

import json
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from regions import webhook_signing as signing
from regions.region import load_region
from tests.support.regional import RegionDatabase
from tests.support.stream import Broker, Stream, await_that, running_broker, stream_on
from tests.support.webhooks import receiving
from web.app import create_app
from web.settings import Settings


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def stream(
    region_database: RegionDatabase, broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stream]:
    with stream_on(region_database, broker.bootstrap, tmp_path_factory.mktemp("stream")) as stream:
        yield stream


@pytest.fixture(scope="module")
def local_app(region_database: RegionDatabase) -> Flask:
    env = {**region_database.env, "WEBHOOKS_TO_LOCALHOST": "1"}
    region = load_region(region_database.region)
    return create_app(region, Settings.from_environment(region, env))


@pytest.fixture
def client(local_app: Flask) -> FlaskClient:
    return local_app.test_client()


def test_an_event_reaches_the_merchants_server_signed_and_once(
    stream: Stream, broker: Broker, client: FlaskClient, region_database: RegionDatabase
) -> None:
    key = {"Authorization": f"Bearer {region_database.secret_key}"}
    stream.start("relay")
    stream.start("webhooks", WEBHOOKS_TO_LOCALHOST="1")
    with receiving() as receiver:
        made = client.post("/v1/webhook_endpoints", headers=key, json={"url": receiver.url, "event_types": ["link.*"]})
        assert made.status_code == 201, made.data
        link = client.post(
            "/v1/links", headers=key, json={"amount_minor": 1999, "currency": "EUR", "reference": "INV-7"}
        ).json
        await_that("the event arrives", lambda: len(receiver.received) == 1)
        [got] = receiver.received
        assert got.path == "/hooks"
        signing.verify(made.json["secret"], got.headers, got.body, int(time.time()))
        assert signing.is_v1a(signing.public_key_bytes(made.json["public_key"]), got.headers, got.body)
        body = json.loads(got.body)
        assert (body["type"], body["object_id"], body["sequence"]) == ("link.created", link["id"], 1)
        assert body["id"] == got.headers["webhook-id"]
        assert body["data"]["reference"] == "INV-7"
        client.post(f"/v1/links/{link['id']}/deactivate", headers=key)
        await_that("the next event arrives", lambda: len(receiver.received) == 2)
        assert json.loads(receiver.received[1].body)["sequence"] == 2
        listed = client.get("/v1/webhook_deliveries?status=succeeded", headers=key).json
        await_that(
            "both are written down",
            lambda: len(client.get("/v1/webhook_deliveries?status=succeeded", headers=key).json["data"]) == 2,
        )
        assert listed["object"] == "list"
        stream.kill_all()
        broker.wipe()  # all that Kafka had is lost
        with region_database.connect("postgres") as admin:  # and so is how far the router was: it asks for everything
            admin.execute("UPDATE stream_consumers SET positions = '{}', offsets = '{}' WHERE name = 'webhooks'")
        client.post(f"/v1/links/{link['id']}/reactivate", headers=key)
        stream.start("relay")
        stream.start("webhooks", WEBHOOKS_TO_LOCALHOST="1")
        await_that("what came after the loss arrives", lambda: len(receiver.received) >= 3)
        assert [json.loads(got.body)["sequence"] for got in receiver.received] == [1, 2, 3], "and nothing twice"
        listed = client.get(f"/v1/webhook_deliveries?endpoint_id={made.json['id']}", headers=key).json
        assert [one["sequence"] for one in listed["data"]] == [3, 2, 1], "one delivery for each event and endpoint"
