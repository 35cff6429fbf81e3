"""Both compilers against brute force, over random histories of concurrent transactions on a real PostgreSQL.

The test itself knows which transactions had committed when a decision was made; no snapshot is parsed for that.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import duckdb
import psycopg
import pytest

from pipelines.fraud.compile import DECISION_COLUMNS, compile_history
from regions.events import timestamp
from regions.features import ASSESSED, TOKENS, WINDOW_SECONDS_MAX, Entity, feature_set
from regions.ids import new_id
from tests.support.fraud import Asked, Told, oracle
from tests.support.regional import RegionDatabase
from tests.support.stream import seeded
from web.risk.sql import MOMENT_COLUMNS, compile_features, match_columns

FEATURES = feature_set()
NOW = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
# Event times lie around the ends of windows, to the microsecond.
BOUND = FEATURES.attribution_seconds
WINDOWS = {f.window_seconds for f in FEATURES.features} | {0, 59}
EDGES = sorted({edge for w in WINDOWS for edge in (w, w - BOUND, w + BOUND) if edge >= 0})
SERVED = compile_features(FEATURES).replace("clock_timestamp()", "%(now)s::timestamptz")
INSERT = """INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, data)
            VALUES (uuidv7(), %s, 'x', %s, %s, %s, %s, %s, 1, %s) RETURNING id::text, xid::text::bigint"""


@dataclass
class Transaction:
    """One connection's open transaction: what it has written, and which payments it holds."""

    connection: psycopg.Connection
    merchant_id: str
    written: list[Told] = field(default_factory=list)
    decisions: list[tuple[Asked, dict[str, int | None]]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)


class World:
    def __init__(self, random: Random, merchants: list[str]) -> None:
        self.random = random
        self.merchants = merchants
        self.links = [new_id("link", "eu") for _ in range(2)]
        self.payments = {merchant: [new_id("payment", "eu") for _ in range(6)] for merchant in merchants}
        self.committed: list[Told] = []
        self.decisions: list[tuple[Asked, dict[str, int | None], str]] = []

    def entities(self, merchant_id: str) -> dict[str, str | None]:
        found: dict[str, str | None] = {
            token.value: self.random.choice([None, "v1.aa", "v1.bb", "v1.cc"]) for token in TOKENS
        }
        return found | {"link": self.random.choice(self.links), "merchant": merchant_id}

    def moment(self) -> datetime:
        near = timedelta(microseconds=self.random.choice([0, 0, 0, 1, 2, 500_000]))
        return NOW - timedelta(seconds=self.random.choice(EDGES)) + near

    def append(self, open_: Transaction, kind: str, data: dict[str, Any], at: datetime, payment: str) -> Told:
        open_.held.add(payment)
        sequence = 1 + sum(e.subject == payment for e in [*self.committed, *open_.written])
        livemode = payment == self.payments[open_.merchant_id][0]
        row = open_.connection.execute(
            INSERT, [kind, payment, sequence, open_.merchant_id, livemode, at, json.dumps(data)]
        ).fetchone()
        assert row is not None
        told = Told(row[0], kind, payment, sequence, open_.merchant_id, livemode, at, row[1], data)
        open_.written.append(told)
        return told

    def free_payment(self, open_: Transaction, others: list[Transaction]) -> str | None:
        taken = {payment for other in others if other is not open_ for payment in other.held}
        free = sorted(set(self.payments[open_.merchant_id]) - taken)
        return self.random.choice(free) if free else None

    def write(self, open_: Transaction, payment: str) -> None:
        kind = self.random.choice(["payment.failed", "payment.succeeded", "payment.requires_action", "link.created"])
        data: dict[str, Any] = {"payment_id": payment}
        if kind != "payment.requires_action":
            data |= {"link_id": self.random.choice(self.links), "currency": self.random.choice(["EUR", "USD"])}
            data |= {"amount_minor": self.random.randint(1, 2**40)}
            data |= {"failure_code": self.random.choice(["card_declined", "blocked_by_risk"])}
        self.append(open_, kind, data, self.moment(), payment)

    def decide(self, open_: Transaction, payment: str) -> None:
        """Read the features as checkout does, then log them in the same transaction."""
        entities, currency = self.entities(open_.merchant_id), self.random.choice(["EUR", "USD"])
        livemode = payment == self.payments[open_.merchant_id][0]
        as_of = NOW + timedelta(microseconds=self.random.choice([0, 0, 1, 2]))
        own = open_.connection.execute("SELECT pg_current_xact_id_if_assigned()::text::bigint").fetchone()
        parameters = entities | {"match_currency": currency, "livemode": livemode, "now": as_of}
        row = open_.connection.execute(SERVED, parameters).fetchone()
        assert row is not None
        assert row[0] == as_of
        served = dict(zip(FEATURES.names, row[len(MOMENT_COLUMNS) :], strict=True))
        asked = Asked(
            merchant_id=open_.merchant_id,
            livemode=livemode,
            as_of=as_of,
            visible=frozenset(e.xid for e in self.committed),
            own_xid=own[0] if own else None,
            entities=entities,
            matched={"currency": currency},
        )
        open_.decisions.append((asked, served))
        data = {name: value for name, value in entities.items() if value is not None and name != "merchant"}
        data["link_id"] = data.pop("link")
        data |= {"payment_id": payment, "currency": currency, "amount_minor": self.random.randint(1, 2**40)}
        data |= {"as_of": timestamp(as_of), "snapshot": row[1], "features": {k: v for k, v in served.items() if v}}
        data |= {"decision": self.random.choice(["allow", "block"])}
        # Told at another time than it was read: only the window decides, and edges are met more often.
        told = self.append(open_, ASSESSED, data, self.moment(), payment)
        self.decisions.append((asked, served, told.event_id))

    def end(self, open_: Transaction) -> None:
        if self.random.random() < 0.15:
            open_.connection.rollback()
            gone = {e.event_id for e in open_.written}
            self.decisions = [one for one in self.decisions if one[2] not in gone]
        else:
            open_.connection.commit()
            self.committed += open_.written


