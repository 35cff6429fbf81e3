"""Webhooks of the simulated PSP: signed, sent at least once, repeated until they are taken."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.postgres import PostgresServer
from tests.support.sandbox import WEBHOOK_SECRETS, Psp, environment, running_psp, sandbox_database
from web.sandbox.edge.problems import ProblemError
from web.sandbox.webhooks import outbox
from web.sandbox.webhooks.delivery import BACKOFF_SECONDS_MAX, Courier, backoff_seconds


class Receiver:
    """A merchant's endpoint that answers what it is told and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []  # the next answers; 200 when there are none
        self.got: list[tuple[str, bytes]] = []
        self.arrived = threading.Condition()
        self.may_answer = threading.Event()
        self.may_answer.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.arrived:
                    receiver.got.append((self.headers["Sandbox-Signature"], body))
                    status = receiver.answers.pop(0) if receiver.answers else 200
                    receiver.arrived.notify_all()
                receiver.may_answer.wait(timeout=20)
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    def await_count(self, count: int, timeout_seconds: float = 20) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, timeout_seconds), f"{len(self.got)} of {count}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    it = Receiver()
    thread = threading.Thread(target=it.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield it
    it.server.shutdown()
    thread.join()
    it.server.server_close()


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with sandbox_database(postgres_server.url) as url:
        yield url


@pytest.fixture
def psp(database_url: str, receiver: Receiver) -> Iterator[Psp]:
    with running_psp(database_url, SANDBOX_WEBHOOK_URL_EU=receiver.url) as running:
        yield running


@pytest.fixture
def deliver(psp: Psp) -> Iterator[Callable[[], int]]:
    courier = Courier(psp.settings, psp.database)
    yield courier.deliver_due
    courier.close()


def make_due(psp: Psp) -> None:
    with psp.database.transaction() as connection:
        connection.execute("UPDATE webhook_events SET send_after = now() WHERE send_after < 'infinity'")


def test_an_event_is_signed_over_its_exact_body(psp: Psp, receiver: Receiver, deliver: Callable[[], int]) -> None:
    payment = psp.pay()
    assert deliver() == 1
    [(signature, body)] = receiver.got
    stamp, mark = (part.split("=", 1)[1] for part in signature.split(","))
    expected = hmac.new(WEBHOOK_SECRETS["eu"].encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature == f"t={stamp},v1={mark}"
    assert mark == expected
    assert abs(int(stamp) - time.time()) < 60
    event = json.loads(body)
    assert (event["type"], event["account"], event["data"]) == ("payment.captured", "MeridianEU", payment)
    assert deliver() == 0


def test_an_event_is_repeated_until_it_is_taken(psp: Psp, receiver: Receiver, deliver: Callable[[], int]) -> None:
    receiver.answers = [500, 302, 404]
    psp.pay()
    for _ in range(3):
        assert deliver() == 1
        assert deliver() == 0  # not before its time
        make_due(psp)
    assert deliver() == 1
    make_due(psp)
    assert deliver() == 0
    assert len(receiver.got) == 4
    assert len({body for _, body in receiver.got}) == 1


def test_an_event_in_flight_is_nobody_elses_until_its_lease_ends(
    psp: Psp, receiver: Receiver, deliver: Callable[[], int]
) -> None:
    other = Courier(psp.settings, psp.database)
    receiver.may_answer.clear()
    psp.pay()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(deliver)
        receiver.await_count(1)
        assert other.deliver_due() == 0
        make_due(psp)  # as if the lease had ended, its sender being dead: the event is sent again rather than lost
        second = threads.submit(other.deliver_due)
        receiver.await_count(2)
        receiver.may_answer.set()
        assert first.result() == second.result() == 1
    other.close()
    assert len({event["id"] for event in receiver.events()}) == 1


def test_a_receiver_that_is_away_costs_no_event(database_url: str, receiver: Receiver) -> None:
    with running_psp(database_url, SANDBOX_WEBHOOK_URL_EU="http://127.0.0.1:9/nobody") as psp:
        psp.pay()
        courier = Courier(psp.settings, psp.database)
        assert courier.deliver_due() == 1
        courier.close()
    with running_psp(database_url, SANDBOX_WEBHOOK_URL_EU=receiver.url) as psp:
        make_due(psp)
        courier = Courier(psp.settings, psp.database)
        assert courier.deliver_due() == 1
        courier.close()
    assert [event["type"] for event in receiver.events()] == ["payment.captured"]


def test_an_event_that_is_rolled_back_was_never_there(psp: Psp, deliver: Callable[[], int]) -> None:
    def fail_after_enqueueing() -> None:
        with psp.database.transaction() as connection:
            outbox.enqueue(connection, "MeridianEU", "payment.captured", {})
            raise ProblemError(422, "x", "x")

    with pytest.raises(ProblemError):
        fail_after_enqueueing()
    assert deliver() == 0


def test_duplicates_and_delays_come_when_they_are_asked_for(
    psp: Psp, receiver: Receiver, deliver: Callable[[], int]
) -> None:
    psp.control("faults", {"account": "MeridianEU", "duplicate_webhooks": 1})
    psp.pay()
    assert [deliver(), deliver(), deliver()] == [1, 1, 0]
    psp.pay()
    assert [deliver(), deliver()] == [1, 0]
    ids = [event["id"] for event in receiver.events()]
    assert ids[0] == ids[1] != ids[2]
    psp.control("faults", {"account": "MeridianEU", "webhook_delay_ms": 3_600_000})
    psp.pay()
    assert deliver() == 0
    make_due(psp)
    assert deliver() == 1


def test_waiting_grows_to_a_limit() -> None:
    waits = [backoff_seconds(tries) for tries in (1, 2, 5, 10, 10_000)]
    assert waits[0] < 1
    assert waits == sorted(waits) or waits[-1] <= BACKOFF_SECONDS_MAX * 1.25
    assert max(waits) <= BACKOFF_SECONDS_MAX * 1.25


@contextmanager
def sender_process(env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "web.sandbox.sender"], env={"PATH": os.environ["PATH"], **env})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_the_sender_process_delivers_advances_and_survives_being_killed(
    psp: Psp, database_url: str, receiver: Receiver
) -> None:
    env = environment(database_url, SANDBOX_WEBHOOK_URL_EU=receiver.url)
    with sender_process(env) as process:
        psp.pay()
        receiver.await_count(1)
        psp.pay("4000000000000077")  # pending, captured by the sender's clock
        receiver.await_count(2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        psp.pay()
    with sender_process(env) as process:
        receiver.await_count(3)
        process.terminate()
        assert process.wait(timeout=15) == 0
    assert {event["type"] for event in receiver.events()} == {"payment.captured"}
    assert len({event["data"]["id"] for event in receiver.events()}) == 3
