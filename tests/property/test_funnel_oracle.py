"""The funnel in SQL against a brute-force oracle in Python, on event histories where everything goes wrong at once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regions.funnels import CHECKOUT, load_funnels
from warehouse.dbt_runner import compiled_sql

ZONE = ZoneInfo("America/Los_Angeles")  # eight or seven hours behind UTC, with a clock change in the histories' middle
START = datetime(2026, 3, 7, 12, tzinfo=UTC)
FUNNEL = load_funnels()[CHECKOUT]
WINDOW = timedelta(hours=FUNNEL.window_hours)
MODELS = {  # in the order of their references
    "intermediate": ["int_session_steps"],
    "main": ["fct_funnel_sessions", "fct_funnel_daily", "rpt_funnel_monthly"],
}
TABLES = {
    "opened": "checkout_opened",
    "submitted": "checkout_submitted",
    "succeeded": "payment_succeeded",
    "expired": "checkout_expired",
}
STAGED = (
    "event_id VARCHAR, event_at TIMESTAMPTZ, "
    "session_id VARCHAR, opened_at TIMESTAMPTZ, submitted_at TIMESTAMPTZ, succeeded_at TIMESTAMPTZ, "
    "expired_at TIMESTAMPTZ, payment_id VARCHAR, method VARCHAR, livemode BOOLEAN, region VARCHAR, "
    "merchant_id VARCHAR, link_id VARCHAR, channel VARCHAR, campaign VARCHAR, device_class VARCHAR, locale VARCHAR, "
    "currency VARCHAR, amount_minor BIGINT"
)


@dataclass(frozen=True)
class Event:
    """One staged row. Rows of one session need not be in order, nor unique."""

    kind: str
    session: int
    at: datetime


# Offsets collide on purpose: equal times, the window's last microsecond and the one behind it, both sides of midnight.
OFFSETS = st.one_of(
    st.sampled_from([timedelta(), timedelta(microseconds=1), WINDOW, WINDOW + timedelta(microseconds=1), -WINDOW]),
    st.integers(-3, 30).map(lambda hours: timedelta(hours=hours)),
)
HISTORIES = st.lists(
    st.builds(
        lambda kind, session, base, offset: Event(kind, session, START + timedelta(hours=base) + offset),
        st.sampled_from(["opened", "opened", "submitted", "submitted", "succeeded", "succeeded", "expired"]),
        st.integers(1, 4),
        st.sampled_from([0, 0, 0, 19, 20, 44]),  # 20: midnight in the zone, and 44: the day whose clock changes
        OFFSETS,
    ),
    max_size=24,
)


def oracle(events: Sequence[Event]) -> dict[str, tuple[Any, ...]]:
    """By session: the time of each step, by trying every choice of one event per step, and the day of the first."""
    found = {}
    for session in {event.session for event in events if event.kind == "opened"}:
        times = {kind: sorted(e.at for e in events if (e.session, e.kind) == (session, kind)) for kind in TABLES}
        opened = times["opened"][0]
        best: list[datetime] = [opened]
        for submitted in times["submitted"]:
            if opened <= submitted <= opened + WINDOW:
                best = better(best, [opened, submitted])
                for succeeded in times["succeeded"]:
                    if submitted <= succeeded <= opened + WINDOW:
                        best = better(best, [opened, submitted, succeeded])
        reached = [*best, *[None] * (3 - len(best))]
        drop_off = None if len(best) == 3 else FUNNEL.steps[len(best) - 1].name
        found[f"cs_{session}"] = (*reached, len(best), drop_off, opened.astimezone(ZONE).date())
    return found


def better(one: list[datetime], other: list[datetime]) -> list[datetime]:
    """The history that got further; if both got as far, the one that was there first."""
    return min(one, other, key=lambda times: (-len(times), times))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The models' SQL as dbt compiles it, as views over empty staging tables."""
    names = [name for group in MODELS.values() for name in group]
    compiled = compiled_sql(names, tmp_path_factory.mktemp("dbt"))
    with duckdb.connect() as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; SET threads = 1; ATTACH ':memory:' AS warehouse; ATTACH ':memory:' AS lake"
        )
        connection.execute("CREATE TABLE lake.run AS SELECT 'us' AS region, ? AS timezone", [ZONE.key])
        connection.execute("CREATE SCHEMA warehouse.staging; CREATE SCHEMA warehouse.intermediate")
        for table in TABLES.values():
            connection.execute(f"CREATE TABLE warehouse.staging.stg_{table} ({STAGED})")
        for schema, group in MODELS.items():
            for name in group:
                connection.execute(f"CREATE VIEW warehouse.{schema}.{name} AS {compiled[name]}")
        yield connection


