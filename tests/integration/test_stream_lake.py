"""The lake's commits: positions with the rows, one winner, a cost that stays flat; and waiting for it."""

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from pipelines.ingest.domain import Chains
from pipelines.ingest.parse import Record, events_table
from pipelines.ingest.writer import BULK_RECORDS_MIN, Intake, LakeWriter
from pipelines.lake.status import read_status
from pipelines.lake.wait import LakeBehindError, wait_for_lake
from pipelines.positions import Position
from regions.errors import MeridianError
from regions.region import load_region
from tests.support.lake import PARTITION, intake
from tests.support.regional import RegionDatabase
from tests.support.stream import Stream, await_that, running_broker, seeded, stream_on
from warehouse.lake import POSITIONS, Lake, read_lake_seq
from warehouse.lake_writer import SNAPSHOTS_KEPT_MAX, AnotherWriterError, stage_append


@pytest.fixture
def lake(new_region_database: Callable[..., RegionDatabase]) -> Iterator[Lake]:
    lake = Lake.open(load_region("eu"), new_region_database().env_for("lake"))
    yield lake
    lake.close()


def test_of_two_writers_on_the_same_state_only_one_commits(lake: Lake) -> None:
    first, second = LakeWriter("eu", lake), LakeWriter("eu", lake)
    first.commit(intake(1, 2), {PARTITION: 2})
    with pytest.raises(AnotherWriterError):
        second.commit(intake(1, 2, 3), {PARTITION: 3})
    assert lake.positions() == {PARTITION: "1:1:2"}
    assert lake.events().scan().count() == 2
    loser = LakeWriter("eu", lake)
    assert loser.positions == {PARTITION: Position(1, 1, 2)}
    loser.commit(intake(3), {PARTITION: 3})
    assert lake.events().scan().count() == 3


def test_a_batch_that_is_proven_in_bulk_comes_in_whole(lake: Lake) -> None:
    size = 2 * BULK_RECORDS_MIN
    taken = intake(*range(1, size + 1))
    taken.accepted[0].values[7] = b"broken{"
    LakeWriter("eu", lake).commit(taken, {PARTITION: size})
    assert sorted(lake.events().scan().to_arrow()["sequence"].to_pylist()) == [
        number for number in range(1, size + 1) if number != 8
    ]
    assert lake.quarantine().scan().to_arrow()["position"].to_pylist() == ["1:1:8"]


