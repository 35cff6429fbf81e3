"""A traded day of a region, through its own build, into funnel and group: the real path, twice."""

import csv
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.demo.jobs import run
from regions.region import load_region
from tests.support.warehouse import DAY, TradedDay, bench
from warehouse.global_builds import GlobalWarehouse
from warehouse.query import open_published


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, TradedDay]]:
    root = tmp_path_factory.mktemp("group")
    with bench(root) as place:
        day = TradedDay(place.region).trade(40)
        place.append(day.events)
        place.build()
        yield root, day


def environment(root: Path) -> dict[str, str]:
    return {"WAREHOUSE_URI_EU": f"file://{root}/warehouse/eu", "WAREHOUSE_URI_GLOBAL": f"file://{root}/global"}


def meridian(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment(root), "MERIDIAN_STATE": str(root / "no-stack")}
    return run(arguments, env)


def digest(path: Path) -> dict[str, Any]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {
            name: connection.execute(f"SELECT count(*), bit_xor(hash(t)), sum(hash(t)) FROM {name} AS t").fetchone()
            for name in names
        }


def test_the_group_says_what_was_traded_and_says_it_again(traded: tuple[Path, TradedDay]) -> None:
    root, day = traded
    warehouse, regions = GlobalWarehouse(root / "global"), [load_region("eu")]
    records = [warehouse.build(regions, DAY, environment(root)) for _ in range(2)]
    assert digest(warehouse.path(records[0].number)) == digest(warehouse.path(records[1].number))
    assert warehouse.published() == records[1].number
    with open_published(warehouse) as connection:
        volume = connection.execute(
            "SELECT region, currency, payment_count, succeeded_count, captured_minor, refunded_minor "
            "FROM rpt_group_volume"
        ).fetchall()
        funnel = connection.execute(
            "SELECT sum(opened_sessions)::int, sum(submitted_sessions)::int, sum(succeeded_sessions)::int "
            "FROM rpt_group_funnel"
        ).fetchall()
    found = day.expected
    assert volume == [
        ("eu", "EUR", found["submitted"], found["paid"], found["captured_EUR"], found["refunded_EUR"]),
    ]
    assert funnel == [(found["sessions"], found["submitted"], found["paid"])]


def test_the_funnel_is_drawn_counted_and_split(traded: tuple[Path, TradedDay]) -> None:
    root, day = traded
    found = day.expected
    everything = json.loads(meridian(root, "funnel", "--region", "eu", "--format", "json").stdout)
    assert [(row["opened_sessions"], row["submitted_sessions"], row["succeeded_sessions"]) for row in everything] == [
        (found["sessions"], found["submitted"], found["paid"])
    ]
    for dimension in ("channel", "campaign", "method", "device_class", "locale"):
        done = meridian(root, "funnel", "--region", "eu", "--by", dimension, "--date", str(DAY), "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert sum(int(row["opened_sessions"]) for row in rows) == found["sessions"], done.stderr
        assert all(row[dimension] for row in rows)
    drawn = meridian(root, "funnel", "--region", "eu", "--by", "channel").stdout
    assert "eu · test · email: " in drawn
    assert drawn.count("█") > 40


def test_a_day_without_sessions_is_named(traded: tuple[Path, TradedDay]) -> None:
    done = meridian(traded[0], "funnel", "--region", "eu", "--date", "2020-01-01")
    assert done.returncode == 2
    assert done.stderr == (
        "meridian: --date 2020-01-01: the published warehouse of eu has no session that was opened on it\n"
    )
    assert meridian(traded[0], "funnel", "--region", "eu", "--date", "soon").returncode == 2
    quiet = meridian(traded[0], "funnel", "--region", "eu", "--date", "2020-01-01", "--allow-empty")
    assert (quiet.returncode, quiet.stdout) == (0, "within 24 hours of opened; 0 groups\n")
