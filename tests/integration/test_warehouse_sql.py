"""`meridian sql` as people and scripts run it: formats, refusals, exit codes."""

import csv
import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipelines.demo.jobs import run
from regions.region import load_region
from tests.support.warehouse import DAY, bench
from warehouse.build_record import BuildRecord, BuildStatus
from warehouse.builds import Warehouse

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published build with one table of awkward values."""
    root = tmp_path_factory.mktemp("sql")
    with bench(root) as place:
        inputs = place.inputs()
    warehouse = Warehouse(load_region("eu"), root / "eu")
    with warehouse.lock():
        with duckdb.connect(str(warehouse.path(1))) as connection:
            connection.execute(
                """CREATE TABLE fct_odd AS SELECT * FROM (VALUES
                     (1, 'Zoë, "quoted"', DATE '2026-03-14', 12345678901234567890123::HUGEINT, 1.10::DECIMAL(9, 2),
                      TIMESTAMPTZ '2026-03-14 10:00:00+00', [1, 2], NULL, true),
                     (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false)
                   ) AS t(id, name, day, big, price, moment, list, nothing, is_odd)"""
            )
        record = BuildRecord(1, "eu", DAY, BuildStatus.RECONCILED, inputs)
        record.save(warehouse.folder)
        warehouse.publish()
    return root


@pytest.fixture
def sql(folder: Path) -> Run:
    env = {**os.environ, "WAREHOUSE_URI_EU": f"file://{folder}/eu", "WAREHOUSE_URI_US": f"file://{folder}/us"}
    env["MERIDIAN_STATE"] = str(folder / "no-stack")

    def ask(statement: str, *options: str, region: str = "eu") -> subprocess.CompletedProcess[str]:
        return run(["sql", "--region", region, statement, *options], env)

    return ask


def test_json_keeps_every_digit_and_every_null(sql: Run) -> None:
    done = sql("select * from fct_odd order by id", "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert rows[0]["big"] == 12345678901234567890123
    assert (rows[0]["price"], rows[0]["day"], rows[0]["list"]) == ("1.10", "2026-03-14", [1, 2])
    assert rows[0]["moment"] == "2026-03-14T10:00:00+00:00"
    assert rows[1] == {
        "id": 2, "name": None, "day": None, "big": None, "price": None, "moment": None, "list": None, "nothing": None,
        "is_odd": False,
    }  # fmt: skip


def test_csv_is_csv(sql: Run) -> None:
    done = sql("select id, name, nothing from fct_odd order by id", "--format", "csv")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["id", "name", "nothing"],
        ["1", 'Zoë, "quoted"', ""],
        ["2", "", ""],
    ]


def test_a_table_is_for_people(sql: Run) -> None:
    assert sql("select id, name from fct_odd order by id").stdout.splitlines() == [
        "id  name",
        "--  -------------",
        ' 1  Zoë, "quoted"',
        " 2",
        "(2 rows)",
    ]
    assert sql("select 1 as one where false", "--format", "json").stdout.split() == ["[", "]"]


@pytest.mark.parametrize(
    "statement", ["show tables", "describe fct_odd", "from fct_odd", "explain select 1", "values (1)"]
)
def test_every_way_of_reading_is_allowed(sql: Run, statement: str) -> None:
    assert sql(statement).returncode == 0


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("select nothing_such from fct_odd", "Referenced column"),
        ("select * from fct_payment", "does not exist"),
        ("selec 1", "Parser Error"),
        ("", "Give one statement, not 0"),
        ("select 1; select 2", "Give one statement, not 2"),
        ("drop table fct_odd", "a DROP statement is not allowed"),
        ("insert into fct_odd (id) values (3)", "a INSERT statement is not allowed"),
        ("set threads = 1", "a SET statement is not allowed"),
        ("copy fct_odd to '/tmp/odd.csv'", "a COPY statement is not allowed"),
        ("attach '/tmp/other.db'", "a ATTACH statement is not allowed"),
        ("select * from read_csv('/etc/passwd')", "file system operations are disabled"),
        ("select * from '/etc/passwd'", "does not exist"),
        ("select * from glob('/etc/*')", "file system operations are disabled"),
        ("select 1 / 'x'::int from fct_odd", "Could not convert"),
    ],
)
def test_anything_else_is_one_sentence_and_exit_code_2(sql: Run, statement: str, reason: str) -> None:
    done = sql(statement)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("meridian: ")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_warehouse_without_a_published_build_says_what_to_do(sql: Run) -> None:
    done = sql("select 1", region="us")
    assert done.returncode == 1
    assert "The warehouse of us has no published build yet: run `meridian warehouse build`" in done.stderr


def test_an_unknown_region_and_a_missing_variable_are_named(sql: Run) -> None:
    unknown, missing = sql("select 1", region="mars"), sql("select 1", region="hk")
    assert (unknown.returncode, missing.returncode) == (2, 2)
    assert "There is no region 'mars'" in unknown.stderr
    assert "WAREHOUSE_URI_HK is not set" in missing.stderr
