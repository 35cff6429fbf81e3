"""Endpoints, deliveries and secrets in the console; and its test button, which is all that it writes."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.console import House
from tests.support.webhooks import Hooks, hooks_on, receiving


@pytest.fixture
def hooks(house: House) -> Iterator[Hooks]:
    with hooks_on(house.database) as make:
        yield make()


def test_an_endpoint_with_its_deliveries_and_never_a_secret(house: House, hooks: Hooks) -> None:
    with receiving(lambda _: (500, {}, b"call jane@example.com")) as receiver, hooks.dispatching():
        made = hooks.endpoint(f"{receiver.url}?token=hush", description="Order <b>system</b>")
        [delivery_id] = hooks.emit(1)
        hooks.await_statuses(failed=1)
    browser = house.signed_in("developer", hooks.merchant_id)
    listed = browser.get("/webhooks", mode="test").text
    assert "Order &lt;b&gt;system" in listed
    assert "failing" in listed
    shown = browser.get(f"/webhooks/{made['id']}").text
    assert made["public_key"].replace("+", "&#43;") in shown or made["public_key"] in shown
    tries = browser.get(f"/webhooks/deliveries/{delivery_id}").text
    assert tries.count("http error") == 5
    for page in (listed, shown, tries):
        assert made["secret"] not in page
        assert "hush" not in page
        assert "jane@" not in page


def test_the_test_button_sends_once_and_needs_our_form(house: House, hooks: Hooks) -> None:
    with receiving() as receiver:
        made = hooks.endpoint(receiver.url)
        browser = house.signed_in("developer", hooks.merchant_id)
        path = f"/webhooks/{made['id']}"
        assert browser.post(f"{path}/test", csrf="0" * 64).status_code == 400
        csrf = browser.get(path).text.split(f'action="{path}/test">')[1].split('value="')[1][:64]
        assert browser.post(f"{path}/test", csrf=csrf).status_code == 303
        with hooks.dispatching():
            hooks.await_statuses(succeeded=1)
        assert b'"webhook.test"' in receiver.received[0].body
        hooks.client.patch(f"/v1/webhook_endpoints/{made['id']}", headers=hooks.key, json={"status": "disabled"})
        assert browser.post(f"{path}/test", csrf=csrf).status_code == 409
    assert hooks.statuses() == {"succeeded": 1}


def test_another_merchants_endpoint_does_not_exist(house: House, hooks: Hooks) -> None:
    made = hooks.endpoint("https://shop.example.com/hooks")
    [delivery_id] = hooks.emit(1)
    browser = house.signed_in("owner", house.database.merchant_id)
    csrf = browser.csrf("/overview")
    for path in (f"/webhooks/{made['id']}", f"/webhooks/deliveries/{delivery_id}"):
        assert browser.get(path).status_code == 404
    assert browser.post(f"/webhooks/{made['id']}/test", csrf=csrf).status_code == 400
    assert "shop.example.com" not in browser.get("/webhooks", mode="test").text
    assert house.signed_in("finance", hooks.merchant_id).get("/webhooks").status_code == 403


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT sealed FROM webhook_secrets",
        "UPDATE webhook_deliveries SET status = 'succeeded'",
        "UPDATE webhook_endpoints SET url = 'https://evil.example.com/'",
        "DELETE FROM webhook_deliveries",
        """INSERT INTO webhook_events (id, merchant_id, livemode, type, object_id, sequence, schema_version, time, data,
                                       recorded_at)
           SELECT gen_random_uuid(), merchant_id, false, 'payment.succeeded', 'o', 1, 1, now(), '{}', now()
             FROM webhook_endpoints LIMIT 1""",
    ],
)
def test_the_console_may_write_nothing_else(house: House, hooks: Hooks, statement: str) -> None:
    hooks.endpoint("https://shop.example.com/hooks")
    with house.database.connect("console") as connection:
        connection.execute("SELECT set_config('meridian.console_reach', 'region', false)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
