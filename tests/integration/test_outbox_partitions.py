"""The outbox by day: no gap at midnight, nothing lost on the way, and no day goes that somebody needs."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, pool

from pipelines.outbox import repository
from pipelines.outbox.purge import IN_USE, purge
from pipelines.outbox.status import prometheus, read_status
from tests.support.regional import ROLE_PASSWORDS, RegionDatabase
from web.background.outbox_days import window_seconds
from web.db import provision

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
NOON = NOW.replace(hour=12, minute=0, second=0, microsecond=0)
APPEND = "SELECT event_id FROM append_event('link.created', 'links', %s, %s, false, 1::smallint, NULL, '{}', NULL)"
INSERT = """INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, data)
            VALUES (%s, 'link.created', 'links', %s, %s, 'm', false, %s, 1, '{}')"""


def id_at(moment: datetime, number: int = 0) -> str:
    """An id as it would have been drawn then."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-{number:012x}"


@pytest.fixture
def database(new_region_database: Callable[..., RegionDatabase]) -> RegionDatabase:
    return new_region_database()


def one(connection: psycopg.Connection, query: str, *parameters: object) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def fill_past_days(admin: psycopg.Connection, days: int, per_day: int = 3) -> None:
    """Events of earlier days, as if each had been written on its day; a transaction per day."""
    for back in range(days, -1, -1):
        with admin.transaction():
            for number in range(per_day):
                moment = NOON - back * DAY + timedelta(seconds=number)
                admin.execute(INSERT, [id_at(moment, number), f"d{back}_{number}", 1, moment])


def acknowledge(admin: psycopg.Connection, batch: int, consumers: tuple[str, ...] = ("lake", "webhooks")) -> None:
    """What the relay does at the end of a batch, and consumers that have read it all."""
    at = json.dumps({"eu.links.v1/0": f"1:{batch}:1"})
    admin.execute(
        """INSERT INTO relay_batches (epoch, batch, previous, snapshot, partitions, event_count)
           SELECT 1, %s, snapshot, pg_current_snapshot(), partitions, 1 FROM relay_cursor""",
        [batch],
    )
    admin.execute(
        "UPDATE relay_cursor SET batch = %s, snapshot = pg_current_snapshot(), partitions = %s::jsonb", [batch, at]
    )
    for consumer in consumers:
        admin.execute("UPDATE stream_consumers SET positions = %s::jsonb WHERE name = %s", [at, consumer])


def days_of(database: RegionDatabase) -> dict[str, int]:
    with database.connect("postgres") as admin:
        rows = admin.execute("SELECT tableoid::regclass::text, count(*) FROM outbox GROUP BY 1").fetchall()
    return dict(rows)


def test_each_event_lies_in_its_day_and_the_coming_days_are_there(database: RegionDatabase) -> None:
    with database.connect("worker") as worker:
        worker.execute(APPEND, ["x", database.merchant_id])
        one(worker, "SELECT outbox_make_partitions(3)")
        one(worker, "SELECT outbox_make_partitions(3)")  # safe to repeat
    with database.connect("reader") as reader:
        parts = repository.partitions(reader)
        assert repository.default_rows(reader) == 0
    today = [part for part in parts if part.begin and part.end and part.begin <= datetime.now(UTC) < part.end]
    assert [part.name for part in today] == [*days_of(database)]
    # No gap: each day begins where the one before it ends, to the millisecond that an id begins with.
    days = [part for part in parts if not part.is_default]
    assert all(before.end == after.begin for before, after in pairwise(days))
    assert len(days) >= 5
    midnight = days[2].begin
    assert midnight is not None
    with database.connect("postgres") as admin:
        for number, moment in enumerate((midnight - timedelta(milliseconds=1), midnight)):
            admin.execute(INSERT, [id_at(moment), f"midnight_{number}", 1, moment])
        found = admin.execute(
            "SELECT subject, tableoid::regclass::text FROM outbox WHERE subject LIKE 'midnight%%' ORDER BY 1"
        ).fetchall()
    assert found == [("midnight_0", days[1].name), ("midnight_1", days[2].name)]


