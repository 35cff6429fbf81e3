"""A merchant's server for tests: it keeps what it gets, and answers as it is told."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient

from pipelines.webhooks import repository
from pipelines.webhooks.domain import Policy
from pipelines.webhooks.process import LOCALHOST, dispatch
from pipelines.webhooks.repository import Event
from pipelines.webhooks.router import deliveries_of
from regions.region import load_region
from regions.vault import open_vault
from tests.support.regional import RegionDatabase
from tests.support.stream import await_that
from web.app import create_app
from web.settings import Settings

Answer = Callable[["Received"], tuple[int, dict[str, str], bytes]]


@dataclass(frozen=True)
class Received:
    """One request, as it came. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


def ok(_: Received) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, b"thanks"


@dataclass
class Receiver:
    """What came, and where to send it."""

    url: str
    answer: Answer = ok
    received: list[Received] = field(default_factory=list)


@contextmanager
def receiving(answer: Answer = ok) -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver("", answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            got = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.received.append(got)
            status, headers, answer_body = receiver.answer(got)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer_body)))
            self.end_headers()
            self.wfile.write(answer_body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # senders give up; that is their right
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


FAST = Policy(
    delays=(0.0, 0.05, 0.1, 0.1, 0.2),
    timeout=0.6,
    lease=1.5,
    overtake_after=0.5,
    disable_after=3600.0,
    breaker_failures=1000,
    breaker_delays=(0.3,),
)


@dataclass
class Hooks:
    """One merchant's endpoints and deliveries on a region's database, without Kafka: events are routed by hand."""

    database: RegionDatabase
    client: FlaskClient
    merchant_id: str
    key: dict[str, str]

    def post(self, path: str, body: Any = None, status: int = 202) -> Any:
        answer = self.client.post(path, headers=self.key, json={} if body is None else body)
        assert answer.status_code == status, answer.data
        return answer.json

    def get(self, path: str) -> Any:
        answer = self.client.get(path, headers=self.key)
        assert answer.status_code == 200, answer.data
        return answer.json

    def endpoint(self, url: str, **more: Any) -> Any:
        return self.post("/v1/webhook_endpoints", {"url": url, **more}, 201)

    def emit(self, *numbers: int, object_id: str = "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse") -> list[str]:
        """Route events of one object with these sequence numbers, as the router does; their delivery ids."""
        now = datetime.now(UTC)
        events = [
            Event(uuid4(), self.merchant_id, False, "payment.succeeded", object_id, number, 1, now, '{"n":1}')
            for number in numbers
        ]
        with self.database.connect("dispatcher") as connection, connection.transaction():
            endpoints = repository.endpoints(connection, [self.merchant_id])
            wanted = list(deliveries_of(events, endpoints, self.database.region))
            repository.insert(connection, events, wanted)
        return [delivery.id for delivery in wanted]

    def delivery(self, delivery_id: str) -> Any:
        return self.get(f"/v1/webhook_deliveries/{delivery_id}")

    def statuses(self) -> Counter[str]:
        with self.database.connect("dispatcher") as connection:
            rows = connection.execute(
                "SELECT status, count(*) FROM webhook_deliveries WHERE merchant_id = %s GROUP BY 1", (self.merchant_id,)
            )
            return Counter(dict(rows.fetchall()))

    def await_statuses(self, **wanted: int) -> None:
        await_that(f"deliveries become {wanted}", lambda: self.statuses() == Counter(wanted), 30)

    @contextmanager
    def dispatching(self, policy: Policy = FAST) -> Iterator[None]:
        """A dispatcher on a thread of this process."""
        region, stop = load_region(self.database.region), threading.Event()
        env = {**self.database.env_for("dispatcher"), LOCALHOST: "1"}
        vault = open_vault(region.vault_uri(env))
        failures: list[BaseException] = []

        def run() -> None:
            try:
                dispatch(region, env, stop, vault, policy)
            except BaseException as error:  # noqa: BLE001 - the test shall see it
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        assert failures == []


@contextmanager
def hooks_on(database: RegionDatabase) -> Iterator[Callable[[], Hooks]]:
    """Merchants with their own endpoints, one for each call."""
    region = load_region(database.region)
    app = create_app(region, Settings.from_environment(region, {**database.env, LOCALHOST: "1"}))

    def make() -> Hooks:
        merchant_id, secret_key = database.add_merchant()
        return Hooks(database, app.test_client(), merchant_id, {"Authorization": f"Bearer {secret_key}"})

    yield make