def play(world: World, connect: Callable[[], psycopg.Connection], steps: int) -> None:
    """Several transactions at once, begun and ended in random order."""
    random = world.random
    running: list[Transaction] = []
    with ExitStack() as stack:
        idle = [stack.enter_context(connect()) for _ in range(5)]
        for _ in range(steps):
            if idle and random.random() < 0.5:
                open_ = Transaction(idle.pop(), random.choice(world.merchants))
                open_.connection.execute("SELECT set_config('meridian.merchant_id', %s, true)", [open_.merchant_id])
                running.append(open_)
            if not running:
                continue
            open_ = random.choice(running)
            payment = world.free_payment(open_, running)
            match random.choice(["write", "write", "decide", "end"]):
                case "write" if payment:
                    world.write(open_, payment)
                case "decide" if payment:
                    world.decide(open_, payment)
                case "end":
                    world.end(open_)
                    running.remove(open_)
                    idle.append(open_.connection)
        for open_ in running:
            world.end(open_)


def history(told: list[Told]) -> dict[str, dict[str, int | None]]:
    with duckdb.connect() as lake:
        lake.execute(
            """CREATE TABLE events (event_id VARCHAR, type VARCHAR, subject VARCHAR, sequence BIGINT,
                                    merchant_id VARCHAR, livemode BOOLEAN, "time" TIMESTAMPTZ, xid BIGINT,
                                    data VARCHAR)"""
        )
        rows = [
            [e.event_id, e.type, e.subject, e.sequence, e.merchant_id, e.livemode, e.time, e.xid, json.dumps(e.data)]
            for e in told
        ]
        lake.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        found = lake.execute(compile_history(FEATURES, "events")).fetchall()
    return {row[0]: dict(zip(FEATURES.names, row[len(DECISION_COLUMNS) :], strict=True)) for row in found}


def connecting(database: RegionDatabase) -> Callable[[], psycopg.Connection]:
    return lambda: psycopg.connect(database.role_urls["web"])


@pytest.mark.parametrize(
    "campaign", [pytest.param(12, marks=pytest.mark.campaign, id="full"), pytest.param(3, id="slice")]
)
def test_online_and_history_equal_brute_force(
    new_region_database: Callable[..., RegionDatabase], campaign: int
) -> None:
    random, decided, values = seeded(), 0, 0
    database = new_region_database()
    with database.connect("postgres") as superuser:  # the service appends through append_event; here times are made up
        superuser.execute("GRANT SELECT ON outbox TO web")
        superuser.execute("CREATE POLICY test ON outbox TO web USING (true) WITH CHECK (true)")
    for _ in range(campaign):
        world = World(random, [new_id("merchant", "eu"), new_id("merchant", "eu")])
        play(world, connecting(database), 220)
        recomputed = history(world.committed)
        for asked, served, event_id in world.decisions:
            expected = oracle(FEATURES, asked, world.committed)
            assert served == expected
            assert recomputed[event_id] == expected
            decided += 1
            values += sum(1 for value in expected.values() if value)
    assert decided > 20 * campaign
    assert values > decided, "a history in which nothing happens tests nothing"


def test_every_parameter_of_the_statement_is_an_entity_or_a_match() -> None:
    assert match_columns(FEATURES) == ("currency",)
    assert max(f.window_seconds for f in FEATURES.features) <= WINDOW_SECONDS_MAX
    assert {f.entity for f in FEATURES.features} == set(Entity)
    assert len(FEATURES.features) >= 12