def stage(engine: duckdb.DuckDBPyConnection, events: Sequence[Event]) -> None:
    for kind, table in TABLES.items():
        engine.execute(f"DELETE FROM warehouse.staging.stg_{table}")
        for number, event in enumerate(events):
            if event.kind == kind:
                row = {
                    "event_id": f"e{number}", "event_at": event.at, "session_id": f"cs_{event.session}",
                    f"{kind}_at": event.at,
                    "payment_id": f"pay_{number}", "method": "card", "livemode": event.session == 4, "region": "us",
                    "merchant_id": "merch_1", "link_id": "plink_1", "device_class": "mobile", "locale": "en-US",
                    "channel": None if event.session == 3 else f"c{event.session % 2}", "currency": "USD",
                    "amount_minor": 100,
                }  # fmt: skip
                places = ", ".join("?" * len(row))
                engine.execute(
                    f"INSERT INTO warehouse.staging.stg_{table} ({', '.join(row)}) VALUES ({places})", [*row.values()]
                )


def sessions_of(engine: duckdb.DuckDBPyConnection) -> dict[str, tuple[Any, ...]]:
    rows = engine.execute(
        "SELECT session_id, opened_at, submitted_at, succeeded_at, steps_reached, drop_off_step, opened_on "
        "FROM warehouse.main.fct_funnel_sessions"
    ).fetchall()
    assert len({row[0] for row in rows}) == len(rows), "a session is in the funnel twice"
    return {row[0]: tuple(row[1:]) for row in rows}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=HISTORIES)
def test_the_funnel_is_what_trying_everything_finds(engine: duckdb.DuckDBPyConnection, events: list[Event]) -> None:
    stage(engine, events)
    expected = oracle(events)
    assert sessions_of(engine) == expected
    days = Counter((row[5], name == "cs_4") for name, row in expected.items())
    converted = sum(row[3] == 3 for row in expected.values())
    for table, day in (
        ("fct_funnel_daily", "opened_on"),
        ("rpt_funnel_monthly", "date_trunc('month', business_month)"),
    ):
        totals = engine.execute(
            f"SELECT coalesce(sum(opened_sessions), 0), coalesce(sum(succeeded_sessions), 0), count({day}) "
            f"FROM warehouse.main.{table}"
        ).fetchone()
        assert totals is not None
        assert totals[:2] == (len(expected), converted)
    found = engine.execute(
        "SELECT opened_on, livemode, sum(opened_sessions)::int FROM warehouse.main.fct_funnel_daily GROUP BY ALL"
    ).fetchall()
    assert {(day, live): count for day, live, count in found} == days


def test_the_histories_reach_every_corner(engine: duckdb.DuckDBPyConnection) -> None:
    """The oracle tells apart what a plainer model would confuse."""
    at = START
    one_late = [
        Event("opened", 1, at),
        Event("submitted", 1, at + timedelta(hours=1)),
        Event("succeeded", 1, at + WINDOW + timedelta(microseconds=1)),
    ]
    assert oracle(one_late)["cs_1"][3:5] == (2, "submitted")
    early_payment = [Event("opened", 1, at), Event("succeeded", 1, at), Event("submitted", 1, at + timedelta(hours=1))]
    assert oracle(early_payment)["cs_1"][3] == 2
    before_midnight = oracle([Event("opened", 1, datetime(2026, 3, 8, 7, 59, tzinfo=UTC))])["cs_1"]
    assert before_midnight[5].isoformat() == "2026-03-07"  # in the region's time zone
    for history in (one_late, early_payment):
        stage(engine, history)
        assert sessions_of(engine) == oracle(history)
