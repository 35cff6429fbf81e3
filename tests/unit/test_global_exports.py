"""What leaves a region is decided by the residency classes of the marts' columns, and by nothing else."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from regions.errors import ConfigurationError
from regions.region import load_catalog, load_region
from regions.residency import ResidencyError
from warehouse.dbt_runner import PROJECT
from warehouse.exports import ExportError, read_exports
from warehouse.global_builds import GlobalWarehouse
from warehouse.global_checks import compare


@pytest.fixture
def models(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT / "models", tmp_path / "models")
    return tmp_path / "models"


def ask_for(models: Path, table: str, column: str) -> None:
    """One more column in the global models' source."""
    path = models / "global/_global.yml"
    document = yaml.load(path.read_text(), yaml.CSafeLoader)
    [found] = [one for one in document["sources"][0]["tables"] if one["name"] == table]
    found["columns"].append({"name": column, "config": {"meta": {"residency": "exportable"}}})  # it lies
    path.write_text(yaml.safe_dump(document))


def declare(models: Path, file: str, table: str, column: str, residency: str | None) -> None:
    path = models / file
    document = yaml.load(path.read_text(), yaml.CSafeLoader)
    [found] = [one for one in document["models"] if one["name"] == table]
    known = {one["name"]: one for one in found["columns"]}
    known[column]["config"] = {"meta": {"residency": residency} if residency else {}}
    path.write_text(yaml.safe_dump(document))


def test_the_project_exports_something_and_only_exportable_columns() -> None:
    tables = {table.name: table for table in read_exports()}
    assert {"fct_payments", "rpt_volume_monthly", "rpt_funnel_monthly"} <= set(tables)
    marts = {
        model["name"]: {column["name"]: column["config"]["meta"]["residency"] for column in model["columns"]}
        for path in PROJECT.glob("models/marts/**/*.yml")
        for model in yaml.load(path.read_text(), yaml.CSafeLoader)["models"]
    }
    exported = {(name, column.name) for name, table in tables.items() for column in table.columns}
    assert {marts[name][column] for name, column in exported} == {"exportable"}


@pytest.mark.parametrize("column", ["merchant_id", "payment_id", "campaign", "gateway_reference"])
def test_a_regional_column_may_not_be_asked_for(models: Path, column: str) -> None:
    ask_for(models, "fct_payments", column)
    with pytest.raises(ResidencyError, match=rf"fct_payments\.{column} \(regional\)"):
        read_exports(models)


@pytest.mark.parametrize(("residency", "named"), [("pii", "pii"), ("regional", "regional"), (None, "unknown")])
def test_a_column_whose_class_gets_stricter_stops_the_export(models: Path, residency: str | None, named: str) -> None:
    declare(models, "marts/finance/volume/_volume.yml", "rpt_volume_monthly", "captured_minor", residency)
    with pytest.raises(ResidencyError, match=rf"rpt_volume_monthly\.captured_minor \({named}\)"):
        read_exports(models)


def test_a_column_or_mart_that_is_not_there_is_named(models: Path) -> None:
    ask_for(models, "fct_payments", "shoe_size")
    with pytest.raises(ExportError, match=r"fct_payments\.shoe_size, and fct_payments has no such column"):
        read_exports(models)
    shutil.rmtree(models / "marts/finance/volume")
    with pytest.raises(ExportError, match=r"has no such column|there is no such mart"):
        read_exports(models)


def test_rows_leave_only_where_the_catalog_lets_them() -> None:
    tables = {table.name: table for table in read_exports()}
    india, europe = load_region("in").residency, load_region("eu").residency
    assert tables["fct_payments"].condition(india) is None
    assert tables["rpt_volume_monthly"].condition(india) == f'"payment_count" >= {india.minimum_group_size}'
    assert tables["fct_payments"].condition(europe) == "true"
    assert [code for code, region in load_catalog().items() if region.residency.export == "aggregates"] == ["in"]


@given(
    st.dictionaries(st.tuples(st.sampled_from("abc")), st.tuples(st.integers(1, 9), st.integers(0, 99)), max_size=3),
    st.integers(0, 9),
)
def test_only_the_large_groups_with_their_own_figures_pass(
    regional: dict[tuple[str], tuple[int, int]], minimum: int
) -> None:
    large = {key: figures for key, figures in regional.items() if figures[0] >= minimum}
    assert list(compare(regional, large, minimum)) == []
    for key, (size, minor) in regional.items():
        assert list(compare(regional, {**large, key: (size, minor + 1)}, minimum)), "a wrong figure passed"
        if key in large:
            assert list(compare(regional, {k: v for k, v in large.items() if k != key}, minimum)), "a loss passed"
        else:
            problems = list(compare(regional, {**large, key: (size, minor)}, minimum))
            assert problems == [f"{key[0]} is a group below {minimum} and must not be there"]


def test_the_folder_is_the_variables_or_the_states(tmp_path: Path) -> None:
    assert GlobalWarehouse.open({}, tmp_path).folder == tmp_path / "warehouse/global"
    assert GlobalWarehouse.open({"WAREHOUSE_URI_GLOBAL": "file:///srv/g%20w"}, tmp_path).folder == Path("/srv/g w")
    with pytest.raises(ConfigurationError, match="WAREHOUSE_URI_GLOBAL must be a URL"):
        GlobalWarehouse.open({"WAREHOUSE_URI_GLOBAL": "s3://bucket"}, tmp_path)
