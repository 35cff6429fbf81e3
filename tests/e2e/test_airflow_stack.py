"""`meridian up --airflow`: a real scheduler runs a day, and what waits for its assets follows by itself."""

import time

import psutil
import pytest

from pipelines.orchestration.client import AirflowClient
from pipelines.stack.state import StateFolder
from pipelines.stack.supervisor import orphans
from tests.support.local_stack import LocalStack, running_stack
from tests.support.stream import await_that

pytestmark = [pytest.mark.airflow, pytest.mark.stack, pytest.mark.campaign]

SECONDS = 420
DAY = "2026-11-20"  # a business day: it has rates


def test_a_day_that_is_triggered_is_followed_by_everything_that_waits_for_it() -> None:
    with running_stack("eu", "--airflow") as stack:
        entry = stack.stack["airflow"]
        shown = stack.must("status")
        assert f"Airflow: {entry['url']} as admin with password {entry['password']}" in shown
        assert "warehouse_eu" in stack.must("airflow", "cli", "pools", "list", "-o", "plain")
        for name in ("fx_rates_eu", "region_day_eu"):
            await_parsed(stack, name)
            assert name in stack.must("airflow", "trigger", name, "--date", DAY)
        client = AirflowClient.of(StateFolder(stack.state))
        for name in ("fx_rates_eu", "region_day_eu", "fraud_features_eu", "funnels_eu", "global_warehouse"):
            run = await_run(client, name)
            assert run["state"] == "success", name
            assert run["partition_key"] == DAY, name
        stack.must("airflow", "trigger", "region_day_eu", "--date", DAY, "--refresh")
        await_that("a job of the day is at work", lambda: len(jobs(stack)) > 0, SECONDS)
        stack.must("down")
        assert not jobs(stack), "a job goes with its stack"


def jobs(stack: LocalStack) -> list[psutil.Process]:
    """What a task has started."""
    return [one for one in orphans(StateFolder(stack.state)) if "warehouse" in one.cmdline()]


def await_parsed(stack: LocalStack, name: str) -> None:
    deadline = time.monotonic() + SECONDS
    while name not in stack.meridian("airflow", "cli", "dags", "list", "-o", "plain").stdout:
        assert time.monotonic() < deadline, f"{name} was never read"


def await_run(client: AirflowClient, name: str) -> dict[str, str]:
    deadline = time.monotonic() + SECONDS
    while True:
        found = [run for run in client.runs(name) if run["state"] in {"success", "failed"}]
        if found:
            return found[-1]
        assert time.monotonic() < deadline, f"{name} did not end: {client.runs(name)}"
        time.sleep(1)