def test_a_day_without_a_partition_is_an_alarm_and_no_outage(database: RegionDatabase) -> None:
    with database.connect("postgres") as admin, database.connect("reader") as reader:
        fill_past_days(admin, 3)
        before = {row[0] for row in admin.execute("SELECT id FROM outbox")}
        status = read_status(reader, NOW)
        assert status["default_rows"] == 6
        assert 'meridian_outbox_default_rows{region="eu"} 6' in prometheus("eu", status)
        with database.connect("worker") as worker:
            assert one(worker, "SELECT outbox_make_partitions(3)") == 2
        assert repository.default_rows(reader) == 0
        assert {row[0] for row in admin.execute("SELECT id FROM outbox")} == before
        moment = NOON - 3 * DAY
        with pytest.raises(psycopg.errors.UniqueViolation):  # a number of an object is there once a day
            admin.execute(INSERT, [id_at(moment, 99), "d3_0", 1, moment])


@contextmanager
def stays(database: RegionDatabase, reason: str) -> Iterator[psycopg.Connection]:
    """Nothing goes at the end of the block, and the reason is told."""
    with database.connect("postgres") as admin:
        yield admin
    before = days_of(database)
    with database.connect("retention") as retention:
        purged = purge(retention, NOW)
    assert purged.dropped == []
    assert days_of(database) == before
    assert any(reason in kept for kept in purged.kept.values()), purged.kept


def test_a_day_goes_only_when_every_consumer_has_passed_it(database: RegionDatabase) -> None:
    with stays(database, "online_features looks back") as admin:
        fill_past_days(admin, 4)
        one(admin, "SELECT outbox_make_partitions(3)")
        acknowledge(admin, 1)
    with stays(database, "lake has not passed") as admin:
        admin.execute("UPDATE stream_consumers SET window_seconds = 1 WHERE name = 'online_features'")
        admin.execute("UPDATE stream_consumers SET positions = '{}' WHERE name = 'lake'")
    with stays(database, "webhooks has not passed") as admin:
        admin.execute("""UPDATE stream_consumers SET positions = '{"eu.links.v1/0": "1:1:1"}' WHERE name = 'lake'""")
        admin.execute("UPDATE stream_consumers SET positions = '{}' WHERE name = 'webhooks'")
    with stays(database, "lake has not passed") as admin:
        admin.execute("DELETE FROM stream_consumers WHERE name = 'webhooks'")
        admin.execute("UPDATE stream_consumers SET rewind_to = '1:1:0' WHERE name = 'lake'")
    with database.connect("postgres") as admin:
        admin.execute("UPDATE stream_consumers SET rewind_to = NULL")
        moment = NOON - 4 * DAY
        admin.execute(INSERT, [id_at(moment, 77), "late", 1, moment])  # committed after the batch, with a low id
    with database.connect("retention") as retention:
        purged = purge(retention, NOW)
        late = f"outbox_{NOW - 4 * DAY:%Y%m%d}"
        assert purged.kept[late] == "the relay has not passed it"
        assert f"outbox_{NOW - 3 * DAY:%Y%m%d}" in purged.dropped
        assert purged.batches == 0
    with database.connect("postgres") as admin:
        acknowledge(admin, 2)
        acknowledge(admin, 3)
    with database.connect("retention") as retention:
        assert purge(retention, NOW).dropped == [late]
        assert purge(retention, NOW).dropped == []
    assert set(days_of(database)) == {f"outbox_{NOW:%Y%m%d}"}


def test_a_day_that_a_transaction_still_writes_stays(database: RegionDatabase) -> None:
    with database.connect("postgres") as admin:
        fill_past_days(admin, 2)
        one(admin, "SELECT outbox_make_partitions(3)")
        admin.execute("UPDATE stream_consumers SET window_seconds = 1 WHERE window_seconds IS NOT NULL")
        acknowledge(admin, 1)
        moment = NOON - 2 * DAY
        with database.connect("postgres") as writing, writing.transaction():
            writing.execute(INSERT, [id_at(moment, 50), "slow", 1, moment])
            with database.connect("retention") as retention:
                purged = purge(retention, NOW, tries=2)
        assert purged.dropped == []
        assert purged.kept[f"outbox_{moment:%Y%m%d}"] == IN_USE


