"""Maintenance of the lake: few sorted files, nothing lost, nothing left behind, beside writers that never stop."""

import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.demo.jobs import run
from pipelines.ingest.parse import events_table, sort_records
from pipelines.ingest.writer import LakeWriter
from regions.region import load_region
from tests.support.lake import PARTITION, intake, on_disk, record
from tests.support.regional import RegionDatabase
from tests.support.stream import REPOSITORY, seeded
from warehouse import lake_compact, lake_swap
from warehouse.lake import Lake
from warehouse.lake_compact import compact, tag_of, tagged_at
from warehouse.lake_maintain import Policy, expire, maintain, unlink
from warehouse.lake_swap import fence, files_of_all_snapshots, sort_order_of
from warehouse.lake_tables import EVENTS
from warehouse.lake_writer import AnotherWriterError, stage_append

ALL_AT_ONCE = Policy(keep=timedelta(0), settle=timedelta(0))


@pytest.fixture
def database(new_region_database: Callable[..., RegionDatabase]) -> RegionDatabase:
    return new_region_database()


@pytest.fixture
def lake(database: RegionDatabase) -> Iterator[Lake]:
    lake = Lake.open(load_region("eu"), database.env_for("lake"))
    yield lake
    lake.close()


def fill(lake: Lake, first: int, commits: int, size: int = 6) -> None:
    """Commits of events of three days and about forty objects."""
    writer = LakeWriter("eu", lake)
    for start in range(first, first + commits * size, size):
        writer.commit(intake(*range(start, start + size), subjects=40), {PARTITION: start})


def later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def ids(lake: Lake) -> Counter[str]:
    return Counter(lake.events().scan(selected_fields=("event_id",)).to_arrow()["event_id"].to_pylist())


def decoded(lake: Lake) -> Counter[str]:
    """Event ids in every Parquet file on the disk, referred to or not."""
    found: Counter[str] = Counter()
    for path in on_disk(lake):
        if path.endswith(".parquet"):
            found.update(pq.read_table(path, columns=["event_id"], partitioning=None)["event_id"].to_pylist())
    return found


def test_many_files_become_one_sorted_file_a_day_and_a_second_run_does_nothing(lake: Lake) -> None:
    fill(lake, 1, 12)
    before, rows = ids(lake), lake.events().scan().to_arrow().sort_by("event_id")
    assert len(lake.files("events").files) == 36
    done = compact(lake, "events", None, datetime.now(UTC))
    assert (done.files_before, done.files_after, done.rows, done.is_beaten) == (36, 3, 72, False)
    assert ids(lake) == before
    assert lake.events().scan().to_arrow().sort_by("event_id") == rows
    for task in lake.events().scan().plan_files():
        assert sort_order_of(task.file) == lake.events().metadata.default_sort_order_id > 0
        file = pq.read_table(task.file.file_path.removeprefix("file://"), partitioning=None)
        order = list(zip(file["subject"].to_pylist(), file["sequence"].to_pylist(), strict=True))
        assert order == sorted(order)
        assert len({subject for subject, _ in order}) > 5
    head = lake.events().metadata_location
    assert compact(lake, "events", None, datetime.now(UTC)).files_before == 0
    assert lake.events().metadata_location == head
    found = duckdb.sql(f"SELECT count(*) FROM {lake.files('events').duckdb_sql()}").fetchall()
    assert found == [(72,)]


def test_only_days_up_to_the_date_are_compacted_and_a_large_sorted_file_stays(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake, 1, 4)
    compact(lake, "events", date(2026, 3, 2), datetime.now(UTC))
    assert len(lake.files("events").files) == 2 + 4
    monkeypatch.setattr(lake_compact, "TARGET_ROWS", 10)
    assert compact(lake, "events", date(2026, 3, 1), datetime.now(UTC)).files_before == 0
    fill(lake, 100, 2)
    done = compact(lake, "events", date(2026, 3, 1), datetime.now(UTC))
    assert (done.files_before, done.files_after) == (2, 1)


def test_a_table_from_before_sort_orders_gets_one(lake: Lake) -> None:
    lake.ensure_table(replace(EVENTS, sorted_by=()))
    fill(lake, 1, 2)
    assert lake.events().sort_order().is_unsorted
    compact(lake, "events", None, datetime.now(UTC))
    order = lake.events().sort_order()
    assert [lake.events().schema().find_column_name(one.source_id) for one in order.fields] == ["subject", "sequence"]


