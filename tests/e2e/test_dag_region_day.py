"""A region's DAG on real data: traded, streamed and settled by the local stack, then run twice by Airflow."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.demo import cards
from pipelines.demo.merchant import Merchant
from pipelines.demo.payer import Person, Visit
from pipelines.demo.traders import make_client
from pipelines.sandbox.control import Control
from regions.region import load_region
from tests.support.local_stack import REPOSITORY, LocalStack
from warehouse.builds import Warehouse
from warehouse.query import open_published

pytestmark = [pytest.mark.airflow, pytest.mark.stack, pytest.mark.xdist_group("stack")]

RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
run = bag.dags["region_day_eu"].test(run_conf=json.loads(sys.argv[2]))
print("STATES", sorted((task.task_id, str(task.state)) for task in run.get_task_instances()))
sys.exit(0 if str(run.state) == "success" else 1)
"""


@pytest.fixture(scope="module")
def airflow(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an Airflow with metadata of its own, and `meridian` on its path."""
    home = tmp_path_factory.mktemp("airflow")
    command = home / "bin" / "meridian"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelines.cli "$@"\n')
    command.chmod(0o755)
    env = {
        **stack.environment,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{command.parent}:{os.environ['PATH']}",
    }
    airflow = shutil.which("airflow", path=str(Path(sys.executable).parent))
    assert airflow
    subprocess.run([airflow, "db", "migrate"], env=env, cwd=home, check=True, capture_output=True)
    return env


def run_day(env: dict[str, str], *, refresh: bool) -> None:
    conf = json.dumps({"date": today().isoformat(), "refresh": refresh})
    command = [sys.executable, "-c", RUN, str(REPOSITORY / "dags"), conf]
    done = subprocess.run(command, env=env, cwd=env["AIRFLOW_HOME"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"


def digest(path: Path) -> dict[str, Any]:
    with duckdb.connect(str(path), read_only=True) as connection:
        query = "SELECT table_name FROM duckdb_tables() WHERE schema_name != 'parts' ORDER BY 1"
        names = [name for (name,) in connection.execute(query).fetchall()]  # `parts` says how the build came about
        schemas = dict(connection.execute("SELECT table_name, schema_name FROM duckdb_tables()").fetchall())
        return {
            name: connection.execute(f"SELECT count(*), bit_xor(hash(t)) FROM {schemas[name]}.{name} AS t").fetchone()
            for name in names
        }


def trade(stack: LocalStack) -> None:
    """Three payments over HTTP, one of them refunded in part; then the gateway closes its batch, one line short."""
    place = stack.region("eu")
    order = {"amount_minor": 2500, "currency": "EUR", "reference": "DAG"}
    with make_client(1) as client:
        merchant = Merchant(client, place["api_url"], place["secret_key"])
        for number in range(3):
            visit = Visit(client, Person(name=f"Payer {number}", email=f"payer{number}@example.com"))
            link = merchant.create_link(order)
            assert visit.pay(visit.begin(link["url"]), cards.GOOD).state == "succeeded"
        merchant.refund(merchant.payments_of(link["id"])[0]["id"], 100, "requested_by_customer")
    Control.of(stack.stack["sandbox"]).settle("MeridianEU", today(), ["missing_at_gateway"])


def today() -> date:
    return load_region("eu").accounting_date(datetime.now(UTC))


def test_the_day_runs_and_runs_again_to_the_same_tables(stack: LocalStack, airflow: dict[str, str]) -> None:
    trade(stack)
    warehouse = Warehouse.open(load_region("eu"), {"WAREHOUSE_URI_EU": stack.region("eu")["warehouse_uri"]})
    run_day(airflow, refresh=True)
    first = warehouse.published()
    assert first is not None
    with open_published(warehouse) as connection:
        captured = connection.execute("SELECT sum(captured_minor) FROM rpt_recon_summary").fetchone()
        breaks = connection.execute(
            "SELECT count(*) FROM fct_recon_breaks WHERE class = 'missing_at_gateway'"
        ).fetchone()
    assert captured is not None
    assert captured[0] >= 3 * 2500
    assert breaks == (1,)

    run_day(airflow, refresh=False)  # on what the first run recorded
    second = warehouse.published()
    assert second == first + 1
    assert digest(warehouse.path(second)) == digest(warehouse.path(first))
