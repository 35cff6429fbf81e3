"""Webhooks: deliveries a second beside a bare asynchronous client; what one hanging endpoint in ten costs the others.

`python tests/bench/webhooks.py` prints figures and ends with a line of JSON. Aims: at least 0.4 of the bare client,
which posts the same signed bodies to the same receiver in the same run; the age of the oldest due delivery of healthy
endpoints unchanged within 20 % while one in ten hangs. The receiver is a process of its own.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)

import httpcore  # noqa: E402
import psycopg  # noqa: E402

from pipelines.webhooks import repository  # noqa: E402
from pipelines.webhooks.process import LOCALHOST  # noqa: E402
from pipelines.webhooks.repository import Event  # noqa: E402
from pipelines.webhooks.router import deliveries_of  # noqa: E402
from regions import webhook_signing as signing  # noqa: E402
from regions.webhook_catalog import CATALOG, render  # noqa: E402
from tests.support.postgres import running_postgres  # noqa: E402
from tests.support.regional import RegionDatabase, region_on  # noqa: E402
from tests.support.webhooks import Hooks, hooks_on  # noqa: E402

ENDPOINTS = 10
DELIVERIES = int(os.environ.get("BENCH_DELIVERIES", "6000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CONCURRENCY = 64
STEADY_SECONDS = float(os.environ.get("BENCH_STEADY_SECONDS", "20"))
STEADY_EVENTS_S = 10  # each goes to ten endpoints
SAMPLE_SECONDS = 0.05
DATA = json.dumps({"payment_id": "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse", "amount_minor": 1999, "filler": "x" * 600})

RECEIVER = """
import asyncio, sys
OK = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
class Receiver(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
    def data_received(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b"\\r\\n\\r\\n")
            if end < 0:
                return
            head = self.buffer[:end].lower()
            start = head.index(b"content-length:") + 15
            size = int(head[start:head.find(b"\\r\\n", start) if head.find(b"\\r\\n", start) > 0 else None])
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size:]
            if not head.startswith(b"post /hanging"):
                self.transport.write(OK)
async def main():
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
DISPATCHER = """
import os, signal, threading
from pipelines.webhooks.domain import Policy
from pipelines.webhooks.process import dispatch
from regions.region import load_region
from regions.vault import open_vault
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
region = load_region("eu")
dispatch(region, os.environ, stop, open_vault(region.vault_uri()), Policy(timeout=float(os.environ["TIMEOUT"])))
"""


@contextmanager
def receiver() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextmanager
def dispatcher(database: RegionDatabase, timeout_s: float = 20.0) -> Iterator[None]:
    env = {**database.env_for("dispatcher"), LOCALHOST: "1", "PYTHONPATH": str(ROOT), "TIMEOUT": str(timeout_s)}
    process = subprocess.Popen([sys.executable, "-c", DISPATCHER], env=env)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


