"""Relay and ingest as real processes, killed where it hurts: what was committed is in the lake, once."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from pipelines.broker import ensure_topics
from pipelines.relay.domain import Numbering
from pipelines.relay.envelope import Place, RecordWriter
from pipelines.relay.producer import BatchProducer, DeliveryError
from pipelines.relay.repository import OutboxRow
from pipelines.stamps import blank
from regions.region import load_region
from tests.support.regional import RegionDatabase
from tests.support.stream import Broker, Stream, await_that, running_broker, seeded, stream_on

POINTS = {
    "relay.after_snapshot": "relay",
    "relay.in_batch": "relay",
    "relay.after_produce": "relay",
    "relay.after_cursor": "relay",
    "ingest.after_data_file": "ingest",
    "ingest.after_commit": "ingest",
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def stream(new_region_database: Callable[..., RegionDatabase], broker: Broker, tmp_path: Path) -> Iterator[Stream]:
    with stream_on(new_region_database(), broker.bootstrap, tmp_path) as stream:
        yield stream


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_named_point_neither_loses_nor_repeats(stream: Stream, point: str) -> None:
    random = seeded()
    name = POINTS[point]
    other = stream.start("ingest" if name == "relay" else "relay")
    fault = {"MERIDIAN_FAULT": point, "MERIDIAN_FAULT_ONCE": str(stream.folder / "died")}
    with stream.database.connect("worker") as slow, slow.transaction():
        ids = [stream.append(slow, "link.created", f"slow_{number}") for number in range(5)]
        ids += stream.trade(random, 20)
        killed = stream.start(name, **fault)
        assert killed.wait(timeout=30) == -signal.SIGKILL
        stream.processes.remove(killed)
    # What has committed meanwhile has lower ids than what was sent: a new batch would number everything differently.
    ids += stream.trade(random, 20)
    stream.start(name, **fault)
    ids += stream.trade(random, 20)
    stream.await_lake(ids)
    assert stream.committed() == Counter(ids)
    assert other.poll() is None


def kill_at_random(stream: Stream, random: Random, rounds: int) -> None:
    """Traffic goes on while relay and ingest are killed again and again."""
    ids: list[str] = []
    running = {name: stream.start(name) for name in ("relay", "ingest")}
    for _ in range(rounds):
        name = random.choice(("relay", "ingest"))
        ids += stream.trade(random, 30)
        time.sleep(random.uniform(0.0, 2.5))
        running[name].kill()
        running[name].wait()
        stream.processes.remove(running[name])
        ids += stream.trade(random, 5)
        running[name] = stream.start(name)
    stream.await_lake(ids)
    assert stream.committed() == Counter(ids)


def test_kills_at_random_moments_neither_lose_nor_repeat(stream: Stream) -> None:
    kill_at_random(stream, seeded(), rounds=4)


@pytest.mark.campaign
def test_two_hundred_kills_neither_lose_nor_repeat(stream: Stream) -> None:
    kill_at_random(stream, seeded(), rounds=200)


def test_of_two_relays_and_two_ingests_one_each_works_and_the_others_take_over(stream: Stream) -> None:
    random = seeded()
    pairs = {name: [stream.start(name), stream.start(name)] for name in ("relay", "ingest")}
    ids = stream.trade(random, 30)
    stream.await_lake(ids)
    for name, pair in pairs.items():
        await_that(f"a second {name} stands by", lambda name=name: "standing by" in stream.log(name))
        assert stream.log(name).count('"leading"') == 1
        for process in pair:
            if process.poll() is None and stream.log(name).count('"leading"') == 1:
                process.kill()
                process.wait()
                stream.processes.remove(process)
                ids += stream.trade(random, 10)
    ids += stream.trade(random, 10)
    for name in pairs:
        stream.start(name)
    stream.await_lake(ids)


def test_a_relay_that_dies_is_replaced_at_once(stream: Stream) -> None:
    """The second of each measured take-over is printed; the lock is looked at ten times a second."""
    leader = stream.start("relay")
    for round_number in (1, 2):
        await_that("a relay leads", lambda count=round_number: stream.log("relay").count('"leading"') == count)
        second = stream.start("relay")
        await_that("another stands by", lambda count=round_number: stream.log("relay").count("standing by") == count)
        leader.kill()
        begun = time.monotonic()
        await_that("it leads", lambda count=round_number: stream.log("relay").count('"leading"') == count + 1)
        print(f"take-over after {time.monotonic() - begun:.2f} s")
        leader.wait()
        stream.processes.remove(leader)
        leader = second


def test_a_record_that_fails_is_told_although_successes_are_not(broker: Broker) -> None:
    ensure_topics(load_region("eu"), broker.bootstrap)
    producer = BatchProducer(broker.bootstrap, "test", threading.Event(), lambda: True)

    def queue(last: int) -> None:
        producer.start_batch()
        writer = RecordWriter({}, [Place("eu.links.v1", number, f"eu.links.v1/{number}") for number in (0, 1, last)])
        value = b"{" + blank(1, 1).encode()
        rows = [OutboxRow(b"links/key%d" % number, value) for number in range(30)]  # keys of all three partitions
        producer.produce(writer.page(rows, Numbering(1, 1)))

    queue(2)
    producer.await_acknowledgements()
    with pytest.raises(DeliveryError):
        queue(99)
    broker.stop()
    queue(2)
    producer._producer.purge()  # what is in flight fails, and only a report says so
    with pytest.raises(DeliveryError):
        producer.await_acknowledgements()
    broker.start()
    ensure_topics(load_region("eu"), broker.bootstrap)
    queue(2)
    producer.await_acknowledgements()
    producer.close()


def test_a_long_transaction_that_commits_late_with_low_ids_is_not_lost(stream: Stream) -> None:
    random = seeded()
    stream.start("relay")
    stream.start("ingest")
    with stream.database.connect("worker") as slow, slow.transaction():
        low = [stream.append(slow, "link.created", f"slow_{number}") for number in range(5)]
        high = stream.trade(random, 20)
        stream.await_lake(high)
        assert max(low) < min(high)
    stream.await_lake([*low, *high])


def test_a_wiped_broker_is_filled_again_from_the_outbox(stream: Stream, broker: Broker) -> None:
    random = seeded()
    relay = stream.start("relay")
    ingest = stream.start("ingest")
    ids = stream.trade(random, 20)
    stream.await_lake(ids)
    stream.stop(ingest)
    ids += stream.trade(random, 20)
    await_that("the relay has sent everything", lambda: stream.unsent() == 0)
    broker.wipe()
    # The new log begins behind the hole: nothing of it may be accepted before the hole is filled.
    ids += stream.trade(random, 20)
    await_that("the relay has sent everything to the new log", lambda: stream.unsent() == 0)
    stream.start("ingest")
    stream.await_lake(ids)
    ids += stream.trade(random, 20)
    stream.await_lake(ids)
    assert relay.poll() is None
    assert "asking the relay to send them again" in stream.log("ingest")


def test_a_broker_that_comes_back_empty_under_traffic_loses_nothing(stream: Stream, broker: Broker) -> None:
    random = seeded()
    processes = [stream.start("relay"), stream.start("ingest")]
    ids = stream.trade(random, 30)
    for _ in range(2):
        broker.stop()
        ids += stream.trade(random, 10)
        time.sleep(random.uniform(0.0, 1.5))
        broker.start()
        ids += stream.trade(random, 10)
    stream.await_lake(ids)
    assert all(process.poll() is None for process in processes)


def test_a_database_that_drops_every_connection_stops_nothing(stream: Stream) -> None:
    random = seeded()
    processes = [stream.start("relay"), stream.start("ingest")]
    ids = stream.trade(random, 10)
    stream.await_lake(ids)
    with stream.database.connect("postgres") as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    ids += stream.trade(random, 10)
    stream.await_lake(ids)
    assert all(process.poll() is None for process in processes)
