"""Real decisions of checkout, computed again from a lake: equal, also where a transaction commits late; else named."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from pipelines.cli import main, make_app
from pipelines.fraud.compile import compile_history
from pipelines.fraud.parity import Parity, check_parity
from regions.errors import UsageError
from regions.features import feature_set
from regions.ids import new_id
from regions.region import load_region
from tests.support.opened import open_shop
from tests.support.postgres import PostgresServer
from tests.support.shop import DECLINE, SUCCEED, Payer, Shop
from warehouse.lake import POSITIONS, Lake
from warehouse.lake_tables import EVENTS

PARTITION = "eu.risk.v1/0"
REGION = load_region("eu")


@pytest.fixture(scope="module")
def trading(postgres_server: PostgresServer) -> Iterator[Shop]:
    with open_shop(postgres_server) as shop:
        for number in (SUCCEED, DECLINE, SUCCEED):
            Payer(shop, shop.create_link()).open().pay(number)
        yield shop


def outbox(shop: Shop) -> list[dict[str, Any]]:
    return shop.rows(
        """SELECT id::text AS event_id, type, family, subject, sequence, merchant_id, livemode, time, schema_version,
                  correlation_id, data::text AS data, pii::text AS pii, xid::text::bigint AS xid
             FROM outbox ORDER BY id"""
    )


@contextmanager
def lake_of(shop: Shop, rows: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """The environment of jobs on a lake that holds these rows, all of one relay batch."""
    env = shop.database.env_for("lake")
    at = datetime.now(UTC)
    landed = [
        row | {"region": "eu", "kafka_topic": "eu.risk.v1", "kafka_partition": 0, "position": f"1:1:{number}"}
        for number, row in enumerate(rows, 1)
    ]
    landed = [row | {"lake_seq": 1, "ingested_at": at} for row in landed]
    with shop.database.connect("postgres") as connection:
        connection.execute(
            "UPDATE relay_cursor SET batch = 1, partitions = %s", [Jsonb({PARTITION: f"1:1:{len(rows)}"})]
        )
        connection.execute("DELETE FROM relay_batches")
        connection.execute("INSERT INTO relay_batches VALUES (1, 1, '1:1:', '1:1:', '{}', 1, now())")
    lake = Lake.open(REGION, env)
    try:
        table = lake.ensure_table(EVENTS)
        with table.transaction() as transaction:
            transaction.overwrite(pa.Table.from_pylist(landed, schema=EVENTS.schema.as_arrow()))
            transaction.set_properties({POSITIONS: json.dumps({PARTITION: f"1:1:{len(rows)}"})})
    finally:
        lake.close()
    yield env


def parity(shop: Shop, rows: list[dict[str, Any]]) -> Parity:
    with lake_of(shop, rows) as env:
        return check_parity(REGION, env, None)


def assessed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["type"] == "risk.assessed"]


def change(row: dict[str, Any], **fields: Any) -> None:
    data = json.loads(row["data"]) | fields
    row["data"] = json.dumps({name: value for name, value in data.items() if value is not None})


def test_every_value_that_was_served_is_what_history_says(trading: Shop) -> None:
    rows = outbox(trading)
    found = parity(trading, rows)
    assert found.mismatches == []
    assert found.decisions == len(assessed(rows)) >= 3
    assert found.values == found.decisions * len(feature_set().features)
    assert (found.erased_values, found.other_versions) == (0, 0)


def test_a_value_that_differs_is_named_and_the_command_fails(trading: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = outbox(trading)
    last = assessed(rows)[-1]
    served = json.loads(last["data"])["features"]
    change(last, features=served | {"ip_failures_1h": served["ip_failures_1h"] + 1})
    with lake_of(trading, rows) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        answer = CliRunner().invoke(make_app(), ["fraud", "parity", "--region", "eu"])
    assert answer.exit_code == 1
    assert "mismatches   1" in answer.output
    payment_id, value = last["subject"], served["ip_failures_1h"]
    assert f"{payment_id} ip_failures_1h: served {value + 1}, history says {value}" in answer.output


def test_an_event_that_history_lost_shows(trading: Shop) -> None:
    rows = [row for row in outbox(trading) if row["type"] != "payment.failed"]
    assert {one.feature for one in parity(trading, rows).mismatches} >= {"ip_failures_1h", "merchant_failures_10m"}


def test_a_late_commit_is_left_out_as_it_was_online(trading: Shop) -> None:
    """A transaction with a lower id and an earlier event, which commits only after the decision."""
    link, foreign = trading.create_link(usage="multi"), new_id("payment", "eu")
    failed = {"payment_id": foreign, "link_id": link["id"], "failure_code": "card_declined", "amount_minor": 1}
    with trading.database.connect("worker") as late, late.transaction():
        late.execute(
            "SELECT append_event('payment.failed', 'payments', %s, %s, false, 1::smallint, NULL, %s, NULL)",
            [foreign, trading.database.merchant_id, Jsonb(failed)],
        )
        Payer(trading, link).open().pay(SUCCEED)
    rows = outbox(trading)
    [decision] = [row for row in assessed(rows) if row["subject"] == trading.payments(link)[0]["id"]]
    [told] = [row for row in rows if row["subject"] == foreign]
    data = json.loads(decision["data"])
    assert told["xid"] < decision["xid"]
    assert told["time"] < datetime.fromisoformat(data["as_of"]), "by its time it should have counted"
    assert data["features"]["link_failures_1h"] == 0
    assert parity(trading, rows).mismatches == []

    # The next decision sees it.
    Payer(trading, link).open().pay(SUCCEED)
    rows = outbox(trading)
    newest = json.loads(assessed(rows)[-1]["data"])
    assert newest["features"]["link_failures_1h"] == 1
    assert parity(trading, rows).mismatches == []

    # A history that went by time alone would have been wrong.
    change(decision, snapshot=f"{10**9}:{10**9}:")
    blind = [
        row if row["subject"] != decision["subject"] or row["type"] != "risk.assessed" else decision for row in rows
    ]
    wrong = {(one.feature, one.served, one.recomputed) for one in parity(trading, blind).mismatches}
    served = data["features"]["merchant_failures_10m"]
    assert wrong == {("link_failures_1h", 0, 1), ("merchant_failures_10m", served, served + 1)}


def test_what_an_erased_payer_counted_for_cannot_be_told(trading: Shop) -> None:
    rows = outbox(trading)
    first = assessed(rows)[0]
    change(first, email_token=None, card_token=None, device_token=None, ip_token=None)
    found = parity(trading, rows)
    assert found.mismatches == []
    assert found.erased_values > 0


def test_a_decision_under_other_declarations_is_not_compared(trading: Shop) -> None:
    rows = outbox(trading)
    change(assessed(rows)[0], features_version="0" * 16)
    found = parity(trading, rows)
    assert (found.other_versions, found.mismatches) == (1, [])


def test_one_date_at_a_time_and_a_date_without_decisions_is_an_error(
    trading: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = outbox(trading)
    today = REGION.accounting_date(datetime.now(UTC))
    with lake_of(trading, rows) as env:
        assert check_parity(REGION, env, today).decisions == len(assessed(rows))
        with pytest.raises(UsageError, match="holds no decision of that day"):
            check_parity(REGION, env, today - timedelta(days=400))
        assert check_parity(REGION, env, today - timedelta(days=400), is_empty_fine=True).decisions == 0
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["meridian", "fraud", "parity", "--region", "eu", "--date", "2001-01-01"])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 2
    assert "2001-01-01" in capsys.readouterr().err


def test_events_of_before_transactions_were_told_count() -> None:
    as_of = datetime(2026, 3, 14, 12, tzinfo=UTC)
    decision = {"payment_id": "p", "link_id": "l", "currency": "EUR", "as_of": as_of.isoformat(), "snapshot": "9:9:"}
    failed = {"payment_id": "q", "link_id": "l"}
    with duckdb.connect() as lake:
        lake.execute(
            """CREATE TABLE events AS SELECT * FROM (VALUES
                 ('d', 'risk.assessed', 'p', 1, 'm', false, ?::TIMESTAMPTZ, 9::BIGINT, ?),
                 ('old', 'payment.failed', 'q', 1, 'm', false, ?::TIMESTAMPTZ, NULL, ?),
                 ('late', 'payment.failed', 'r', 1, 'm', false, ?::TIMESTAMPTZ, 9, ?))
               AS t(event_id, type, subject, sequence, merchant_id, livemode, "time", xid, data)""",
            [as_of, json.dumps(decision), *(2 * [as_of - timedelta(minutes=1), json.dumps(failed)])],
        )
        sql = f"SELECT link_failures_1h FROM ({compile_history(feature_set(), 'events')})"
        assert lake.execute(sql).fetchall() == [(1,)]
