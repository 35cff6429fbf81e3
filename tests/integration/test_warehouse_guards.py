"""The checks of the dbt project can fail: each is broken once."""

import shutil
from pathlib import Path

import pytest

from tests.support.warehouse import DAY, TradedDay, bench
from warehouse import dbt_runner
from warehouse.dbt_runner import TransformError


def test_an_undeclared_residency_class_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "dbt"
    shutil.copytree(dbt_runner.PROJECT, project)
    marts = project / "models/marts/growth/_growth.yml"
    marts.write_text(marts.read_text().replace("residency: regional", "residency: harmless", 1))
    monkeypatch.setattr(dbt_runner, "PROJECT", project)
    with bench(tmp_path) as place, place.warehouse.lock():
        with pytest.raises(TransformError, match=r"fct_links\.link_id: residency class is harmless"):
            place.warehouse.build(DAY, place.inputs())
        assert not place.warehouse.path(1).exists(), "nothing was built"


def test_an_event_type_that_no_model_stages_stops_the_build(tmp_path: Path) -> None:
    with bench(tmp_path) as place:
        day = TradedDay(place.region)
        day.session("paid")
        place.append([*day.events, day.events[-1] | {"event_id": "x", "type": "gift.wrapped", "subject": "gift_eu_1"}])
        with place.warehouse.lock(), pytest.raises(TransformError, match="events_staged"):
            place.warehouse.build(DAY, place.inputs())


def test_a_value_that_breaks_its_declared_type_stops_the_build(tmp_path: Path) -> None:
    with bench(tmp_path) as place:
        day = TradedDay(place.region)
        day.session("abandoned")
        opened = next(event for event in day.events if event["type"] == "checkout.opened")
        opened["data"] = opened["data"].replace('"amount_minor": ', '"amount_minor": "many", "was": ')
        place.append(day.events)
        with place.warehouse.lock(), pytest.raises(TransformError, match="stg_checkout_opened"):
            place.warehouse.build(DAY, place.inputs())
