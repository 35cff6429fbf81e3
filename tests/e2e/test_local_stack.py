import json
import os
import signal
import socket
import stat
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from pipelines.stack.state import StateFolder
from pipelines.stack.supervisor import Supervisor
from tests.support.local_stack import LocalStack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

REGION_FIELDS = {
    *("api_url", "console_url", "console_user", "console_password", "secret_key"),
    *("database_url", "kafka", "lake_uri", "warehouse_path", "processes"),
}


def status(stack: LocalStack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.meridian("status", "--json").stdout)
    return found


def await_that(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def processes(stack: LocalStack) -> dict[str, dict[str, Any]]:
    found = status(stack)
    parts = [*found["regions"].values(), found["sandbox"]]
    return {name: process for part in parts for name, process in part["processes"].items()}


def healthy(api_url: str) -> bool:
    with urllib.request.urlopen(f"{api_url}/healthz", timeout=5) as response:  # noqa: S310 - our own http address
        return bool(response.status == 200)


def test_status_tells_what_runs_and_where(stack: LocalStack) -> None:
    done = stack.meridian("status", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert set(found) == {"regions", "sandbox", "running"}
    assert found["running"] is True
    assert "eu" in found["regions"]
    for code, region in found["regions"].items():
        assert set(region) == REGION_FIELDS
        assert region["secret_key"].startswith(f"mk_test_{code}_")
        assert set(region["processes"]) == {
            f"{part}-{code}"
            for part in ("postgres", "kafka", "web", "worker", "relay", "ingest", "webhooks", "console")
        }
        assert healthy(region["api_url"])
    assert set(found["sandbox"]["processes"]) == {"postgres-psp", "psp", "psp-sender"}
    for process in processes(stack).values():
        assert set(process) == {"state", "pid", "restarts", "uptime_s"}
        assert process["state"] == "RUNNING"
        assert psutil.pid_exists(process["pid"])
    table = stack.meridian("status")
    assert table.returncode == 0
    assert "relay-eu" in table.stdout
    assert found["regions"]["eu"]["secret_key"] not in table.stdout


def test_a_killed_process_is_started_again_and_counted(stack: LocalStack) -> None:
    before = processes(stack)["relay-eu"]
    os.kill(before["pid"], signal.SIGKILL)
    await_that(lambda: processes(stack)["relay-eu"]["restarts"] == before["restarts"] + 1)
    await_that(lambda: processes(stack)["relay-eu"]["state"] == "RUNNING")
    assert processes(stack)["relay-eu"]["pid"] != before["pid"]


def test_up_again_changes_nothing(stack: LocalStack) -> None:
    before = {name: process["pid"] for name, process in processes(stack).items()}
    memory = (stack.state / "state.json").read_text()
    stack.must("up")
    assert {name: process["pid"] for name, process in processes(stack).items()} == before
    assert (stack.state / "state.json").read_text() == memory


def test_each_process_knows_its_own_login_and_nobody_sees_a_secret(stack: LocalStack) -> None:
    memory = json.loads((stack.state / "state.json").read_text())
    roles = {
        "web": "web", "worker": "worker", "relay": "relay", "ingest": "lake", "webhooks": "dispatcher",
        "console": "console",
    }  # fmt: skip
    for name, process in processes(stack).items():
        running = psutil.Process(process["pid"])
        words = " ".join(running.cmdline())
        assert not [secret for secret in memory["secrets"].values() if secret in words], name
        part, _, code = name.rpartition("-")
        environment = " ".join(running.environ().values())
        logins = {key for key, secret in memory["secrets"].items() if key.startswith("db_") and secret in environment}
        assert logins == ({f"db_{roles[part]}_{code}"} if part in roles else {"db_sandbox"} & logins), name
    for file in ("stack.json", "state.json", "supervisord.conf"):
        assert stat.S_IMODE((stack.state / file).stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.state.stat().st_mode) & 0o066 == 0


def test_logs_of_a_process_and_of_none(stack: LocalStack) -> None:
    assert "ready to accept connections" in stack.must("logs", "postgres-eu", "--lines", "5000")
    done = stack.meridian("logs", "postgres-xx")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "postgres-eu" in done.stderr


@pytest.fixture(scope="module")
def second(stack: LocalStack) -> Iterator[LocalStack]:
    """A stack beside the first, with another region."""
    with running_stack("in") as running:
        yield running


def test_two_stacks_run_side_by_side(stack: LocalStack, second: LocalStack) -> None:
    ports = [set(json.loads((each.state / "state.json").read_text())["ports"].values()) for each in (stack, second)]
    assert not ports[0] & ports[1]
    assert healthy(second.region("in")["api_url"])
    assert status(stack)["running"]
    assert status(second)["running"]


def test_a_killed_supervisor_leaves_nothing_that_up_cannot_mend(second: LocalStack) -> None:
    pids = [process["pid"] for process in processes(second).values()]
    supervisor = int((second.state / "run" / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    await_that(lambda: not psutil.pid_exists(supervisor))
    assert second.meridian("status").returncode == 1
    second.must("up")
    assert status(second)["running"]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_new_region_is_made_ready_beside_those_that_run(second: LocalStack) -> None:
    before = {name: process["pid"] for name, process in processes(second).items()}
    second.must("region", "init", "hk")
    memory = json.loads((second.state / "state.json").read_text())
    address = f"postgresql://web:{memory['secrets']['db_web_hk']}@127.0.0.1:{memory['ports']['postgres-hk']}/meridian"
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT to_regclass('links')").fetchone() == ("links",)
    assert memory["regions"] == ["in", "hk"]
    assert {name: process["pid"] for name, process in processes(second).items()} == before


def test_down_stops_everything_and_keeps_the_data(second: LocalStack) -> None:
    pids = [process["pid"] for process in processes(second).values()]
    second.must("down")
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    found = second.meridian("status", "--json")
    assert found.returncode == 1
    assert json.loads(found.stdout)["running"] is False
    assert (second.state / "postgres" / "in" / "data" / "PG_VERSION").exists()
    second.must("down")


def refused(stack: LocalStack, code: int, *arguments: str, **variables: str) -> str:
    """Run `meridian up` where it cannot succeed: one sentence, an exit code, nothing left running or half-written."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setattr(LocalStack, "environment", {**stack.environment, name: value})
        done = stack.meridian("up", *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert not Supervisor(StateFolder(stack.state)).is_running()
    assert not (stack.state / "stack.json").exists()
    last = done.stderr.splitlines()[-1]
    assert last.startswith("meridian: ")
    return last


@pytest.fixture
def empty(tmp_path: Path) -> LocalStack:
    return LocalStack(tmp_path / "state", {})


def test_what_cannot_start_is_one_sentence(empty: LocalStack) -> None:
    assert "atlantis" in refused(empty, 2, "--regions", "atlantis")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert str(port) in refused(empty, 2, "--regions", "eu", "--port", f"web-eu={port}")
    assert "No Kafka broker" in refused(empty, 1, "--regions", "eu", KAFKA_BOOTSTRAP_SERVERS_EU="127.0.0.1:1")
    database = "postgresql://postgres:not-shown@127.0.0.1:1/postgres"
    sentence = refused(empty, 1, "--regions", "eu", DATABASE_URL_EU=database)
    assert "database given for region eu" in sentence
    assert "not-shown" not in sentence
    assert empty.meridian("status").returncode == 3
    empty.must("down", "--purge")
