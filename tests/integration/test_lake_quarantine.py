"""What was set aside is listed without its content, and comes in once when it has become valid."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from pipelines.ingest.parse import Rejected, quarantine_table
from pipelines.ingest.records import Record
from pipelines.ingest.replay import Source
from pipelines.ingest.replay import replay as read_again
from pipelines.ingest.writer import LakeWriter
from pipelines.lake import quarantine
from regions.errors import UsageError
from regions.region import load_region
from tests.support.lake import PARTITION, intake, record
from tests.support.regional import RegionDatabase
from warehouse.lake import OFFSETS, Lake, read_map
from warehouse.lake_writer import AnotherWriterError, stage_append

REGION = load_region("eu")
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(new_region_database: Callable[..., RegionDatabase]) -> RegionDatabase:
    return new_region_database()


@pytest.fixture
def lake(database: RegionDatabase) -> Iterator[Lake]:
    """Three events in the lake; in quarantine two that are valid now, one that never will be, one from a stranger."""
    lake = Lake.open(REGION, database.env_for("lake"))
    LakeWriter("eu", lake).commit(intake(1, 2, 3), {PARTITION: 4})
    aside = [record(4), record(5)._replace(value=b"secret{"), record(6), Record("eu.links.v1", 0, 9, "", b"k", b"x")]
    rows = quarantine_table([Rejected(one, "the contract was too narrow") for one in aside], 1, AT)
    stage_append(lake, lake.quarantine(), rows, {}).commit()
    yield lake
    lake.close()


def positions(lake: Lake) -> Counter[str]:
    return Counter(lake.events().scan().to_arrow()["position"].to_pylist())


def test_listing_says_place_and_reason_and_never_content(lake: Lake, database: RegionDatabase) -> None:
    found = quarantine.list_set_aside(REGION, database.env_for("reader"))
    assert [(one.offset, one.position) for one in found] == [(4, "1:1:4"), (5, "1:1:5"), (6, "1:1:6"), (9, "")]
    text = json.dumps([one.to_json() for one in found])
    assert "too narrow" in text
    assert "secret" not in text


def test_what_is_valid_now_comes_in_once_and_leaves_quarantine(
    lake: Lake, database: RegionDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = database.env_for("lake")
    # As after a crash between the two commits: the events are in, the records not gone.
    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "_remove", lambda *_: 0)
        assert quarantine.replay(REGION, env, AT).accepted == 2
    again = quarantine.replay(REGION, env, AT)
    assert (again.accepted, again.removed) == (0, 2)
    assert len(again.staying) == 1
    assert positions(lake) == Counter([f"1:1:{number}" for number in (1, 2, 3, 4, 6)])
    assert sorted(lake.quarantine().scan().to_arrow()["kafka_offset"].to_pylist()) == [5, 9]
    assert quarantine.replay(REGION, env, AT).accepted == 0
    assert max(lake.events().scan().to_arrow()["lake_seq"].to_pylist()) == 2, "builds see them as new"


def test_a_replay_that_an_ingest_overtakes_adds_nothing(
    lake: Lake, database: RegionDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = quarantine.events_table

    def overtaken(*arguments: object) -> object:
        LakeWriter("eu", lake).commit(intake(7), {PARTITION: 8})
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(quarantine, "events_table", overtaken)
    with pytest.raises(AnotherWriterError):
        quarantine.replay(REGION, database.env_for("lake"), AT)
    assert positions(lake) == Counter([f"1:1:{number}" for number in (1, 2, 3, 7)])
    assert lake.quarantine().scan().count() == 4


def test_a_range_is_asked_for_from_kafka_or_from_the_outbox(lake: Lake, database: RegionDatabase) -> None:
    env = database.env_for("lake")
    running = LakeWriter("eu", lake)
    assert read_map(lake.events(), OFFSETS) == {PARTITION: "4"}
    read_again(REGION, env, Source.KAFKA, "")
    assert read_map(lake.events(), OFFSETS) == {}
    with pytest.raises(AnotherWriterError):  # the ingest that runs starts over, from the start
        running.commit(intake(4), {PARTITION: 5})
    assert "1:1:3" in read_again(REGION, env, Source.OUTBOX, "")
    assert "1:1:1" in read_again(REGION, env, Source.OUTBOX, "1:1:1")
    with database.connect("reader") as reader:
        row = reader.execute("SELECT rewind_to FROM stream_consumers WHERE name = 'lake'").fetchone()
    assert row == ("1:1:1",)
    for source, after in ((Source.KAFKA, "1:1:1"), (Source.OUTBOX, "soon")):
        with pytest.raises(UsageError):
            read_again(REGION, env, source, after)