def test_of_many_writers_at_once_each_commit_has_one_winner(lake: Lake) -> None:
    LakeWriter("eu", lake)
    for number in range(1, 5):
        writers = [LakeWriter("eu", lake) for _ in range(3)]
        barrier = threading.Barrier(len(writers))
        lost: list[AnotherWriterError] = []

        def race(writer: LakeWriter, number: int = number, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                writer.commit(intake(number), {PARTITION: number})
            except AnotherWriterError as error:
                lost.append(error)  # noqa: B023 - the threads end before the next round

        threads = [threading.Thread(target=race, args=(writer,)) for writer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(lost) == 2
        assert lake.events().scan().count() == number


def test_many_that_open_a_new_lake_at_once_all_find_its_tables(
    new_region_database: Callable[..., RegionDatabase],
) -> None:
    """The ingest and a command may both be the first."""
    env = new_region_database().env_for("lake")
    with ThreadPoolExecutor(6) as threads:
        barrier = threading.Barrier(6, timeout=20)

        def first() -> int:
            barrier.wait()
            lake = Lake.open(load_region("eu"), env)
            try:
                barrier.wait()
                lake.ensure_tables()
                return lake.events().scan().count()
            finally:
                lake.close()

        assert [found.result() for found in [threads.submit(first) for _ in range(6)]] == [0] * 6


def test_a_stale_commit_that_only_moves_positions_loses_too(lake: Lake) -> None:
    """No row is appended when all records of a commit are set aside, so there is no parent snapshot to compare."""
    lake.ensure_tables()
    nothing = events_table([], 1, datetime.now(UTC))
    first, second = lake.events(), lake.events()
    stage_append(lake, first, nothing, {POSITIONS: json.dumps({PARTITION: "1:1:2"})}).commit()
    stale = stage_append(lake, second, nothing, {POSITIONS: json.dumps({PARTITION: "1:1:1"})})
    with pytest.raises(AnotherWriterError):
        stale.commit()
    assert lake.positions() == {PARTITION: "1:1:2"}


def test_a_table_that_lets_commits_be_retried_is_refused(lake: Lake) -> None:
    lake.ensure_tables()
    table = lake.events()
    with table.transaction() as change:
        change.set_properties({"commit.retry.num-retries": "4"})
    with pytest.raises(MeridianError, match="silent commit retries"):
        stage_append(lake, lake.events(), events_table([], 1, datetime.now(UTC)), {})


def test_each_commit_has_its_own_number_also_when_it_only_sets_records_aside(lake: Lake) -> None:
    writer = LakeWriter("eu", lake)
    writer.commit(intake(1), {PARTITION: 1})
    stranger = Record("eu.links.v1", 0, 7, "", None, b"x")
    writer.commit(Intake(Chains({PARTITION: Position(1, 1, 1)}), [], [stranger]), {PARTITION: 8})
    writer.commit(intake(2), {PARTITION: 9})
    assert lake.quarantine().scan().to_arrow()["lake_seq"].to_pylist() == [2]
    assert sorted(lake.events().scan().to_arrow()["lake_seq"].to_pylist()) == [1, 3]
    assert read_lake_seq(lake.events()) == 3


def test_what_a_commit_has_to_read_and_write_does_not_grow_with_history(lake: Lake) -> None:
    """Counted, not timed: a commit costs its snapshots, its manifests and its metadata file."""
    writer = LakeWriter("eu", lake)
    sizes: list[int] = []
    for number in range(1, 121):
        writer.commit(intake(number), {PARTITION: number})
        if number % 20 == 0:
            sizes.append(Path(lake.events().metadata_location.removeprefix("file://")).stat().st_size)
    events = lake.events()
    assert len(events.metadata.snapshots) <= SNAPSHOTS_KEPT_MAX
    snapshot = events.current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(events.io)) < 60
    assert sizes[-1] < 1.5 * sizes[1], f"metadata went from {sizes[1]} to {sizes[-1]} bytes"
    folder = Path(events.location().removeprefix("file://")) / "metadata"
    assert len(list(folder.glob("*.metadata.json"))) <= 25
    assert events.scan().count() == 120


def test_a_reader_of_the_lake_cannot_write_it(new_region_database: Callable[..., RegionDatabase]) -> None:
    database = new_region_database()
    writing = Lake.open(load_region("eu"), database.env_for("lake"))
    LakeWriter("eu", writing).commit(intake(1), {PARTITION: 1})
    reading = Lake.open(load_region("eu"), database.env_for("reader"))
    assert len(reading.files("events").files) == 1
    with pytest.raises(Exception, match="permission denied"):
        LakeWriter("eu", reading).commit(intake(2), {PARTITION: 2})
    assert writing.events().scan().count() == 1
    for lake in (writing, reading):
        lake.close()


@pytest.fixture
def stream(new_region_database: Callable[..., RegionDatabase], tmp_path: Path) -> Iterator[Stream]:
    with running_broker(tmp_path) as broker, stream_on(new_region_database(), broker.bootstrap, tmp_path) as stream:
        yield stream


def wait(stream: Stream, seconds: float) -> int:
    lake = stream.lake()
    try:
        with stream.database.connect("reader") as reader:
            return wait_for_lake(reader, lake, datetime.now(UTC), seconds).lake_seq
    finally:
        lake.close()


def test_waiting_ends_when_everything_is_there_and_not_before(stream: Stream) -> None:
    random = seeded()
    ids = stream.trade(random, 10)
    with pytest.raises(LakeBehindError, match=r"the relay has not sent \d+ events"):
        wait(stream, 0.5)
    alarm = stream.command("lake", "check", "--within", "0")
    assert alarm.returncode == 1
    assert re.fullmatch(r"meridian: The lake is behind: the relay has not sent \d+ events\n", alarm.stderr)
    stream.start("relay")
    await_that("the relay has sent everything", lambda: stream.unsent() == 0)
    with pytest.raises(LakeBehindError, match="The lake has no table|has not reached"):
        wait(stream, 0.5)
    stream.start("ingest")
    assert wait(stream, 30) >= 1
    assert sum(stream.in_lake().values()) == len(ids)
    status = read_status(stream.region, stream.env("reader"))
    assert status["is_caught_up"]
    assert status["events"] == len(ids)
    assert status["unsent_events"] == 0
    quiet = stream.command("lake", "check")
    assert quiet.returncode == 0
    assert f"{len(ids)} events, 0 in quarantine" in quiet.stdout


def test_waiting_is_not_fooled_by_a_transaction_that_has_not_committed(stream: Stream) -> None:
    stream.start("relay")
    stream.start("ingest")
    stream.await_lake(stream.trade(seeded(), 3))
    with stream.database.connect("worker") as slow:
        with slow.transaction():
            late = stream.append(slow, "link.created", "late")
            with pytest.raises(LakeBehindError, match="still open"):
                wait(stream, 0.5)
        wait(stream, 30)
    assert late in stream.in_lake()


def test_the_lake_role_reads_no_business_rows(new_region_database: Callable[..., RegionDatabase]) -> None:
    database = new_region_database()
    for role, table in itertools.product(("lake", "relay"), ("payments", "links", "merchants")):
        with database.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT 1 FROM {table}")
