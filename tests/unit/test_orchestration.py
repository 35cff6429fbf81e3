import json
from datetime import date
from pathlib import Path

import httpx
import pytest

from pipelines.orchestration import client
from pipelines.orchestration.client import AirflowClient
from pipelines.orchestration.pools import pools, served
from pipelines.stack import airflow, programs
from pipelines.stack.errors import StackUsageError
from pipelines.stack.plan import Request, make_plan
from pipelines.stack.state import StateFolder, write_json
from regions.errors import ConfigurationError
from regions.region import load_catalog


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    folder.prepare()
    return folder


def test_an_airflow_serves_the_whole_catalog_or_the_regions_it_is_told() -> None:
    assert [region.code for region in served({})] == list(load_catalog())
    assert [region.code for region in served({"MERIDIAN_AIRFLOW_REGIONS": "us, eu,"})] == ["us", "eu"]
    with pytest.raises(ConfigurationError, match="MERIDIAN_AIRFLOW_REGIONS names mars"):
        served({"MERIDIAN_AIRFLOW_REGIONS": "eu,mars"})


def test_a_region_brings_its_pools() -> None:
    made = pools(served({"MERIDIAN_AIRFLOW_REGIONS": "eu"}))
    assert {name: pool["slots"] for name, pool in made.items()} == {"global": 1, "warehouse_eu": 1, "region_eu": 2}


def test_airflow_is_asked_for_once_and_comes_again_until_it_is_sent_away(state: StateFolder) -> None:
    assert airflow.PART not in programs.all_programs(make_plan(state, Request(("eu",)), {}))
    asked = make_plan(state, Request(("eu",), has_airflow=True), {})
    write_json(state.memory_file, asked.memory(["eu"]))
    again = make_plan(state, Request(), {})
    assert [program.name for program in programs.all_programs(again)[airflow.PART]] == list(airflow.NAMES)
    assert airflow.environment(again) == airflow.environment(asked)
    away = make_plan(state, Request(has_airflow=False), {})
    assert airflow.PART not in programs.all_programs(away)


def test_airflow_knows_no_region_and_shares_no_database(state: StateFolder) -> None:
    plan = make_plan(state, Request(("eu", "us"), has_airflow=True), {})
    known = airflow.environment(plan)
    secrets = [value for region in plan.regions for value in region.secrets.values()]
    assert not [name for name, value in known.items() if any(secret in value for secret in secrets)]
    assert str(plan.ports["postgres-airflow"]) in known["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert not any(str(plan.ports[f"postgres-{code}"]) in " ".join(known.values()) for code in ("eu", "us"))
    assert known["MERIDIAN_AIRFLOW_REGIONS"] == "eu,us"


def test_what_is_not_installed_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow.require_packages()

    def missing(name: str) -> str:
        raise airflow.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(airflow.importlib.metadata, "version", missing)
    with pytest.raises(StackUsageError, match="not installed here: run `make install`"):
        airflow.require_packages()


def test_a_stack_without_airflow_says_so(state: StateFolder) -> None:
    write_json(state.stack_file, {"version": 1, "regions": {}})
    for ask in (AirflowClient.of, airflow.cli_environment):
        with pytest.raises(StackUsageError, match="meridian up --airflow"):
            ask(state)


def answering(monkeypatch: pytest.MonkeyPatch, *, partitioned: bool) -> list[httpx.Request]:
    """An Airflow that has one DAG."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        known = {
            "/auth/token": {"access_token": "t"},
            "/api/v2/dags/region_day_eu/details": {"timetable_partitioned": partitioned},
            "/api/v2/dags/region_day_eu/dagRuns": {"dag_run_id": "run-1"},
        }
        found = known.get(request.url.path)
        return httpx.Response(404) if found is None else httpx.Response(200, json=found)

    real = httpx.Client
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(client.httpx, "Client", lambda **options: real(transport=transport, **options))
    return seen


@pytest.mark.parametrize("partitioned", [True, False])
def test_a_run_gets_its_date_as_partition_key_where_the_dag_has_one(
    monkeypatch: pytest.MonkeyPatch, *, partitioned: bool
) -> None:
    seen = answering(monkeypatch, partitioned=partitioned)
    asked = AirflowClient("http://airflow", "admin", "secret")
    assert asked.trigger("region_day_eu", date(2026, 3, 1), refresh=True) == "run-1"
    body = json.loads(seen[-1].content)
    assert body["conf"] == {"date": "2026-03-01", "refresh": True}
    assert body.get("partition_key") == ("2026-03-01" if partitioned else None)
    assert seen[-1].headers["Authorization"] == "Bearer t"


def test_a_dag_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, partitioned=True)
    with pytest.raises(StackUsageError, match="Airflow has no dags/mars/details"):
        AirflowClient("http://airflow", "admin", "secret").trigger("mars", date(2026, 3, 1))
