"""The global warehouse: sums as in the regions, nothing that may not leave, no region silently left out."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.demo.jobs import run
from regions.errors import UsageError
from regions.region import load_catalog, load_region
from warehouse.build_record import BuildRecord, BuildStatus
from warehouse.builds import Warehouse
from warehouse.global_builds import GlobalWarehouse, IncompleteError
from warehouse.global_checks import GroupSumsError, check_sums
from warehouse.global_inputs import StaleBuildError, open_sources
from warehouse.inputs import Inputs
from warehouse.lake_files import TableFiles
from warehouse.query import open_published

DAY = date(2026, 3, 14)
REGIONS = list(load_catalog().values())
NO_FILES = TableFiles(table="events", snapshot_id=None, lake_seq=0, files=(), columns=())
MARTS = """
    CREATE TABLE fct_payments AS
        SELECT '{region}' AS region, 'pay_' || i AS payment_id, 'merch_' || i AS merchant_id, i % 7 = 0 AS livemode,
               CASE WHEN i % 5 = 0 THEN '{other}' ELSE '{currency}' END AS currency,
               CASE WHEN i % 4 = 0 THEN 'failed' ELSE 'succeeded' END AS status, 'card' AS method,
               CASE WHEN i % 3 > 0 THEN 'email' END AS channel, 'mobile' AS device_class,
               CASE WHEN i % 4 = 0 THEN 0 ELSE i * 100 END::BIGINT AS captured_minor,
               CASE WHEN i % 6 = 1 THEN i ELSE 0 END::BIGINT AS refunded_minor,
               DATE '2026-02-27' + (i % 4)::INTEGER AS created_on
          FROM range(1, {count} + 1) AS r(i);
    CREATE TABLE rpt_volume_monthly AS
        SELECT region, date_trunc('month', created_on)::DATE AS business_month, livemode, currency,
               count(*) AS payment_count, count(*) FILTER (WHERE status = 'succeeded') AS succeeded_count,
               sum(captured_minor)::BIGINT AS captured_minor, sum(refunded_minor)::BIGINT AS refunded_minor,
               sum(captured_minor)::BIGINT AS captured_eur_minor, 0::BIGINT AS unconverted_count
          FROM fct_payments GROUP BY ALL;
    CREATE TABLE fct_funnel_sessions AS
        SELECT region, livemode, channel, device_class, created_on AS opened_on, status = 'succeeded' AS is_converted
          FROM fct_payments;
    CREATE TABLE rpt_funnel_monthly AS
        SELECT region, date_trunc('month', opened_on)::DATE AS business_month, livemode,
               coalesce(channel, '(none)') AS channel, device_class, count(*) AS opened_sessions,
               count(*) AS submitted_sessions, count(*) FILTER (WHERE is_converted) AS succeeded_sessions
          FROM fct_funnel_sessions GROUP BY ALL;
