"""Events of one object, written by many at once: gapless numbers, ids and times that grow in commit order."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.errors import CheckViolation

from regions.ids import new_id
from tests.support.regional import RegionDatabase

WRITERS = 8
EVENTS_PER_WRITER = 40
APPEND = "SELECT append_event('link.created', 'links', %s, %s, false, 1::smallint, NULL, '{}', NULL)"


def test_order_per_object_holds_under_contention(new_region_database: Callable[..., RegionDatabase]) -> None:
    database = new_region_database()
    subjects = [new_id("link", "eu") for _ in range(3)]

    def write(seed: int) -> None:
        dice = random.Random(seed)
        with database.connect("worker") as connection:
            for _ in range(EVENTS_PER_WRITER):
                with connection.transaction(force_rollback=dice.random() < 0.2):
                    # One object per transaction, or two in a fixed order: writers wait, they do not deadlock.
                    for subject in sorted(dice.sample(subjects, dice.choice([1, 2]))):
                        connection.execute(APPEND, [subject, database.merchant_id])

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    with database.connect("postgres") as superuser:
        rows = superuser.execute("SELECT subject, sequence, id, time FROM outbox ORDER BY subject, sequence").fetchall()
    assert {row[0] for row in rows} == set(subjects)
    for subject in subjects:
        events = [row[1:] for row in rows if row[0] == subject]
        assert [sequence for sequence, _, _ in events] == list(range(1, len(events) + 1))
        assert [event_id for _, event_id, _ in events] == sorted(event_id for _, event_id, _ in events)
        assert [time for _, _, time in events] == sorted(time for _, _, time in events)


def test_an_event_too_large_for_a_broker_is_refused(region_database: RegionDatabase) -> None:
    data = '{"x": "' + "y" * 262_144 + '"}'
    statement = APPEND.replace("'{}'", "%s::jsonb")
    with region_database.connect("worker") as connection, pytest.raises(CheckViolation):
        connection.execute(statement, [new_id("link", "eu"), region_database.merchant_id, data])
