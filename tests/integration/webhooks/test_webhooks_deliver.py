"""Deliveries, try by try: when, in which order, signed how, and what is kept of them."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from psycopg import AsyncConnection

from pipelines.webhooks.claims import claim
from pipelines.webhooks.domain import Outcome, Result
from pipelines.webhooks.finishing import Done, finish
from regions import webhook_signing as signing
from tests.support.stream import await_that
from tests.support.webhooks import FAST, Hooks, Received, receiving

Made = Callable[[], Hooks]


def failing_first(
    times: int, status: int = 500, **headers: str
) -> Callable[[Received], tuple[int, dict[str, str], bytes]]:
    left = [times]

    def answer(_: Received) -> tuple[int, dict[str, str], bytes]:
        left[0] -= 1
        return (status, headers, b"no") if left[0] >= 0 else (200, {}, b"ok")

    return answer


def sequences(received: list[Received]) -> list[int]:
    return [json.loads(got.body)["sequence"] for got in received]


def test_tries_have_one_id_and_one_body_and_each_its_own_time_and_signature(hooks: Hooks) -> None:
    with receiving(failing_first(2)) as receiver, hooks.dispatching():
        endpoint = hooks.endpoint(receiver.url + "?token=hush")
        [delivery_id] = hooks.emit(1)
        hooks.await_statuses(succeeded=1)
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    assert len({got.body for got in receiver.received}) == 1
    assert [got.headers["webhook-attempt"] for got in receiver.received] == ["1", "2", "3"]
    for got in receiver.received:
        signing.verify(endpoint["secret"], got.headers, got.body, int(time.time()))
    found = hooks.delivery(delivery_id)
    assert (found["status"], found["attempt_count"], found["last_status"]) == ("succeeded", 3, 200)
    assert found["body"].encode() == receiver.received[0].body
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["http_error", "http_error", "succeeded"]
    shown = json.dumps(found["attempts"])
    assert "hush" not in shown
    assert not [
        part
        for got in receiver.received
        for part in got.headers["webhook-signature"].split(",")
        if part[4:] in shown and len(part) > 20
    ]
    assert endpoint["secret"] not in json.dumps(hooks.get(f"/v1/webhook_endpoints/{endpoint['id']}"))


def test_what_an_endpoint_answers_is_kept_without_secrets_and_personal_data(hooks: Hooks) -> None:
    said = b"payer jane.doe@example.com card 4111 1111 1111 1111 key mk_live_eu_abcdefgh1234 from 192.0.2.77"
    with receiving(lambda _: (200, {"set-cookie": "a=b", "server": "shop/1"}, said)) as receiver, hooks.dispatching():
        hooks.endpoint(receiver.url)
        [delivery_id] = hooks.emit(1)
        hooks.await_statuses(succeeded=1)
    response = hooks.delivery(delivery_id)["attempts"][0]["response"]
    assert response["headers"] == {
        "content-length": str(len(said)),
        "date": response["headers"]["date"],
        "server": "shop/1",
    }
    assert response["body"] == "payer •••@••• card ••• key ••• from •••"


def test_a_redirect_is_a_failure_and_is_never_followed(hooks: Hooks) -> None:
    with receiving() as elsewhere, receiving(lambda _: (301, {"location": elsewhere.url}, b"")) as receiver:
        hooks.endpoint(receiver.url)
        [delivery_id] = hooks.emit(1)
        with hooks.dispatching():
            hooks.await_statuses(failed=1)
    assert elsewhere.received == []
    assert len(receiver.received) == len(FAST.delays)
    assert {attempt["outcome"] for attempt in hooks.delivery(delivery_id)["attempts"]} == {"redirect"}


def test_410_disables_the_endpoint_gives_up_the_rest_and_what_comes_is_skipped(hooks: Hooks) -> None:
    with receiving(lambda _: (410, {}, b"")) as receiver:
        endpoint = hooks.endpoint(receiver.url)
        hooks.emit(1, 2, 3)
        with hooks.dispatching():
            hooks.await_statuses(failed=1, cancelled=2)
            hooks.emit(4)
        assert hooks.statuses()["skipped"] == 1
        found = hooks.get(f"/v1/webhook_endpoints/{endpoint['id']}")
        assert (found["status"], found["disabled_reason"]) == ("disabled", "gone")
        assert len(receiver.received) == 1
        path = f"/v1/webhook_endpoints/{endpoint['id']}"
        hooks.post(f"{path}/replay", {"mode": "failures", "since": "2026-01-01T00:00:00Z"}, 409)
        hooks.client.patch(path, headers=hooks.key, json={"status": "enabled"})
        receiver.answer = lambda _: (200, {}, b"")
        asked = hooks.post(f"{path}/replay", {"mode": "failures", "since": "2026-01-01T00:00:00Z"})
        assert asked["delivery_count"] == 4
        with hooks.dispatching():
            hooks.await_statuses(succeeded=4)
    assert sequences(receiver.received[1:]) == [1, 2, 3, 4]


def test_retry_after_is_honoured(hooks: Hooks) -> None:
    with receiving(failing_first(1, 503, **{"retry-after": "1"})) as receiver, hooks.dispatching():
        hooks.endpoint(receiver.url)
        started = time.monotonic()
        hooks.emit(1)
        hooks.await_statuses(succeeded=1)
    assert time.monotonic() - started >= 1.0


def test_a_hanging_endpoint_times_out_and_a_huge_answer_is_cut(hooks: Hooks) -> None:
    def hang(_: Received) -> tuple[int, dict[str, str], bytes]:
        time.sleep(FAST.timeout * 2)
        return 200, {}, b""

    policy = replace(FAST, delays=(0.0,))
    with receiving(hang) as slow, receiving(lambda _: (200, {}, b"x" * 5_000_000)) as huge, hooks.dispatching(policy):
        hooks.endpoint(slow.url)
        hooks.endpoint(huge.url)
        of = {hooks.delivery(one)["endpoint_id"]: one for one in hooks.emit(1)}
        hooks.await_statuses(succeeded=1, failed=1)
    found = {tuple(attempt["outcome"] for attempt in hooks.delivery(one)["attempts"]) for one in of.values()}
    assert found == {("timeout",), ("succeeded",)}


def test_an_object_is_told_in_order_and_a_stuck_event_is_passed_by(hooks: Hooks) -> None:
    stuck = {"until": 0.0}

    def answer(got: Received) -> tuple[int, dict[str, str], bytes]:
        is_stuck = json.loads(got.body)["sequence"] == 2 and time.monotonic() < stuck["until"]
        return (500, {}, b"") if is_stuck else (200, {}, b"")

    policy = replace(FAST, delays=(0.0, 0.1, 0.1, 0.1, *[0.2] * 20), overtake_after=0.8)
    with receiving(answer) as receiver, hooks.dispatching(policy):
        hooks.endpoint(receiver.url)
        stuck["until"] = time.monotonic() + 2.5
        hooks.emit(1, 2, 3, 4)
        hooks.emit(1, 2, object_id="another")
        hooks.await_statuses(succeeded=6)
    told = [json.loads(got.body) for got in receiver.received]
    first = list(dict.fromkeys(body["sequence"] for body in told if body["object_id"] != "another"))
    assert first == [1, 2, 3, 4], "each was first told in its turn"
    arrived = [body["sequence"] for body in told if body["object_id"] != "another"]
    assert arrived.index(4) < len(arrived) - 1 - arrived[::-1].index(2), "2 held 3 and 4 up for a while only"
    assert arrived[:3] == [1, 2, 2], "3 waits while 2 is tried again"


def test_during_a_rotation_both_secrets_sign_and_a_leaked_one_ends_at_once(hooks: Hooks) -> None:
    with receiving() as receiver:
        endpoint = hooks.endpoint(receiver.url)
        path = f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret"
        rotated = hooks.post(path, status=200)
        assert rotated["secret"] != endpoint["secret"]
        with hooks.dispatching():
            hooks.emit(1)
            hooks.await_statuses(succeeded=1)
            for one in (endpoint, rotated):
                got = receiver.received[0]
                signing.verify(one["secret"], got.headers, got.body, int(time.time()))
                assert signing.is_v1a(signing.public_key_bytes(one["public_key"]), got.headers, got.body)
            last = hooks.post(path, {"overlap_seconds": 0}, 200)
            hooks.emit(2)
            hooks.await_statuses(succeeded=2)
    got = receiver.received[1]
    signing.verify(last["secret"], got.headers, got.body, int(time.time()))
    for one in (endpoint, rotated):
        with pytest.raises(signing.VerificationError):
            signing.verify(one["secret"], got.headers, got.body, int(time.time()))


def test_a_secret_is_shown_once_also_to_a_repeated_request(hooks: Hooks) -> None:
    key = hooks.key | {"Idempotency-Key": "make-endpoint"}
    body = {"url": "https://shop.example.com/hooks"}
    first, again = (hooks.client.post("/v1/webhook_endpoints", headers=key, json=body).json for _ in range(2))
    assert first["secret"].startswith("whsec_")
    assert again == first | {"secret": None}


def test_an_open_circuit_probes_one_at_a_time_until_a_success(hooks: Hooks) -> None:
    policy = replace(FAST, delays=(0.0, *[0.01] * 60), breaker_failures=3, breaker_delays=(0.25,))
    with receiving(lambda _: (500, {}, b"")) as receiver:
        hooks.endpoint(receiver.url)
        for number in range(30):
            hooks.emit(1, object_id=f"o{number}")
        with hooks.dispatching(policy):
            await_that("the circuit opens", lambda: len(receiver.received) >= 3)
            time.sleep(1.0)
            assert len(receiver.received) <= 3 + 2 * policy.endpoint_concurrency + 5, "a few probes, not a storm"
            receiver.answer = lambda _: (200, {}, b"")
            hooks.await_statuses(succeeded=30)


def test_an_endpoint_that_fails_for_too_long_is_disabled(hooks: Hooks) -> None:
    with receiving(lambda _: (500, {}, b"")) as receiver:
        endpoint = hooks.endpoint(receiver.url)
        hooks.emit(1)
        hooks.emit(2)
        with hooks.dispatching(replace(FAST, disable_after=0.1, delays=(0.0, *[0.05] * 30))):
            hooks.await_statuses(cancelled=2)
    found = hooks.get(f"/v1/webhook_endpoints/{endpoint['id']}")
    assert (found["status"], found["disabled_reason"]) == ("disabled", "failing")


def test_resend_one_and_the_latest_of_each_object(hooks: Hooks) -> None:
    with receiving() as receiver, hooks.dispatching():
        endpoint = hooks.endpoint(receiver.url)
        ids = hooks.emit(1, 2, 3)
        hooks.emit(1, 2, object_id="b")
        hooks.await_statuses(succeeded=5)
        hooks.post(f"/v1/webhook_deliveries/{ids[0]}/resend")
        await_that("it comes again", lambda: len(receiver.received) == 6)
        assert receiver.received[5].headers["webhook-id"] == hooks.delivery(ids[0])["event_id"]
        hooks.await_statuses(succeeded=5)
        since = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
        path = f"/v1/webhook_endpoints/{endpoint['id']}/replay"
        assert hooks.post(path, {"mode": "latest_per_object", "since": since})["delivery_count"] == 2
        hooks.await_statuses(succeeded=5)
        await_that("they come again", lambda: len(receiver.received) == 8)
        assert sorted(sequences(receiver.received[6:])) == [2, 3]


def test_another_merchant_sees_and_touches_nothing(make: Made) -> None:
    ours, theirs = make(), make()
    endpoint = ours.endpoint("https://shop.example.com/hooks")
    [delivery_id] = ours.emit(1)
    for path in (f"/v1/webhook_endpoints/{endpoint['id']}", f"/v1/webhook_deliveries/{delivery_id}"):
        assert theirs.client.get(path, headers=theirs.key).status_code == 404
    for path in (f"webhook_endpoints/{endpoint['id']}/test", f"webhook_deliveries/{delivery_id}/resend"):
        theirs.post(f"/v1/{path}", status=404)
    assert theirs.get("/v1/webhook_deliveries")["data"] == []
    ours.client.delete(f"/v1/webhook_endpoints/{endpoint['id']}", headers=ours.key)
    assert ours.statuses() == {"cancelled": 1}
    assert ours.client.get(f"/v1/webhook_endpoints/{endpoint['id']}", headers=ours.key).status_code == 404


def test_what_a_late_dispatcher_brings_does_not_undo_its_successors_work(hooks: Hooks) -> None:
    """Its lease was over, another one has the delivery: the try is kept, and nothing else."""
    hooks.endpoint("https://shop.example.com/hooks")
    hooks.emit(1)
    url = hooks.database.role_urls["dispatcher"]

    async def late() -> None:
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            [first] = (await claim(connection, FAST, 10)).deliveries
            assert not (await claim(connection, FAST, 10)).deliveries, "it is in flight"
            await connection.execute("UPDATE webhook_deliveries SET due_at = now() WHERE id = %s", (first.id,))
            [second] = (await claim(connection, FAST, 10)).deliveries
            assert (second.id, second.attempt_count) == (first.id, 2)
            ok = Result(Outcome.SUCCEEDED, datetime.now(UTC), 5, 200)
            gone = Result(Outcome.HTTP_ERROR, datetime.now(UTC), 5, 500)
            await finish(connection, FAST, [Done(second, {}, ok)], Random(1))
            await finish(connection, FAST, [Done(first, {}, gone)], Random(1))

    asyncio.run(late())
    [found] = hooks.get("/v1/webhook_deliveries")["data"]
    assert (found["status"], found["last_status"]) == ("succeeded", 200)
    assert len(hooks.delivery(found["id"])["attempts"]) == 2