def test_purging_never_passes_a_consumer_that_lags(database: RegionDatabase) -> None:
    """Random lags: whatever is dropped had been passed by everyone, event by event."""
    random = Random(20261122)
    with database.connect("postgres") as admin, database.connect("retention") as retention:
        admin.execute("UPDATE stream_consumers SET window_seconds = 1 WHERE window_seconds IS NOT NULL")
        batch_of: dict[str, int] = {}
        for batch in range(1, 13):
            moment = NOON - (13 - batch) * DAY
            for number in range(random.randint(1, 3)):
                event = id_at(moment, number)
                admin.execute(INSERT, [event, f"b{batch}_{number}", 1, moment])
                batch_of[event] = batch
            acknowledge(admin, batch, ())
        one(admin, "SELECT outbox_make_partitions(3)")
        passed = {"lake": 0, "webhooks": 0}
        for _ in range(12):
            name = random.choice([*passed])
            passed[name] = min(12, passed[name] + random.randint(0, 4))
            if passed[name]:
                at = json.dumps({"eu.links.v1/0": f"1:{passed[name]}:1"})
                admin.execute("UPDATE stream_consumers SET positions = %s::jsonb WHERE name = %s", [at, name])
            purge(retention, NOW)
            left = {str(row[0]) for row in admin.execute("SELECT id FROM outbox")}
            # A position inside a batch does not say that the batch is over, unless it is the last of its partition.
            floor = min(12 if at_batch == 12 else at_batch - 1 for at_batch in passed.values())
            assert {event for event in batch_of if event not in left} == {
                event for event, batch in batch_of.items() if batch <= floor
            }
        assert max(passed.values()) > 1


def test_nobody_reaches_a_partition_or_its_functions_but_whom_they_are_for(database: RegionDatabase) -> None:
    name = f"outbox_{datetime.now(UTC):%Y%m%d}"
    with database.connect("worker") as worker:
        worker.execute(APPEND, ["x", database.merchant_id])
    for role, statement in (
        ("web", f"INSERT INTO {name} SELECT * FROM {name}"),
        ("reader", f"SELECT * FROM {name}"),
        ("relay", f"SELECT * FROM {name}"),
        ("worker", f"SELECT outbox_drop_partition('{name}', now())"),
        ("relay", f"SELECT outbox_drop_partition('{name}', now())"),
        ("web", "SELECT outbox_make_partitions(1)"),
        ("worker", "UPDATE stream_consumers SET positions = '{}'"),
        ("reader", "SELECT outbox_prune_batches()"),
    ):
        with database.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
    with database.connect("owner") as owner:
        assert one(owner, f"SELECT count(*) FROM {name}") == 0


def test_the_window_of_online_features_is_what_the_features_declare() -> None:
    assert window_seconds() == 31 * 86_400


def test_a_database_with_events_keeps_them_in_its_first_partition(database: RegionDatabase) -> None:
    """The revision before this one, with rows; then the newest."""
    name = f"{database.url.rpartition('/')[2]}_before"
    with database.connect("postgres") as admin:
        admin.execute(f'CREATE DATABASE "{name}" OWNER owner TEMPLATE template0')
    try:
        url = database.url.rpartition("/")[0] + f"/{name}"
        owner = create_engine(
            database.role_urls["owner"].rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://")
            + f"/{name}",
            poolclass=pool.NullPool,
        )
        with owner.connect() as connection:
            config = provision.Config()
            config.set_main_option("script_location", str(provision.MIGRATIONS))
            config.attributes["connection"] = connection
            provision.command.upgrade(config, "0004")
        with psycopg.connect(url, autocommit=True) as admin:
            ids = [id_at(NOON - back * DAY) for back in (40, 1, 0)]
            for number, event in enumerate(ids):
                admin.execute(INSERT, [event, "old", number + 1, NOW])
            held = admin.execute("SELECT * FROM outbox ORDER BY id").fetchall()
            provision.migrate(owner.url.set(username="owner", password=ROLE_PASSWORDS["owner"]))
            assert admin.execute("SELECT * FROM outbox ORDER BY id").fetchall() == held
            assert one(admin, "SELECT count(*) FROM outbox_before") == 3
            admin.execute(APPEND, ["new", "m"])
            assert one(admin, "SELECT count(*) FROM outbox") == 4
            bounds = repository.partitions(admin)
            assert bounds[0].begin is None
            assert bounds[0].end == bounds[1].begin
    finally:
        with database.connect("postgres") as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
