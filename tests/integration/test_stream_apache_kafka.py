"""The same stream on a real Apache Kafka: killed and restarted, it keeps what it acknowledged."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.stack.kafka import ApacheKafka
from tests.support.regional import RegionDatabase
from tests.support.stream import Stream, await_that, free_port, is_answering, seeded, stream_on

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


class RunningKafka:
    """A broker in a folder of its own, on one port for life."""

    def __init__(self, home: Path) -> None:
        self._kafka = ApacheKafka(home)
        self._kafka.prepare()
        self._kafka.prepare()  # safe to repeat
        self.bootstrap = f"127.0.0.1:{(port := free_port())}"
        self._port = port
        self._log = home / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._kafka.command(self._port), stdout=log, stderr=log)
        await_that("Apache Kafka answers", lambda: is_answering(self.bootstrap))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[RunningKafka]:
    kafka = RunningKafka(tmp_path / "kafka")
    kafka.start()
    yield kafka
    kafka.kill()


@pytest.fixture
def stream(new_region_database: Callable[..., RegionDatabase], kafka: RunningKafka, tmp_path: Path) -> Iterator[Stream]:
    with stream_on(new_region_database(), kafka.bootstrap, tmp_path) as stream:
        yield stream


def test_events_survive_kills_of_kafka_relay_and_ingest(stream: Stream, kafka: RunningKafka) -> None:
    random = seeded()
    fault = {"MERIDIAN_FAULT": "relay.after_produce", "MERIDIAN_FAULT_ONCE": str(stream.folder / "relay-died")}
    ids = stream.trade(random, 40)
    relay, ingest = stream.start("relay", **fault), stream.start("ingest")
    relay.wait(timeout=60)
    stream.processes.remove(relay)
    ids += stream.trade(random, 20)
    relay = stream.start("relay", **fault)
    stream.await_lake(ids)

    ingest.kill()
    ingest.wait()
    stream.processes.remove(ingest)
    ids += stream.trade(random, 20)
    await_that("the relay has sent everything", lambda: stream.unsent() == 0)
    kafka.kill()
    ids += stream.trade(random, 20)
    kafka.start()
    stream.start("ingest")
    stream.await_lake(ids)
    assert relay.poll() is None
    assert "asking the relay to send them again" not in stream.log("ingest"), "Kafka keeps what it has acknowledged"