class Traffic:
    """Events for one merchant, routed as the router does; each of an object of its own."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._number = 0
        self.connection = hooks.database.connect("dispatcher")
        self._endpoints = repository.endpoints(self.connection, [hooks.merchant_id])

    def route(self, events: int) -> list[Event]:
        now = datetime.now(UTC)
        made = []
        for _ in range(events):
            self._number += 1
            made.append(
                Event(
                    uuid4(), self._hooks.merchant_id, False, "payment.succeeded", f"pay_{self._number}", 1, 1, now, DATA
                )
            )
        with self.connection.transaction():
            repository.insert(self.connection, made, list(deliveries_of(made, self._endpoints, "eu")))
        return made


def pending(connection: psycopg.Connection, merchant_id: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM webhook_deliveries WHERE merchant_id = %s AND status = 'pending'", (merchant_id,)
    ).fetchone()
    return 0 if row is None else int(row[0])


def deliver(hooks: Hooks) -> float:
    """Deliveries a second: from the first that leaves until all are written down."""
    traffic = Traffic(hooks)
    with dispatcher(hooks.database):
        traffic.route(1)
        while pending(traffic.connection, hooks.merchant_id):
            time.sleep(0.02)
        for _ in range(DELIVERIES // ENDPOINTS // 100):
            traffic.route(100)
        left = before = pending(traffic.connection, hooks.merchant_id)
        started = time.perf_counter()
        while left:
            time.sleep(0.02)
            left = pending(traffic.connection, hooks.merchant_id)
        return before / (time.perf_counter() - started)


def messages(count: int) -> list[tuple[str, list[tuple[bytes, bytes]], bytes]]:
    """The same bodies, signed beforehand: the bare client only posts."""
    signer = signing.Signer.of([signing.make_secret(b"x" * 32)], [signing.make_private_key(b"y" * 32)])
    made = []
    for number in range(count):
        body = render(
            region="eu", event_id=uuid4(), name="payment.succeeded", time=datetime.now(UTC), livemode=False,
            object_id=f"pay_{number}", sequence=1, schema_version=1, data=DATA, api_version=CATALOG.current,
        )  # fmt: skip
        headers = signer.headers(f"evt_{number}", int(time.time()), body) | {
            "content-type": "application/json", "content-length": str(len(body)), "host": "127.0.0.1",
        }  # fmt: skip
        made.append((f"/ok/{number % ENDPOINTS}", [(k.encode(), v.encode()) for k, v in headers.items()], body))
    return made


def bare(port: int) -> float:
    """Posts a second of a bare asynchronous client: connections that are kept, one post after the other on each.

    Not the library's own pool, which looks at all of its connections for each post and comes to a tenth of this.
    """
    waiting = messages(DELIVERIES)[::-1]

    async def post(connection: httpcore.AsyncHTTPConnection) -> None:
        while waiting:
            path, headers, body = waiting.pop()
            url = httpcore.URL(scheme="http", host="127.0.0.1", port=port, target=path)
            answer = await connection.handle_async_request(httpcore.Request("POST", url, headers=headers, content=body))
            await answer.aread()
            await answer.aclose()
            assert answer.status == 200

    async def run() -> float:
        origin = httpcore.Origin(b"http", b"127.0.0.1", port)
        kept = [httpcore.AsyncHTTPConnection(origin, keepalive_expiry=30) for _ in range(CONCURRENCY)]
        started = time.perf_counter()
        await asyncio.gather(*(post(connection) for connection in kept))
        seconds = time.perf_counter() - started
        for connection in kept:
            await connection.aclose()
        return DELIVERIES / seconds

    return asyncio.run(run())


def ages(hooks: Hooks, healthy: list[str]) -> list[float]:
    """The age of the oldest due delivery of healthy endpoints, in seconds, many times under steady load."""
    traffic, stop = Traffic(hooks), threading.Event()

    def load() -> None:
        at = time.perf_counter()
        while not stop.is_set():
            traffic.route(1)
            at += 1 / STEADY_EVENTS_S
            stop.wait(max(0.0, at - time.perf_counter()))

    found = []
    with dispatcher(hooks.database, timeout_s=20.0), hooks.database.connect("dispatcher") as connection:
        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(5)  # until the hanging endpoint hangs with all that it may
        ends = time.perf_counter() + STEADY_SECONDS
        while time.perf_counter() < ends:
            row = connection.execute(
                """SELECT coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8
                     FROM webhook_deliveries
                    WHERE endpoint_id = ANY(%s) AND status = 'pending' AND claim IS NULL
                      AND due_at <= clock_timestamp()""",
                (healthy,),
            ).fetchone()
            assert row is not None
            found.append(row[0])
            time.sleep(SAMPLE_SECONDS)
        stop.set()
        thread.join()
    return found


def main() -> int:
    figures: dict[str, Any] = {"deliveries": DELIVERIES, "delivered_s": [], "bare_s": []}
    with running_postgres() as server, tempfile.TemporaryDirectory(), receiver() as port:
        with region_on(server) as database, hooks_on(database) as make:
            for _ in range(ROUNDS):
                figures["bare_s"].append(round(bare(port)))
                hooks = make()
                for number in range(ENDPOINTS):
                    hooks.endpoint(f"http://127.0.0.1:{port}/ok/{number}")
                figures["delivered_s"].append(round(deliver(hooks)))
            figures["ratio"] = round(median(figures["delivered_s"]) / median(figures["bare_s"]), 2)
            print(
                f"delivered {figures['delivered_s']}/s, bare {figures['bare_s']}/s, ratio {figures['ratio']} (aim 0.4)"
            )
            seen: dict[str, list[float]] = {"healthy": [], "hanging": []}
            for _ in range(2):  # in turn, so that a machine that is busy for a while is so for both
                for name in seen:
                    hooks = make()
                    made = [
                        hooks.endpoint(f"http://127.0.0.1:{port}/{name if number == 0 else 'ok'}/{number}")["id"]
                        for number in range(ENDPOINTS)
                    ]
                    seen[name] += ages(hooks, made[1:])
        for name, found in seen.items():
            figures[f"age_{name}_ms"] = {
                "mean": round(mean(found) * 1000, 1), "p95": round(sorted(found)[int(len(found) * 0.95)] * 1000, 1),
            }  # fmt: skip
        healthy, hanging = figures["age_healthy_ms"], figures["age_hanging_ms"]
        figures["age_change"] = round(hanging["mean"] / max(healthy["mean"], 0.1) - 1, 2)
        print(f"oldest due delivery: {healthy} ms, with one in ten hanging {hanging} ms (aim: within 20 %)")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
