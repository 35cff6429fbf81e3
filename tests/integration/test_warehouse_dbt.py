"""Builds run the project's compiled SQL themselves: table by table and check by check what dbt itself would do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb

from tests.support.warehouse import TradedDay, bench, digest
from warehouse.dbt_plan import dbt_environment
from warehouse.dbt_runner import PROJECT, plan_of


def test_a_build_is_what_dbt_builds(tmp_path: Path) -> None:
    with bench(tmp_path) as place:
        day = TradedDay(place.region).trade(25)
        place.append([event | {"sequence": event["sequence"] + 1} for event in day.events])  # what only warns
        place.land(day.report(["amount", "duplicate"])[0])
        place.build()
        record = place.warehouse.records()[-1]
        work = place.warehouse.folder / "work"
        duckdb.connect(str(work / "warehouse.duckdb")).close()
        command = [sys.executable, "-P", "-c", "from dbt.cli.main import cli; cli()", "--quiet", "build"]
        env = {**os.environ, **dbt_environment(PROJECT, work)}
        done = subprocess.run(
            [*command, "--exclude", "tag:global"], cwd=PROJECT, env=env, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert digest(work / "warehouse.duckdb") == digest(place.warehouse.path(record.number))
    results = json.loads((work / "target/run_results.json").read_text())["results"]
    warned = [f"{node['unique_id'].split('.')[2]} ({node['message']})" for node in results if node["status"] == "warn"]
    assert tuple(warned) == record.warnings
    assert warned
    ran = {node["unique_id"] for node in results if not node["unique_id"].startswith("operation.")}
    assert ran == {node.id for node in plan_of(work).nodes if "global" not in node.tags}
    assert columns(work / "warehouse.duckdb") == columns(place.warehouse.path(record.number))


def columns(path: Path) -> list[tuple[str, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            "SELECT schema_name, table_name, column_name, column_index, data_type, is_nullable FROM duckdb_columns() "
            "WHERE NOT internal ORDER BY ALL"
        ).fetchall()
