"""Every DAG on real data: traded, streamed and settled by the local stack, then run twice by Airflow.

The second run of each leaves equal tables: in the warehouses, in the lake, and among retention's records.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from pipelines.bootstrap import environment
from pipelines.demo import cards
from pipelines.demo.merchant import Merchant
from pipelines.demo.payer import Person, Visit
from pipelines.demo.traders import make_client
from pipelines.sandbox.control import Control
from regions.region import load_region
from tests.support.airflow import AirflowRunner, running_airflow
from tests.support.local_stack import LocalStack
from warehouse.builds import Warehouse
from warehouse.global_builds import GlobalWarehouse
from warehouse.lake import Lake
from warehouse.query import open_published

pytestmark = [pytest.mark.airflow, pytest.mark.stack, pytest.mark.xdist_group("stack")]

EU = load_region("eu")
SUBJECT_OF = "SELECT s.subject_id FROM checkout_sessions s JOIN payments p ON p.session_id = s.id WHERE p.id = %s"
ORDER = (
    *("ingest_health_eu", "fx_rates_eu", "lake_maintenance_eu", "region_day_eu"),
    *("fraud_features_eu", "funnels_eu", "residency_check", "global_warehouse"),
)
TODAY = EU.accounting_date(datetime.now(UTC))


@dataclass
class Place:
    """The region that is worked on, and who asked there to be erased."""

    stack: LocalStack
    traded_until: datetime
    subject: str

    def env(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        monkeypatch.setenv("MERIDIAN_STATE", str(self.stack.state))
        return environment("reader")

    def tables(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Everything that the DAGs write, as digests. Others trade here meanwhile: later events do not count."""
        env = self.env(monkeypatch)
        found: dict[str, Any] = {}
        for warehouse in (Warehouse.open(EU, env), GlobalWarehouse.open(env, self.stack.state)):
            number = warehouse.published()
            assert number is not None
            found |= {f"{warehouse.folder.name}.{name}": one for name, one in digest(warehouse.path(number)).items()}
        found.pop("global.rpt_group_coverage")  # names the region's build, and a rerun is another build
        lake = Lake.open(EU, env)
        try:
            for name in ("events", "fx_rates", "settlement_lines"):
                found[f"lake.{name}"] = self._rows(lake, name)
        finally:
            lake.close()
        return found

    def _rows(self, lake: Lake, name: str) -> Any:
        rows = lake.table(name).scan().to_arrow()
        with duckdb.connect() as connection:
            connection.register("rows", rows)
            early = "WHERE time <= ?" if name == "events" else "WHERE ? IS NOT NULL"
            query = f"SELECT count(*), bit_xor(hash(r)) FROM (SELECT * FROM rows {early}) AS r"
            return connection.execute(query, [self.traded_until]).fetchone()


def digest(path: Path) -> dict[str, Any]:
    with duckdb.connect(str(path), read_only=True) as connection:
        query = "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name != 'parts' ORDER BY ALL"
        tables = connection.execute(query).fetchall()  # `parts` says how the build came about
        return {
            name: connection.execute(f'SELECT count(*), bit_xor(hash(t)) FROM "{schema}"."{name}" AS t').fetchone()
            for schema, name in tables
        }


@pytest.fixture(scope="module")
def place(stack: LocalStack) -> Place:
    """Three payments over HTTP, one refunded in part; the gateway closes its batch, one line short; a payer goes."""
    entry = stack.region("eu")
    with make_client(1) as client:
        merchant = Merchant(client, entry["api_url"], entry["secret_key"])
        for number in range(3):
            email = f"dag{number}@example.com"
            visit = Visit(client, Person(name=f"Payer {number}", email=email))
            link = merchant.create_link({"amount_minor": 2500, "currency": "EUR", "reference": "DAG"})
            assert visit.pay(visit.begin(link["url"]), cards.GOOD).state == "succeeded"
        merchant.refund(merchant.payments_of(link["id"])[0]["id"], 100, "requested_by_customer")
        paid = merchant.payments_of(link["id"])[0]["id"]
    Control.of(stack.stack["sandbox"]).settle("MeridianEU", TODAY, ["missing_at_gateway"])
    with psycopg.connect(entry["database_url"]) as connection:
        row = connection.execute(SUBJECT_OF, [paid]).fetchone()
    assert row is not None
    return Place(stack, datetime.now(UTC), str(row[0]))