def test_what_compaction_replaced_stays_for_readers_and_then_is_gone_from_the_disk(lake: Lake) -> None:
    fill(lake, 1, 8)
    listed = lake.files("events").files
    now = datetime.now(UTC)
    maintain(lake, Policy(settle=timedelta(0)), now, lambda _: None)
    assert all(Path(path).is_file() for path in listed), "a build that has listed them still reads them"
    fill(lake, 1000, 32)  # the ingest expires snapshots all the time: not what the tag keeps
    assert all(Path(path).is_file() for path in listed)
    assert max(decoded(lake).values()) == 2
    maintain(lake, Policy(settle=timedelta(0)), now + timedelta(hours=25), lambda _: None)
    assert not any(Path(path).exists() for path in listed)
    assert set(decoded(lake).values()) <= {1, 2}
    maintain(lake, ALL_AT_ONCE, now + timedelta(hours=51), lambda _: None)
    assert decoded(lake) == ids(lake), "each event is in one file, and no file has more"
    assert raw_files(lake) == {path.removeprefix("file://") for path in files_of_all_snapshots(lake.events())}
    (one,) = [
        found
        for found in maintain(lake, ALL_AT_ONCE, now + timedelta(hours=51), lambda _: None)
        if found.table == "events"
    ]
    assert (one.compacted.files_before, one.snapshots_expired, one.files_unlinked) == (0, 0, 0)


def raw_files(lake: Lake) -> set[str]:
    return {path for path in on_disk(lake) if not path.endswith(".metadata.json")}


def test_strays_are_found_raw_and_decoded_and_unlinked_but_not_before_they_have_settled(lake: Lake) -> None:
    fill(lake, 1, 3)
    live = lake.files("events").files
    folder = Path(live[0]).parent
    rows = pq.read_table(live[0], partitioning=None)
    canary = "00000000-0000-7000-8000-00000000cafe"
    pq.write_table(rows.set_column(0, "event_id", pa.array([canary] * rows.num_rows)), folder / "beaten.parquet")
    (folder / "half.parquet").write_bytes(b"PAR1" + canary.encode())
    assert decoded_or_raw(lake, canary) == {"beaten.parquet", "half.parquet"}
    assert unlink(lake, "events", datetime.now(UTC) - timedelta(hours=1)) == 0
    assert unlink(lake, "events", later()) == 2
    assert decoded_or_raw(lake, canary) == set()
    assert all(Path(path).is_file() for path in live)
    assert sum(ids(lake).values()) == 18


def decoded_or_raw(lake: Lake, text: str) -> set[str]:
    found = set()
    for path in map(Path, on_disk(lake)):
        raw = path.read_bytes()
        is_whole = path.suffix == ".parquet" and raw.endswith(b"PAR1") and len(raw) > 100
        values = (
            pq.read_table(path, columns=["event_id"], partitioning=None)["event_id"].to_pylist() if is_whole else []
        )
        if text.encode() in raw or text in values:
            found.add(path.name)
    return found


def test_a_commit_that_was_staged_before_its_file_was_unlinked_does_not_come_in(lake: Lake) -> None:
    fill(lake, 1, 1)
    parsed = sort_records("eu", [record(50)])
    staged = stage_append(lake, lake.events(), events_table(parsed.events, 9, datetime.now(UTC)), {})
    assert unlink(lake, "events", later()) > 0, "it looks like a stray"
    with pytest.raises(AnotherWriterError):
        staged.commit()
    assert sum(ids(lake).values()) == 6
    assert lake.events().scan().to_arrow().num_rows == 6


