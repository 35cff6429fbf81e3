"""Outbox to lake through real relay and ingest processes: what arrives, in which order, and what is set aside."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.positions import Position
from regions import events
from tests.support.regional import RegionDatabase
from tests.support.stream import Stream, await_that, running_broker, seeded, stream_on

LINK = events.registry()["link.created"].examples[0]


@pytest.fixture
def stream(new_region_database: Callable[..., RegionDatabase], tmp_path: Path) -> Iterator[Stream]:
    with running_broker(tmp_path) as broker, stream_on(new_region_database(), broker.bootstrap, tmp_path) as stream:
        yield stream


def test_every_event_arrives_once_in_its_objects_order_and_partition(stream: Stream) -> None:
    stream.start("relay")
    stream.start("ingest")
    stream.await_lake(stream.trade(seeded(), 60))
    lake = stream.lake()
    rows = lake.events().scan().to_arrow().to_pylist()
    by_subject: dict[str, list[tuple[Position, int]]] = {}
    for row in rows:
        by_subject.setdefault(row["subject"], []).append((Position.parse(row["position"]), row["sequence"]))
        assert row["kafka_topic"] == events.topic("eu", row["family"])
        assert row["kafka_partition"] == events.partition_for(row["subject"], stream.topics[row["kafka_topic"]])
        assert row["merchant_id"] == stream.database.merchant_id
    for subject, places in by_subject.items():
        sequences = [sequence for _, sequence in sorted(places)]
        assert sequences == list(range(1, len(sequences) + 1)), subject
    assert all(file.partition[0] is not None for file in (task.file for task in lake.events().scan().plan_files()))
    lake.close()


def test_duckdb_reads_the_listed_files_with_every_column(stream: Stream) -> None:
    stream.start("relay")
    stream.start("ingest")
    ids = stream.trade(seeded(), 20)
    stream.await_lake(ids)
    lake = stream.lake()
    files = lake.files("events")
    lake.close()
    found = duckdb.sql(
        "SELECT event_id, typeof(time), data ->> 'currency', lake_seq "
        f"FROM {files.duckdb_sql()} WHERE type = 'link.created'"
    ).fetchall()
    links = [row[0] for row in found]
    assert set(links) <= set(ids)
    assert links
    assert {row[1] for row in found} == {"TIMESTAMP WITH TIME ZONE"}
    assert all(row[2] for row in found)
    assert max(row[3] for row in found) <= files.lake_seq


def test_what_is_no_event_is_set_aside_once_with_its_reason(stream: Stream) -> None:
    died = stream.folder / "died"
    stream.start("relay")
    with stream.database.connect("worker") as worker:
        before = stream.append(worker, "link.created", "good")
        stream.append(worker, "link.exploded", "unknown")
        stream.append(worker, "link.created", "broken", LINK | {"amount_minor": "many"})
        stream.append(worker, "link.created", "unrouted", family="gossip")
        stream.append(worker, "payment.created", "misplaced", family="links")
        after = stream.append(worker, "link.created", "good")
    await_that("the relay has sent", lambda: sent_batches(stream) > 0)
    stream.produce_raw("eu.links.v1", b"\xff{ not json")
    stream.produce_raw("eu.payments.v1", b"x" * 500_000)
    # The quarantine's commit comes first: the kill strikes between the two, and nothing may be set aside twice.
    killed = stream.start("ingest", MERIDIAN_FAULT="ingest.after_data_file", MERIDIAN_FAULT_ONCE=str(died))
    killed.wait(timeout=30)
    assert died.exists()
    assert len(stream.quarantined()) > 0
    stream.start("ingest")
    stream.await_lake([before, after])
    await_that("all six are set aside", lambda: len(stream.quarantined()) >= 6)
    reasons = sorted(stream.quarantined())
    assert reasons == sorted(
        [
            "there is no contract for 'link.exploded version 1'",
            next(reason for reason in reasons if reason.startswith("link.created /amount_minor ")),
            "link.created belongs to family links, not into eu.unrouted.v1",
            "payment.created belongs to family payments, not into eu.links.v1",
            *["the record carries no position: the relay did not send it"] * 2,
        ]
    )


def test_the_commands_create_topics_once_wait_for_the_lake_and_show_it(stream: Stream) -> None:
    first, second = stream.command("topics", "create"), stream.command("topics", "create")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert sorted(first.stdout.split()[1::2]) == sorted(stream.topics)
    assert second.stdout == "all topics exist\n"
    ids = stream.trade(seeded(), 10)
    today = str(stream.region.accounting_date(datetime.now(UTC)))
    late = stream.command("lake", "wait", "--date", today, "--timeout", "1")
    assert (late.returncode, late.stdout) == (1, "")
    assert f"the relay has not sent {len(ids)} events" in late.stderr
    stream.start("relay")
    stream.start("ingest")
    done = stream.command("lake", "wait", "--date", today, "--timeout", "60")
    assert done.returncode == 0, done.stderr
    assert f"the lake of eu holds everything up to {today}" in done.stdout
    status = json.loads(stream.command("lake", "status", "--json").stdout)
    assert (status["events"], status["is_caught_up"]) == (len(ids), True)
    wrong = stream.command("lake", "wait", "--date", "tomorrow")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1), wrong.stderr


def sent_batches(stream: Stream) -> int:
    with stream.database.connect("reader") as reader:
        row = reader.execute("SELECT count(*) FROM relay_batches").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("name", ["relay", "ingest"])
def test_an_unreachable_broker_is_one_sentence(stream: Stream, name: str) -> None:
    stream.bootstrap = "127.0.0.1:9"
    assert_one_sentence(stream, name, "No Kafka broker of region eu answers at 127.0.0.1:9", 1)


@pytest.mark.parametrize("name", ["relay", "ingest"])
def test_an_unreachable_database_is_one_sentence(stream: Stream, name: str) -> None:
    for role in stream.database.role_urls:
        stream.database.role_urls[role] = "postgresql://nobody:hunter2@127.0.0.1:9/meridian"
    assert_one_sentence(stream, name, "The database of region eu does not answer", 1)
    assert "hunter2" not in stream.log(name)


def test_a_missing_variable_is_one_sentence(stream: Stream) -> None:
    stream.bootstrap = ""
    assert_one_sentence(stream, "relay", "KAFKA_BOOTSTRAP_SERVERS_EU", 2)


def assert_one_sentence(stream: Stream, name: str, start: str, code: int) -> None:
    process = stream.start(name)
    assert process.wait(timeout=60) == code
    said = [line for line in stream.log(name).splitlines() if not line.startswith("{")]
    assert len(said) == 1, said
    assert start in said[0]
    assert "Traceback" not in stream.log(name)