@pytest.fixture(scope="module")
def airflow(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowRunner]:
    with running_airflow(stack, tmp_path_factory.mktemp("airflow"), "eu") as runner:
        yield runner


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(("region_day_eu", "global_warehouse"), id="the day again"),
        pytest.param(ORDER, id="everything again", marks=pytest.mark.campaign),
    ],
)
def test_a_day_and_what_follows_it_run_twice_to_the_same_tables(
    place: Place, airflow: AirflowRunner, monkeypatch: pytest.MonkeyPatch, again: Sequence[str]
) -> None:
    day = TODAY.isoformat()
    retention = {"retention_plan_eu", "retention_run_eu"}
    assert {*ORDER} | retention == set(airflow.dags), "every DAG is run here or in the next test"
    digests = []
    for refresh, names in ((True, ORDER), (False, again)):  # the second time on what the first one recorded
        for name in names:
            began = time.monotonic()
            airflow.must(name, date=day, refresh=refresh)
            print(f"{name} {time.monotonic() - began:.1f} s")
        digests.append(place.tables(monkeypatch))
    first, second = digests
    assert second == first
    assert {"eu.fct_payments", "lake.fx_rates", "lake.settlement_lines"} <= set(first)
    warehouse = Warehouse.open(EU, place.env(monkeypatch))
    with open_published(warehouse) as connection:
        captured = connection.execute("SELECT sum(captured_minor) FROM rpt_recon_summary").fetchone()
        found = connection.execute("SELECT count(*) FROM fct_recon_breaks WHERE class = 'missing_at_gateway'")
        assert found.fetchone() == (1,)
    assert captured is not None
    assert captured[0] >= 3 * 2500


def test_a_plan_waits_in_meridian_until_a_person_approves_it_then_runs_once(
    place: Place, airflow: AirflowRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = TODAY.isoformat()
    place.stack.must("retention", "request", "--region", "eu", "--subject", place.subject)
    for _ in range(2):
        airflow.must("retention_plan_eu", date=day)
    assert [plan["status"] for plan in plans(place, TODAY)] == ["planned"], "the same plan is one plan"
    before = place.tables(monkeypatch)
    assert "no approved plan of eu is waiting" in airflow.must("retention_run_eu").log
    assert place.tables(monkeypatch) == before, "nobody has approved: nothing happens"

    place.stack.must("retention", "approve", "--region", "eu", "--date", day, "--by", "Jane Doe")
    assert "erasures certified" in airflow.must("retention_run_eu").log
    erased = place.tables(monkeypatch)
    assert erased["lake.events"] != before["lake.events"]
    assert [(plan["status"], plan["is_certified"]) for plan in plans(place, TODAY)] == [("done", True)]

    airflow.must("retention_run_eu")
    assert place.tables(monkeypatch) == erased
    assert [(plan["status"], plan["is_certified"]) for plan in plans(place, TODAY)] == [("done", True)]


def test_a_failure_is_one_sentence_and_a_mistake_is_not_tried_again(airflow: AirflowRunner) -> None:
    ran = airflow.run("fx_rates_eu", date="the day before")
    assert ran.state == "failed"
    assert ran.tasks == {"fx_load": ["failed", 1]}
    said = next(line for line in ran.log.splitlines() if "FAILED fx_load of fx_rates_eu for the day before" in line)
    assert "`meridian fx load --region=eu --date=the day before` ended with exit code 2" in said
    assert "is no date: write YYYY-MM-DD" in said
    assert "docs/runbooks/airflow.md, section `fx_rates`" in said


def plans(place: Place, day: date) -> list[dict[str, Any]]:
    with psycopg.connect(place.stack.region("eu")["database_url"]) as connection:
        rows = connection.execute(
            "SELECT status, certificate IS NOT NULL FROM retention_plans WHERE plan_date = %s ORDER BY planned_at",
            [day],
        ).fetchall()
    return [{"status": status, "is_certified": certified} for status, certified in rows]