def test_compacted_files_that_were_fenced_off_do_not_come_in(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure commits between reading and swapping: what was read holds what it has erased."""
    fill(lake, 1, 4)
    original = lake_compact.write_files

    def write_and_be_fenced(*arguments: object) -> object:
        files = original(*arguments)  # type: ignore[arg-type]
        fence(lake, "events")
        return files

    monkeypatch.setattr(lake_compact, "write_files", write_and_be_fenced)
    before = on_disk(lake)
    done = compact(lake, "events", None, datetime.now(UTC))
    assert (done.files_before, done.is_beaten) == (0, True)
    assert len(lake.files("events").files) == 12
    assert {path for path in on_disk(lake) - before if path.endswith(".parquet")} == set(), "it tidies up"


def test_files_that_another_job_replaced_first_are_not_swapped(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lake, 1, 4)
    before = ids(lake)
    original = lake_compact.write_files
    monkeypatch.setattr(lake_compact, "write_files", lambda *arguments: race(lake, monkeypatch, original, *arguments))
    done = compact(lake, "events", None, datetime.now(UTC))
    assert done.is_beaten
    assert ids(lake) == before


def race(lake: Lake, patch: pytest.MonkeyPatch, original: Callable[..., object], *arguments: object) -> object:
    """Another compaction wins while this one has written its files."""
    patch.setattr(lake_compact, "write_files", original)
    files = original(*arguments)
    assert not compact(lake, "events", None, datetime.now(UTC)).is_beaten
    return files


def test_maintenance_beside_a_running_writer_loses_and_repeats_nothing(lake: Lake, database: RegionDatabase) -> None:
    random = seeded()
    LakeWriter("eu", lake)
    stop = threading.Event()
    written: list[int] = []
    fenced: list[int] = []

    def write() -> None:
        own = Lake.open(load_region("eu"), database.env_for("lake"))
        writer, number = LakeWriter("eu", own), 1
        while not stop.is_set():
            try:
                writer.commit(intake(*range(number, number + 5), subjects=40), {PARTITION: number})
            except AnotherWriterError:  # a fence: what was staged before it is written anew
                fenced.append(number)
                writer = LakeWriter("eu", own)
                continue
            number += 5
            written.append(number)
        own.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(6):
            target = len(written) + random.randint(2, 6)
            while len(written) < target:
                assert thread.is_alive()
                stop.wait(0.01)
            maintain(lake, ALL_AT_ONCE, later(), lambda _: None)
    finally:
        stop.set()
        thread.join()
    assert len(fenced) <= 6, "compaction and expiry never beat the writer; at most one fence each time does"
    assert len(ids(lake)) == written[-1] - 1
    assert set(ids(lake).values()) == {1}
    assert lake.positions() == {PARTITION: f"1:1:{written[-1] - 1}"}
    assert lake.events().scan().to_arrow().num_rows == written[-1] - 1, "every file is still there"


@pytest.mark.parametrize(
    "point",
    [
        "lake.after_compaction_files",
        pytest.param("lake.after_compaction", marks=pytest.mark.campaign),
        pytest.param("lake.before_unlink", marks=pytest.mark.campaign),
    ],
)
def test_a_maintenance_that_was_shot_goes_on(lake: Lake, database: RegionDatabase, tmp_path: Path, point: str) -> None:
    fill(lake, 1, 5)
    before = ids(lake)
    fault = {"MERIDIAN_FAULT": point, "MERIDIAN_FAULT_ONCE": str(tmp_path / "once")}
    assert command(database, "--keep-hours", "0", "--settle-hours", "0", **fault).returncode == -9
    assert ids(lake) == before
    again = command(database, "--keep-hours", "0", "--settle-hours", "0")
    assert again.returncode == 0, again.stderr
    assert "events: " in again.stdout
    maintain(lake, ALL_AT_ONCE, later(), lambda _: None)
    assert decoded(lake) == ids(lake) == before
    assert len(lake.files("events").files) == 3


def command(database: RegionDatabase, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, **database.env_for("lake"), **extra}
    return run(["lake", "maintain", "--region", "eu", *arguments], given, REPOSITORY)


def test_one_maintenance_at_a_time_and_a_wrong_date_in_one_sentence(lake: Lake, database: RegionDatabase) -> None:
    fill(lake, 1, 1)
    with database.connect("lake") as holder:
        holder.execute("SELECT pg_advisory_lock(%s, 8)", (0x4D52,))
        busy = command(database)
    assert (busy.returncode, busy.stderr.count("\n")) == (1, 1)
    assert "is being maintained" in busy.stderr
    wrong = command(database, "--date", "soon")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_a_tag_says_when_it_was_left() -> None:
    now = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)
    assert tagged_at(tag_of(now)) == now
    assert tagged_at("main") is None


def test_expiry_keeps_the_head_however_old(lake: Lake) -> None:
    fill(lake, 1, 3)
    assert expire(lake, "events", later() + timedelta(days=900)) == 2
    assert len(lake.events().snapshots()) == 1
    assert sum(ids(lake).values()) == 18
    assert lake_swap.fence_of(lake.events()) == 0
