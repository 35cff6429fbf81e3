"""The stream on a real Apache Kafka: three brokers, `min.insync.replicas=2`, and everything dies in turn.

One cluster and one database server serve all tests of this file; each test has a region, so topics of its own.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import psycopg
import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from pipelines import broker
from pipelines.broker import client_settings, ensure_topics
from pipelines.leadership import Task, connect, lead
from pipelines.relay import service
from pipelines.relay.producer import BatchProducer
from pipelines.relay.service import Relay
from tests.support.kafka import KafkaCluster, running_kafka
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.regional import region_on
from tests.support.stream import Stream, await_that, seeded, stream_on

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600), pytest.mark.xdist_group("kafka")]

LONG = 300.0  # brokers elect leaders, clients find them: on a busy machine that takes its time


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Three brokers that are started a dozen times and never run for long: compiling them well does not pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
        with running_kafka(tmp_path_factory.mktemp("kafka")) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def durable_server() -> Iterator[PostgresServer]:
    """What it has committed it keeps when it restarts at once."""
    with running_postgres({"fsync": "off", "full_page_writes": "off"}) as server:
        yield server


@pytest.fixture
def stream_of(
    cluster: KafkaCluster, durable_server: PostgresServer, tmp_path: Path
) -> Iterator[Callable[[str], Stream]]:
    with ExitStack() as stack:
        yield lambda code: stack.enter_context(
            stream_on(stack.enter_context(region_on(durable_server, code)), cluster.bootstrap, tmp_path)
        )


class Storm:
    """Traffic that never stops, and the faults that meet it. Each fault ends healed; `ids` is what was committed."""

    def __init__(self, stream: Stream, cluster: KafkaCluster, server: PostgresServer, random: Random) -> None:
        self.stream, self.cluster, self.server, self.random = stream, cluster, server, random
        self.ids: list[str] = []
        ensure_topics(stream.region, stream.bootstrap, timeout_seconds=20)
        self.running = {name: stream.start(name) for name in ("relay", "ingest")}

    def trade(self, transactions: int = 10) -> None:
        self.ids += self.stream.trade(self.random, transactions)

    def kill_process(self, name: str) -> None:
        time.sleep(self.random.uniform(0.0, 1.0))
        self.running[name].kill()
        self.running[name].wait()
        self.stream.processes.remove(self.running[name])
        self.trade(5)
        self.running[name] = self.stream.start(name)

    def kill_broker(self) -> None:
        """One of three: the two others take over, and what it missed it fetches when it is back."""
        node = self.random.choice(self.cluster.alive)
        self.cluster.kill(node)
        self.trade()
        self.cluster.start(node)

    def pause_broker(self, seconds: float = 3.0) -> None:
        """It keeps its connections and says nothing: worse than dead."""
        node = self.random.choice(self.cluster.alive)
        self.cluster.pause(node)
        try:
            self.trade()
            time.sleep(seconds)
        finally:
            self.cluster.resume(node)

    def lose_the_majority(self) -> None:
        """With one broker left nothing is acknowledged, so the cursor stays; afterwards everything goes on."""
        first, second = self.random.sample(self.cluster.alive, 2)
        self.cluster.kill(first, second)
        before = self.stream.unsent()
        self.trade()
        assert self.stream.unsent() > before, "one copy is no acknowledgement"
        self.cluster.start(first, second)

    def lose(self, how: Callable[[], None]) -> None:
        """What the relay had acknowledged is gone from Kafka before the ingest has read it."""
        ingest = self.running["ingest"]
        ingest.kill()
        ingest.wait()
        self.stream.processes.remove(ingest)
        self.trade()
        await_that("the relay has sent everything", lambda: self.stream.unsent() == 0, LONG)
        how()
        self.trade()
        self.running["ingest"] = self.stream.start("ingest")

    def outlive_retention(self) -> None:
        """Kafka drops every record that there is, as it does with old ones; offsets go on."""
        admin = AdminClient(client_settings(self.stream.bootstrap, "test"))
        ends = [
            TopicPartition(topic, n, OFFSET_END) for topic, count in self.stream.topics.items() for n in range(count)
        ]
        for future in admin.delete_records(ends).values():
            future.result(LONG)

    def restart_database(self) -> None:
        """As SIGKILL of a backend does it: every connection ends at once, and recovery reads the log."""
        with psycopg.connect(self.server.url) as admin:
            victim = admin.info.backend_pid
            os.kill(victim, signal.SIGKILL)
        await_that("PostgreSQL is back", self._database_answers)
        self.trade()

    def _database_answers(self) -> bool:
        try:
            self.stream.committed()
        except psycopg.OperationalError:
            return False
        return True

    def commit_late(self) -> None:
        """Low ids, a low transaction id, and a commit after others have been sent."""
        with self.stream.database.connect("worker") as slow, slow.transaction():
            low = [self.stream.append(slow, "link.created", f"slow_{number}") for number in range(3)]
            self.trade()
            time.sleep(self.random.uniform(0.0, 1.0))
        self.ids += low

    def must_agree(self) -> None:
        self.trade()
        self.stream.await_lake(self.ids, LONG)
        assert self.stream.committed() == Counter(self.ids)
        assert all(process.poll() is None for process in self.running.values())


def faults_of(storm: Storm) -> list[Callable[[], None]]:
    return [
        storm.kill_broker,
        storm.pause_broker,
        storm.restart_database,
        storm.commit_late,
        lambda: storm.kill_process("relay"),
        lambda: storm.kill_process("ingest"),
    ]


def test_a_storm_of_faults_neither_loses_nor_repeats(
    stream_of: Callable[[str], Stream], cluster: KafkaCluster, durable_server: PostgresServer
) -> None:
    random = seeded()
    storm = Storm(stream_of("eu"), cluster, durable_server, random)
    storm.trade()
    faults = faults_of(storm)
    random.shuffle(faults)
    for fault in faults:
        fault()
        storm.trade(5)
    storm.must_agree()
    assert "asking the relay to send them again" not in storm.stream.log("ingest"), "Kafka keeps what two brokers have"


def test_nothing_is_acknowledged_by_one_broker_alone_and_a_wiped_kafka_is_filled_from_the_outbox(
    stream_of: Callable[[str], Stream], cluster: KafkaCluster, durable_server: PostgresServer
) -> None:
    storm = Storm(stream_of("us"), cluster, durable_server, seeded())
    storm.trade()
    storm.stream.await_lake(storm.ids, LONG)
    storm.lose_the_majority()
    storm.must_agree()
    storm.lose(cluster.wipe)
    storm.must_agree()
    storm.lose(storm.outlive_retention)
    storm.must_agree()
    assert storm.stream.log("ingest").count("asking the relay to send them again") > 1


def test_topics_grow_under_a_running_ingest(
    stream_of: Callable[[str], Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First they have one partition each, then what the contract says, then more than the running ingest knows of."""
    stream = stream_of("hk")
    random, contract = seeded(), dict(stream.topics)

    def relay_with(extra: int, *, at_least: int = 0) -> None:
        counts = {topic: max(at_least, count + extra) for topic, count in contract.items()}
        for module in (broker, service):
            monkeypatch.setattr(module, "topic_partitions", lambda _: counts)
        ensure_topics(stream.region, stream.bootstrap, timeout_seconds=20)
        with connect(stream.region, stream.database.role_urls["relay"], "test relay") as connection:
            assert lead(connection, Task.RELAY, threading.Event())
            producer = BatchProducer(stream.bootstrap, "test-relay", threading.Event(), lambda: True)
            relay = Relay(stream.region, connection, producer)
            while relay.step():
                pass
            producer.close()

    ids = stream.trade(random, 10)
    relay_with(-max(contract.values()), at_least=1)
    stream.start("ingest")
    stream.await_lake(ids, LONG)
    ids += stream.trade(random, 40)
    relay_with(2)
    stream.await_lake(ids, LONG)
    assert "partitions that were not there" in stream.log("ingest")


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_two_hundred_faults_and_minutes_of_silence(
    stream_of: Callable[[str], Stream], cluster: KafkaCluster, durable_server: PostgresServer
) -> None:
    random = seeded()
    storm = Storm(stream_of("in"), cluster, durable_server, random)
    faults = faults_of(storm)
    for number in range(200):
        random.choice(faults)()
        storm.trade(3)
        if number % 50 == 49:
            storm.pause_broker(150.0)
            storm.must_agree()
    storm.lose_the_majority()
    storm.must_agree()


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_two_hundred_kills_of_the_relay_at_random_moments(
    stream_of: Callable[[str], Stream], cluster: KafkaCluster, durable_server: PostgresServer
) -> None:
    storm = Storm(stream_of("hk"), cluster, durable_server, seeded())
    for _ in range(200):
        storm.trade(3)
        storm.kill_process("relay")
    storm.must_agree()
