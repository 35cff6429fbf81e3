"""A storm of webhooks: endpoints of every temper, dispatchers that are killed, and what must be true after it."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipelines.webhooks import repository
from pipelines.webhooks.process import LOCALHOST
from pipelines.webhooks.repository import Event
from pipelines.webhooks.router import deliveries_of
from tests.support.stream import REPOSITORY
from tests.support.webhooks import Hooks

# How a storm's endpoints behave; those that are healthy in the end must have got everything.
TEMPERS = (
    *["fast"] * 7, *["slow"] * 2, *["flapping"] * 2, "drip", "drip", "error", "error", "hanging", "hanging",
    "disconnecting", "redirect", "gone",
)  # fmt: skip
HEALTHY = frozenset({"fast", "slow", "flapping"})
DISPATCHER = """
import os, signal, threading
from pipelines.webhooks.domain import Policy
from pipelines.webhooks.process import dispatch
from regions.region import load_region
from regions.vault import open_vault
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
region = load_region(os.environ["STORM_REGION"])
policy = Policy(delays=(0.0, *[0.2, 0.5] * 10), timeout=1.0, lease=2.0, overtake_after=60.0, breaker_failures=5,
                breaker_delays=(0.5, 1.0, 2.0), concurrency=96, endpoint_concurrency=8)
dispatch(region, os.environ, stop, open_vault(region.vault_uri()), policy)
"""


@dataclass
class Temperamental:
    """Many endpoints in one server: `/temper/number`. Keeps, per endpoint, what it accepted, in order."""

    port: int = 0
    accepted: dict[str, list[tuple[str, str, int, float]]] = field(default_factory=lambda: defaultdict(list))
    seen: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ", 2)[1]
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.seen[path] += 1
        temper = path.split("/")[1]
        status = await self._temper(temper, path, writer)
        if status is None:
            return False
        if status == 200:
            event = json.loads(body)
            self.accepted[path].append((event["id"], event["object_id"], event["sequence"], time.monotonic()))
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nlocation: /fast/99\r\n\r\n".encode())
        await writer.drain()
        return True

    async def _temper(self, temper: str, path: str, writer: asyncio.StreamWriter) -> int | None:
        """The status to answer; None when there is nothing more to say, as of one that disconnects."""
        if temper == "slow":
            await asyncio.sleep(0.05)
        elif temper == "hanging":
            await asyncio.sleep(30)
        elif temper == "drip":  # a byte now and then, for ever
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
        elif temper == "flapping":  # good times and bad times
            return 200 if self.seen[path] // 20 % 2 == 0 or self.chance.random() < 0.3 else 503
        return {"fast": 200, "slow": 200, "error": 500, "redirect": 301, "gone": 410}.get(temper)


@contextmanager
def temperamental() -> Iterator[Temperamental]:
    """The server, on a thread of this process."""
    server, loop, ready = Temperamental(), asyncio.new_event_loop(), threading.Event()

    async def run() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1024)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set()
        async with listening:
            await listening.serve_forever()

    def main() -> None:
        asyncio.set_event_loop(loop)
        with_task = loop.create_task(run())
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(with_task)

    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(timeout=5)


@dataclass
class Storm:
    """Endpoints, the events that were routed to them, and dispatchers."""

    hooks: Hooks
    server: Temperamental
    folder: Path
    paths: dict[str, str] = field(default_factory=dict)  # endpoint id → path
    routed: list[Event] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    last: Counter[str] = field(default_factory=Counter)  # the last sequence of each object
    started: int = 0
    killed: int = 0

    def make_endpoints(self) -> None:
        for number, temper in enumerate(TEMPERS):
            path = f"/{temper}/{number}"
            made = self.hooks.endpoint(f"http://127.0.0.1:{self.server.port}{path}")
            self.paths[made["id"]] = path

    def route(self, events: int, chance: random.Random) -> int:
        """Route that many events, of objects with gapless sequences; how many deliveries that made."""
        made = 0
        with self.hooks.database.connect("dispatcher") as connection:
            found = repository.endpoints(connection, [self.hooks.merchant_id])
            while events:
                batch = []
                for _ in range(min(events, 200)):
                    object_id = f"pay_{chance.randrange(max(4, events // 4))}"
                    self.last[object_id] += 1
                    now = datetime.now(UTC)
                    merchant = self.hooks.merchant_id
                    batch.append(
                        Event(
                            uuid4(),
                            merchant,
                            False,
                            "payment.succeeded",
                            object_id,
                            self.last[object_id],
                            1,
                            now,
                            '{"n":1}',
                        )
                    )
                events -= len(batch)
                with connection.transaction():
                    made += repository.insert(
                        connection, batch, list(deliveries_of(batch, found, self.hooks.database.region))
                    )
                self.routed += batch
        return made

    def start(self) -> None:
        """One more dispatcher."""
        region = self.hooks.database.region
        env = {**self.hooks.database.env_for("dispatcher"), LOCALHOST: "1", "STORM_REGION": region}
        self.started += 1
        self.processes.append(
            subprocess.Popen(
                [sys.executable, "-c", DISPATCHER],
                cwd=REPOSITORY,
                env=env,
                stdout=subprocess.DEVNULL,
                stderr=(self.folder / "dispatcher.log").open("ab"),
            )
        )

    def kill_one(self) -> None:
        """SIGKILL a dispatcher, whatever it has in flight, and start another."""
        process = self.processes.pop(0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.killed += 1
        self.start()

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)

    def pending_of_healthy(self) -> int:
        healthy = [one for one, path in self.paths.items() if path.split("/")[1] in HEALTHY]
        with self.hooks.database.connect("dispatcher") as connection:
            row = connection.execute(
                "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending' AND endpoint_id = ANY(%s)", (healthy,)
            ).fetchone()
        assert row is not None
        return int(row[0])

    def faults(self) -> list[str]:
        """What must not be: a healthy endpoint that lacks an event, or saw an object out of order."""
        wanted: dict[str, list[int]] = defaultdict(list)
        for event in self.routed:
            wanted[event.object_id].append(event.sequence)
        found = []
        for path in self.paths.values():
            if path.split("/")[1] not in HEALTHY:
                continue
            told: dict[str, list[int]] = defaultdict(list)
            ids: set[str] = set()
            for event_id, object_id, sequence, _ in self.server.accepted[path]:
                if event_id not in ids:
                    ids.add(event_id)
                    told[object_id].append(sequence)
            if told != wanted:
                missing = sum(len(set(all_of) - set(told[one])) for one, all_of in wanted.items())
                disordered = sum(order != sorted(order) for order in told.values())
                found.append(f"{path}: {missing} events missing, {disordered} objects out of order")
        return found

    def figures(self) -> dict[str, Any]:
        """What happened, for people."""
        by_status = self.hooks.statuses()
        finished = {path: log[-1][3] for path, log in self.server.accepted.items() if log}
        fast = [at for path, at in finished.items() if path.startswith("/fast")]
        return {
            "deliveries": sum(by_status.values()),
            "requests": sum(self.server.seen.values()),
            "repeats": sum(len(log) - len({one[0] for one in log}) for log in self.server.accepted.values()),
            "statuses": dict(by_status),
            "killed": self.killed,
            "spread_of_fast_s": round(max(fast) - min(fast), 2) if fast else None,
        }
