"""A region's DAG on real data: traded, streamed and settled by the local stack, then run twice by Airflow."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from regions.region import load_region
from tests.support.local_stack import REPOSITORY, LocalStack
from warehouse.builds import Warehouse

pytestmark = [pytest.mark.airflow, pytest.mark.stack, pytest.mark.xdist_group("stack")]

RUN = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
run = bag.dags["region_day_us"].test(run_conf={"date": sys.argv[2]})
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
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{command.parent}:{os.environ['PATH']}",
    }
    airflow = shutil.which("airflow", path=str(Path(sys.executable).parent))
    assert airflow
    subprocess.run([airflow, "db", "migrate"], env=env, cwd=home, check=True, capture_output=True)
    return env


def run_day(env: dict[str, str], day: str) -> None:
    command = [sys.executable, "-c", RUN, str(REPOSITORY / "dags"), day]
    done = subprocess.run(command, env=env, cwd=env["AIRFLOW_HOME"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"


def digest(path: Path) -> dict[str, Any]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        schemas = dict(connection.execute("SELECT table_name, schema_name FROM duckdb_tables()").fetchall())
        return {
            name: connection.execute(f"SELECT count(*), bit_xor(hash(t)) FROM {schemas[name]}.{name} AS t").fetchone()
            for name in names
        }


def test_the_day_runs_and_runs_again_to_the_same_tables(stack: LocalStack, airflow: dict[str, str]) -> None:
    done = stack.meridian("demo", "--regions", "us", "--links", "6", "--seed", "7")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    region = load_region("us")
    warehouse = Warehouse.open(region, {"WAREHOUSE_URI_US": stack.region("us")["warehouse_uri"]})
    before = warehouse.published()
    day = region.accounting_date(datetime.now(UTC)).isoformat()

    run_day(airflow, day)
    first = warehouse.published()
    assert first is not None
    assert first != before

    run_day(airflow, day)
    second = warehouse.published()
    assert second == first + 1
    assert digest(warehouse.path(second)) == digest(warehouse.path(first))
