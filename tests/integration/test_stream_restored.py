"""A region's database restored from a backup: a new epoch, nothing lost that it knows, nothing twice in the lake."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipelines.relay.new_epoch import NotReadyError, begin
from tests.support.regional import RegionDatabase
from tests.support.stream import Stream, await_that, running_broker, seeded, stream_on


@pytest.fixture
def stream(new_region_database: Callable[..., RegionDatabase], tmp_path: Path) -> Iterator[Stream]:
    with running_broker(tmp_path) as broker, stream_on(new_region_database(), broker.bootstrap, tmp_path) as stream:
        yield stream


def renamed(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def backed_up(database: RegionDatabase) -> RegionDatabase:
    """A copy of the database as it is, in the same cluster, as a restored base backup would be."""
    name = f"{database.url.rpartition('/')[2]}_restored"
    with psycopg.connect(renamed(database.url, "postgres"), autocommit=True) as admin:
        old = database.url.rpartition("/")[2]
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [old])
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{old}"')
        admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO PUBLIC')
    urls = {role: renamed(url, name) for role, url in database.role_urls.items()}
    return replace(database, url=renamed(database.url, name), role_urls=urls)


def drop(database: RegionDatabase) -> None:
    name = database.url.rpartition("/")[2]
    with psycopg.connect(renamed(database.url, "postgres"), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def halt(stream: Stream, *processes: Any) -> None:
    for process in processes:
        process.kill()
        process.wait()
        stream.processes.remove(process)


@pytest.mark.parametrize(
    "is_other_cluster", [False, pytest.param(True, marks=pytest.mark.campaign)], ids=["same cluster", "other cluster"]
)
def test_what_was_sent_after_the_backup_is_neither_lost_nor_doubled(
    stream: Stream,
    is_other_cluster: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    random = seeded()
    processes = [stream.start("relay"), stream.start("ingest")]
    sent = stream.trade(random, 15)
    stream.await_lake(sent)
    halt(stream, *processes)
    known = stream.trade(random, 15)  # committed, and not sent when the backup is made
    restored = backed_up(stream.database)
    try:
        processes = [stream.start("relay"), stream.start("ingest")]
        lost = stream.trade(random, 15)  # the backup never hears of these
        stream.await_lake([*sent, *known, *lost])
        halt(stream, *processes)

        stream.database = restored
        if is_other_cluster:  # as after pg_restore: rows with transaction ids that this cluster has not reached yet
            with restored.connect("postgres") as admin:
                admin.execute("UPDATE outbox SET xid = (xid::text::bigint + 1000000)::text::xid8")
                admin.execute(
                    """UPDATE relay_cursor SET snapshot = (pg_snapshot_xmin(snapshot)::text::bigint + 1000000 || ':'
                         || pg_snapshot_xmax(snapshot)::text::bigint + 1000000 || ':')::pg_snapshot"""
                )
        ingest = stream.start("ingest")  # the restored catalog knows an old state of the lake: Kafka brings the rest
        stream.await_lake([*sent, *known, *lost])
        begun = begin(stream.region, stream.env("relay"), stream.env("lake"))
        assert (begun.epoch, begun.already_sent, begun.only_in_lake) == (2, len(known), len(lost))
        assert begun.is_other_cluster == is_other_cluster
        fresh = stream.trade(random, 15)
        stream.start("relay")
        stream.await_lake([*sent, *known, *lost, *fresh])
        assert stream.committed() == Counter([*sent, *known, *fresh])
        assert ingest.poll() is None
        assert all(position.startswith("2:") for position in positions_of(stream, fresh))
    finally:
        stream.kill_all()
        drop(restored)


def positions_of(stream: Stream, ids: list[str]) -> list[str]:
    lake = stream.lake()
    rows = lake.events().scan(selected_fields=("event_id", "position")).to_arrow().to_pylist()
    lake.close()
    return [row["position"] for row in rows if row["event_id"] in set(ids)]


def test_an_epoch_begins_only_when_nothing_is_under_way(stream: Stream) -> None:
    relay = stream.start("relay")
    stream.trade(seeded(), 5)
    await_that("the relay has sent everything", lambda: stream.unsent() == 0)
    with pytest.raises(NotReadyError, match="A relay of region eu runs"):
        begin(stream.region, stream.env("relay"), stream.env("lake"))
    halt(stream, relay)
    with pytest.raises(NotReadyError, match="let the ingest finish first"):
        begin(stream.region, stream.env("relay"), stream.env("lake"))
    with stream.database.connect("reader") as reader:
        assert reader.execute("SELECT epoch FROM relay_cursor").fetchone() == (1,)
