"""The DAGs as Airflow reads them: one per region, wiring only."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from regions.region import load_catalog
from tests.support.local_stack import REPOSITORY

pytestmark = pytest.mark.airflow

DAGS = REPOSITORY / "dags"
STEPS = ["lake_wait", "settlement_fetch", "fx_load", "warehouse_build", "recon_run", "warehouse_publish"]
READ = """
import json
from datetime import datetime
from zoneinfo import ZoneInfo
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.encoders import coerce_to_core_timetable
from pendulum import instance

def day_of_run(timetable):
    # the partition key of the run that starts on the morning of 15 March
    core = coerce_to_core_timetable(timetable)
    morning = instance(datetime(2026, 3, 15, 4, 30, tzinfo=ZoneInfo(str(core._timezone))))
    return core._get_partition_info(run_date=morning)[1]

bag = DagBag(dag_folder=%r)
print("RESULT" + json.dumps({
    "errors": bag.import_errors,
    "dags": {dag.dag_id: {
        "timezone": str(dag.timetable.timezone if hasattr(dag.timetable, "timezone") else dag.timetable._timezone),
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "day_of_run": day_of_run(dag.timetable),
        "tasks": {task.task_id: {"command": task.bash_command, "after": sorted(task.upstream_task_ids)}
                  for task in dag.tasks},
    } for dag in bag.dags.values()},
}))
"""


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-c", READ % str(DAGS)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=home, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return found


def test_every_region_has_its_dag_and_nothing_fails_to_import(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert set(bag["dags"]) == {f"region_day_{code}" for code in load_catalog()}


def test_the_steps_run_in_order_one_run_at_a_time(bag: dict[str, Any]) -> None:
    for dag in bag["dags"].values():
        after = {name: task["after"] for name, task in dag["tasks"].items()}
        assert after == {
            "lake_wait": [],
            "settlement_fetch": [],
            "fx_load": [],
            "warehouse_build": ["fx_load", "lake_wait", "settlement_fetch"],
            "recon_run": ["warehouse_build"],
            "warehouse_publish": ["recon_run"],
        }
        assert dag["max_active_runs"] == 1
        assert not dag["catchup"]


def test_a_day_is_the_regions_day(bag: dict[str, Any]) -> None:
    for code, region in load_catalog().items():
        assert bag["dags"][f"region_day_{code}"]["timezone"] == region.timezone
        assert bag["dags"][f"region_day_{code}"]["day_of_run"] == "2026-03-14", "the day that has just ended"


def test_a_task_is_one_meridian_command_for_its_own_region(bag: dict[str, Any]) -> None:
    for code in load_catalog():
        for name in STEPS:
            task = bag["dags"][f"region_day_{code}"]["tasks"][name]
            assert task["command"].startswith("meridian ")
            assert task["command"].endswith(f"--region {code}")
            assert "{{" not in task["command"], "a run's conf must not reach a command line"


def test_a_dag_file_fits_on_a_screen_and_holds_no_logic() -> None:
    files = sorted(DAGS.glob("*.py"))
    assert files
    for path in files:
        assert len(path.read_text().splitlines()) <= 60, path
        imported = {
            node.module.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        assert imported <= {"datetime", "airflow", "regions"}, path
        assert path.stem not in {"regions", "web", "pipelines", "warehouse", "dbt"}, "it would hide a package"
        assert not Path(path.parent / "__init__.py").exists()