"""


def publish(root: Path, code: str, count: int, day: date = DAY, *, spoil: str = "") -> None:
    """A published build of a region with `count` payments; `spoil` is SQL that is run on it last."""
    region = load_region(code)
    warehouse = Warehouse(region, root / code)
    with warehouse.lock():
        number = len(warehouse.records()) + 1
        other = region.currencies[-1]
        with duckdb.connect(str(warehouse.path(number))) as connection:
            connection.execute(
                MARTS.format(region=code, currency=region.currencies[0], other=other, count=count) + spoil
            )
        inputs = Inputs(NO_FILES, replace(NO_FILES, table="settlement_lines"))
        BuildRecord(number, code, day, BuildStatus.RECONCILED, inputs).save(warehouse.folder)
        warehouse.publish()


def environment(root: Path) -> dict[str, str]:
    return {f"WAREHOUSE_URI_{region.code.upper()}": f"file://{root}/{region.code}" for region in REGIONS}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """eu whole, us of the day before, in with groups on both sides of its minimum, hk without a build; united."""
    folder = tmp_path_factory.mktemp("group")
    publish(folder, "eu", 90)
    publish(folder, "us", 40, date(2026, 3, 13))
    publish(folder, "in", 300)
    GlobalWarehouse(folder / "global").build(REGIONS, DAY, environment(folder))
    yield folder


def rows(root: Path, query: str, region: str | None = None) -> list[tuple[object, ...]]:
    warehouse = Warehouse(load_region(region), root / region) if region else GlobalWarehouse(root / "global")
    with open_published(warehouse) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("region", ["eu", "us"])
def test_sums_are_those_of_the_regions_mart(root: Path, region: str) -> None:
    figures = "livemode, currency, {count}::bigint, sum(captured_minor)::bigint, sum(refunded_minor)::bigint"
    expected = rows(
        root, f"SELECT {figures.format(count='count(*)')} FROM fct_payments GROUP BY ALL ORDER BY ALL", region
    )
    for table in ("rpt_group_volume", "fct_group_payments"):
        query = (
            f"SELECT {figures.format(count='sum(payment_count)')} FROM {table} WHERE region = '{region}' "
            "GROUP BY ALL ORDER BY ALL"
        )
        assert rows(root, query) == expected


def test_a_region_that_gives_only_aggregates_gives_large_groups_only(root: Path) -> None:
    minimum = load_region("in").residency.minimum_group_size
    groups = rows(root, "SELECT payment_count FROM rpt_volume_monthly", "in")
    large = sorted(count for (count,) in groups if count >= minimum)  # type: ignore[operator]
    assert 0 < len(large) < len(groups), "the groups are all on one side: nothing is tested"
    found = rows(root, "SELECT payment_count FROM rpt_group_volume WHERE region = 'in' ORDER BY 1")
    assert found == [(count,) for count in large]
    assert rows(root, "SELECT count(*) FROM fct_group_payments WHERE region = 'in'") == [(0,)]
    assert rows(
        root, "SELECT min(opened_sessions) >= ? FROM rpt_group_funnel WHERE region = 'in'".replace("?", str(minimum))
    ) == [(True,)]
    [(withheld,)] = rows(root, "SELECT groups_withheld FROM rpt_group_coverage WHERE region = 'in'")
    assert withheld >= len(groups) - len(large)  # type: ignore[operator]


def test_every_region_is_named_with_its_state(root: Path) -> None:
    found = {row[0]: row[1:] for row in rows(root, "SELECT region, state, build, reason FROM rpt_group_coverage")}
    assert set(found) == set(load_catalog())
    assert found["eu"] == ("included", 1, None)
    assert found["us"] == ("older", 1, "its published build-1 is for 2026-03-13, before 2026-03-14")
    assert found["hk"][:2] == ("missing", None)
    assert "no published build yet" in str(found["hk"][2])


def test_no_id_and_no_campaign_is_in_any_file_of_the_global_warehouse(root: Path) -> None:
    for path in (root / "global/build-1.duckdb", root / "global/work/lake.duckdb"):
        with duckdb.connect(str(path), read_only=True) as connection:
            names = {name for (name,) in connection.execute("SELECT column_name FROM duckdb_columns()").fetchall()}
        assert "captured_minor" in names
        assert not {name for name in names if name.endswith("_id") and name != "database_id"} & {
            "payment_id", "merchant_id", "session_id", "link_id"
        }  # fmt: skip
        assert "campaign" not in names
    for path in (root / "global").rglob("*.duckdb"):
        assert b"merch_1" not in path.read_bytes()


def test_strict_builds_nothing_while_a_region_is_missing_or_older(root: Path) -> None:
    warehouse = GlobalWarehouse(root / "global")
    before = len(warehouse.records())
    with pytest.raises(IncompleteError, match=r"hk is missing: .*us is older: its published build-1 is for 2026-03-13"):
        warehouse.build(REGIONS, DAY, environment(root), is_strict=True)
    assert len(warehouse.records()) == before


def test_without_any_region_there_is_nothing_to_unite(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No region has a published build to unite: eu is missing"):
        GlobalWarehouse(tmp_path / "global").build(REGIONS, DAY, environment(tmp_path))
    assert not list((tmp_path / "global").glob("build-*"))


def test_a_build_without_a_column_that_is_read_is_named(tmp_path: Path) -> None:
    publish(tmp_path, "eu", 5, spoil="ALTER TABLE rpt_volume_monthly DROP COLUMN refunded_minor;")
    with pytest.raises(
        StaleBuildError, match="build-1 of eu lacks what the global warehouse reads from rpt_volume_monthly"
    ):
        GlobalWarehouse(tmp_path / "global").build(REGIONS, DAY, environment(tmp_path))


def test_figures_that_disagree_with_a_region_are_not_published(tmp_path: Path, root: Path) -> None:
    """The regional report says one cent more than the region's payments: the sums show it."""
    publish(tmp_path, "eu", 30, spoil="UPDATE rpt_volume_monthly SET captured_minor = captured_minor + 1;")
    with open_sources([load_region("eu")], DAY, environment(tmp_path)) as sources, duckdb.connect() as candidate:
        build = sources[0].build
        assert build is not None
        for table in ("volume", "funnel"):
            candidate.register("marts", build.sql(f"FROM rpt_{table}_monthly").to_arrow_table())
            candidate.execute(f"CREATE TABLE rpt_group_{table} AS FROM marts")
        with pytest.raises(GroupSumsError, match="eu, rpt_group_volume"):
            check_sums(candidate, sources)


def meridian(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment(root), "WAREHOUSE_URI_GLOBAL": f"file://{root}/global"}
    env["MERIDIAN_STATE"] = str(root / "no-stack")
    return run(arguments, env)


def test_people_ask_it_with_sql(root: Path) -> None:
    done = meridian(
        root,
        "sql",
        "--global",
        "select region, sum(payment_count) as n from rpt_group_volume group by 1 order by 1",
        "--format",
        "json",
    )
    assert [row["region"] for row in json.loads(done.stdout)] == ["eu", "in", "us"], done.stderr
    both = meridian(root, "sql", "--global", "--region", "eu", "select 1")
    assert (both.returncode, both.stderr) == (2, "meridian: Give either --region with a region's code or --global\n")
    assert meridian(root, "sql", "select 1").returncode == 2
