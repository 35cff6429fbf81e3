"""What the merchant's engineer, the demo and the worker do with webhooks."""

import json
import threading
import time
from datetime import date
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from pipelines.cli import make_app
from pipelines.demo.blocks.webhooks import Receiver as DemoReceiver
from pipelines.webhooks.listen import listen
from pipelines.webhooks.merchant import MerchantApi, RefusedError
from regions import webhook_signing as signing
from regions.region import load_region
from tests.support.serving import free_port, serving
from tests.support.stream import await_that
from tests.support.webhooks import Hooks, receiving
from web.background import webhook_notices
from web.settings import Settings
from web.worker import wire


def test_test_events_triggers_and_listeners(hooks: Hooks) -> None:
    with receiving() as receiver, hooks.dispatching():
        endpoint = hooks.endpoint(receiver.url, event_types=["payment.*"])
        listener = hooks.post("/v1/webhook_listeners", {"event_types": ["refund.succeeded"]}, 201)
        hooks.post(f"/v1/webhook_endpoints/{endpoint['id']}/test")
        assert len(hooks.post("/v1/webhook_triggers", {"type": "payment.succeeded"})["delivery_ids"]) == 1
        assert len(hooks.post("/v1/webhook_triggers", {"type": "refund.succeeded"})["delivery_ids"]) == 1
        await_that("both came", lambda: len(receiver.received) == 2)
        types = {json.loads(got.body)["type"] for got in receiver.received}
        assert types == {"webhook.test", "payment.succeeded"}
        path = f"/v1/webhook_listeners/{listener['id']}/poll"
        [handed] = hooks.post(path, status=200)["data"]
        assert json.loads(handed["body"])["type"] == "refund.succeeded"
        assert hooks.post(path, status=200)["data"] == []
        hooks.post("/v1/webhook_triggers", {"type": "risk.assessed"}, 422)


def test_listen_forwards_to_a_developers_machine_and_trigger_sends(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, said, stop = free_port(), list[str](), threading.Event()
    url, secret_key = f"http://127.0.0.1:{port}", hooks.key["Authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("MERIDIAN_API_KEY", secret_key)
    monkeypatch.setenv("MERIDIAN_API_URL", url)
    with serving(hooks.client.application, port), receiving() as receiver:
        api = MerchantApi.open(None)
        thread = threading.Thread(target=listen, args=(api, receiver.url, ["payment.*"], stop, said.append))
        thread.start()
        await_that("it listens", lambda: len(said) == 1, 20)
        sent = CliRunner().invoke(make_app("trigger"), ["trigger", "payment.succeeded"])
        assert sent.exit_code == 0, sent.output
        await_that("the event is forwarded", lambda: len(said) == 2, 20)
        stop.set()
        thread.join()
        api.close()
        refused = CliRunner().invoke(make_app("trigger"), ["trigger", "nothing.happened"])
        assert isinstance(refused.exception, RefusedError)
    secret = said[0].rpartition(" ")[2]
    [got] = receiver.received
    signing.verify(secret, got.headers, got.body, int(time.time()))
    assert got.headers["webhook-id"] == json.loads(sent.stdout)["event_id"]
    assert said[1].startswith("payment.succeeded pay_eu_")
    assert "→ 200" in said[1]
    assert hooks.get("/v1/webhook_endpoints")["data"] == [], "the listener is gone, and was no endpoint"


def test_the_demo_tells_what_its_merchant_got(hooks: Hooks) -> None:
    port, secret_key = free_port(), hooks.key["Authorization"].removeprefix("Bearer ")
    market = SimpleNamespace(api_url=f"http://127.0.0.1:{port}", secret_key=secret_key)
    place = SimpleNamespace(code="eu", region=None, reader_url=hooks.database.role_urls["reader"], market=market)
    with serving(hooks.client.application, port):
        with DemoReceiver([place]) as receiver, hooks.dispatching():
            hooks.emit(1, 2, 3)
            hooks.emit(1, object_id="another")
            block = receiver.webhooks(place, date(2026, 11, 23), str)
            assert block.lines == ["4 events of 2 objects delivered, each with a verified signature and in order"]
            assert [check.detail for check in block.checks] == ["", "", ""]
            endpoint = hooks.get("/v1/webhook_endpoints")["data"][0]
            hooks.post(f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret", {"overlap_seconds": 0}, 200)
            hooks.emit(4)
            await_that("the wrong signature is seen", lambda: receiver._inboxes["eu"].refused > 0)
            hooks.await_statuses(succeeded=4, failed=1)
            broken = receiver.webhooks(place, date(2026, 11, 23), str)
            assert "do not" in broken.checks[0].detail
        assert hooks.get("/v1/webhook_endpoints")["data"] == []


def test_a_disabled_endpoint_is_told_of_once_and_the_others_hear_it(hooks: Hooks) -> None:
    region = load_region("eu")
    wiring = wire(region, Settings.from_environment(region, hooks.database.env_for("worker")))
    try:
        with receiving(lambda _: (410, {}, b"")) as receiver:
            endpoint = hooks.endpoint(receiver.url)
            hooks.emit(1)
            with hooks.dispatching():
                hooks.await_statuses(failed=1)
        while webhook_notices.step(wiring):
            pass
        told = hooks.get(f"/v1/events?type=webhook_endpoint.disabled&object_id={endpoint['id']}")["data"]
        assert [(one["sequence"], one["data"]["reason"]) for one in told] == [(1, "gone")]
        hooks.client.patch(f"/v1/webhook_endpoints/{endpoint['id']}", headers=hooks.key, json={"status": "disabled"})
        assert not webhook_notices.step(wiring)
    finally:
        wiring.database.dispose()
