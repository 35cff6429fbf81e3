"""Funnel definitions are judged whole; funnels are drawn as they are counted; marts have the definition's steps."""

from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.funnel.domain import BAR_WIDTH, Group, bar, draw, in_order
from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError
from regions.funnels import CHECKOUT, load_funnels
from regions.region import load_region
from warehouse.builds import Warehouse
from warehouse.dbt_runner import PROJECT
from warehouse.inputs import Inputs
from warehouse.lake_files import TableFiles

SHIPPED = (CONTRACTS / "funnels.toml").read_text()
SECOND_STEP = SHIPPED[SHIPPED.index('[[funnels.steps]]\nname = "submitted"') :]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        (SECOND_STEP, "", r"field funnels\[0\]\.steps has 1 step: a funnel needs 2 at least"),
        ("checkout.submitted", "checkout.sent", r"steps\[1\]\.event is 'checkout.sent': there is no such event type"),
        ("window_hours = 24", "window_hours = 0", r"funnels\[0\]\.window_hours must be a whole number, 1 at least"),
        ("window_hours = 24", "window_hours = -1", "window_hours must be a whole number"),
        ("window_hours = 24", "", r"field funnels\[0\]\.window_hours is missing"),
        ("window_hours = 24", "window_hours = 24\nwindow_days = 1", r"funnels\[0\]\.window_days is unknown"),
        ("payment.succeeded", "link.created", "whose events do not name their session_id"),
        ('at = "opened_at"', 'at = "created_at"', r"steps\[0\]\.at is 'created_at': use one of opened_at"),
        ('at = "opened_at"', 'at = "amount_minor"', r"steps\[0\]\.at is 'amount_minor'"),
        ('"checkout.opened"', '"checkout.expired"', "a funnel starts with checkout.opened"),
        ('name = "submitted"', 'name = "opened"', "which names an earlier step"),
        (
            '"checkout.submitted"\nat = "submitted_at"',
            '"checkout.opened"\nat = "opened_at"',
            "which is an earlier step",
        ),
        ('name = "checkout"', 'name = "payments"', "has no funnel 'checkout'"),
        ('name = "submitted"', 'name = "sub mitted"', "does not have the form"),
    ],
)
def test_a_bad_definition_names_file_and_field(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    assert before in SHIPPED
    path = tmp_path / "funnels.toml"
    path.write_text(SHIPPED.replace(before, after))
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        load_funnels(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_bad_definition_stops_a_build_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "funnels.toml").write_text(SHIPPED.replace("window_hours = 24", "window_hours = 0"))
    monkeypatch.setattr("warehouse.builds.load_funnels", lambda: load_funnels(tmp_path / "funnels.toml"))
    files = TableFiles(table="events", snapshot_id=None, lake_seq=0, files=(), columns=())
    warehouse = Warehouse(load_region("eu"), tmp_path / "eu")
    with warehouse.lock(), pytest.raises(ConfigurationError, match="window_hours"):
        warehouse.build(date(2026, 3, 14), Inputs(files, files))
    assert not list(warehouse.folder.glob("build-*"))


def test_two_funnels_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "funnels.toml").write_text(SHIPPED * 2)
    with pytest.raises(ConfigurationError, match="field funnels has checkout twice"):
        load_funnels(tmp_path / "funnels.toml")


def test_the_marts_have_the_steps_of_the_definition() -> None:
    steps = [step.name for step in load_funnels()[CHECKOUT].steps]
    for file, model, suffix in (
        ("_growth.yml", "fct_funnel_sessions", "_at"),
        ("funnel/_funnel.yml", "fct_funnel_daily", "_sessions"),
    ):
        document = yaml.safe_load((PROJECT / "models/marts/growth" / file).read_text())
        columns = [
            column["name"] for found in document["models"] if found["name"] == model for column in found["columns"]
        ]
        named = [name.removesuffix(suffix) for name in columns if name.endswith(suffix)]
        assert [name for name in named if name != "expired"] == steps


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_bar_is_never_too_wide_and_never_hides_somebody(count: int, widest: int) -> None:
    drawn = bar(min(count, widest), widest)
    assert len(drawn) <= BAR_WIDTH
    assert bool(drawn) == (count > 0)


def test_lines_tell_shares_of_the_first_step_and_of_the_step_before() -> None:
    lines = draw(Group("email", livemode=False, counts=(200, 100, 25)), ["opened", "submitted", "succeeded"], 400)
    assert [(line.of_first, line.of_previous) for line in lines] == [(1.0, 1.0), (0.5, 0.5), (0.125, 0.25)]
    assert [len(line.bar) for line in lines] == [20, 10, 3]
    assert draw(Group("x", livemode=False, counts=(0, 0)), ["a", "b"], 0)[1].of_previous == 0.0


def test_test_and_live_stay_apart() -> None:
    groups = [Group("b", livemode=True, counts=(9,)), Group("c", livemode=False, counts=(1,))]
    assert [group.value for group in in_order([*groups, Group("a", livemode=False, counts=(5,))])] == ["a", "c", "b"]
