import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.stack import programs
from pipelines.stack.errors import StackUsageError
from pipelines.stack.plan import Plan, Request, make_plan
from pipelines.stack.ports import is_free
from pipelines.stack.state import StateFolder, write_json


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    folder.prepare()
    return folder


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def remember(plan: Plan, regions: list[str] | None = None) -> None:
    write_json(plan.state.memory_file, plan.memory(regions or []))


def test_ports_are_distinct_free_and_remembered_and_so_are_secrets(state: StateFolder) -> None:
    plan = make_plan(state, Request(), {})
    assert [region.code for region in plan.regions] == ["eu", "us", "in"]
    assert len(set(plan.ports.values())) == len(plan.ports)
    assert all(is_free(port) for port in plan.ports.values())
    remember(plan)
    again = make_plan(state, Request(), {})
    assert again.ports == plan.ports
    assert again.secrets == plan.secrets


def test_a_remembered_port_that_somebody_took_moves_and_is_told(state: StateFolder, busy_port: int) -> None:
    plan = make_plan(state, Request(), {})
    memory = plan.memory([])
    memory["ports"]["web-eu"] = busy_port
    write_json(state.memory_file, memory)
    moved = make_plan(state, Request(), {})
    assert moved.ports["web-eu"] != busy_port
    assert str(busy_port) in moved.notices[0]
    assert make_plan(state, Request(), {}, running={"web-eu"}).ports["web-eu"] == busy_port


def test_a_busy_port_that_was_asked_for_is_refused(state: StateFolder, busy_port: int) -> None:
    with pytest.raises(StackUsageError, match=f"{busy_port}.*busy"):
        make_plan(state, Request(ports={"web-eu": busy_port}), {})
    assert not state.memory_file.exists()


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (Request(regions=("xx",)), "xx"),
        (Request(kafka_kind="rabbit"), "rabbit"),
        (Request(ports={"web-xx": 1}), "web-xx"),
        (Request(ports={"web-eu": 9, "web-us": 9}), "twice"),
    ],
)
def test_what_cannot_be_is_named(state: StateFolder, request_: Request, named: str) -> None:
    with pytest.raises(StackUsageError, match=named):
        make_plan(state, request_, {})


def test_regions_that_run_stay_and_those_of_last_time_come_up_unasked(state: StateFolder) -> None:
    remember(make_plan(state, Request(("us",)), {}), ["us"])
    assert [region.code for region in make_plan(state, Request(), {}).regions] == ["us"]
    assert [region.code for region in make_plan(state, Request(("hk",)), {}, running={"psp"}).regions] == ["us", "hk"]
    assert [region.code for region in make_plan(state, Request(("hk",)), {}).regions] == ["hk"]


def test_adding_a_region_changes_no_process_of_the_others(state: StateFolder) -> None:
    one = make_plan(state, Request(("eu",)), {})
    remember(one, ["eu"])
    two = make_plan(state, Request(("us",)), {}, running={"web-eu"})
    before, after = programs.all_programs(one), programs.all_programs(two)
    assert {name: after[name] for name in before} == before


def test_given_addresses_replace_the_local_parts(state: StateFolder) -> None:
    given = {
        "DATABASE_URL_EU": "postgresql://root:p%40ss@db.example:6000/postgres?sslmode=require",
        "KAFKA_BOOTSTRAP_SERVERS_EU": "kafka.example:9092",
        "LAKE_URI_EU": "s3://lake/eu",
    }
    plan = make_plan(state, Request(("eu",)), given)
    region = plan.regions[0]
    assert programs.infrastructure(plan, region) == ()
    assert programs.region_names(region) == [
        "web-eu",
        "worker-eu",
        "relay-eu",
        "ingest-eu",
        "webhooks-eu",
        "console-eu",
    ]
    password = region.secrets["db_relay"]
    assert region.role_url("relay") == f"postgresql://relay:{password}@db.example:6000/meridian?sslmode=require"
    assert (region.kafka, region.lake_uri) == ("kafka.example:9092", "s3://lake/eu")


def test_names_told_to_others_are_the_processes_that_run(state: StateFolder) -> None:
    plan = make_plan(state, Request(("eu",)), {})
    started = programs.all_programs(plan)
    assert programs.region_names(plan.regions[0]) == [program.name for program in started["eu"]]
    assert list(programs.SANDBOX_NAMES) == [program.name for program in started[programs.SANDBOX]]


# Which variables each process may have besides addresses. A new one is a decision: it is made here.
MAY_KNOW = {
    "web": {
        "DATABASE_URL_EU",
        "VAULT_URI_EU",
        "KEY_PEPPER_EU",
        "SERVICE_KEY_EU",
        "SANDBOX_API_KEY_EU",
        "SANDBOX_WEBHOOK_SECRET_EU",
        "TRUSTED_PROXIES",
        "RATE_LIMIT_PER_KEY",
        "RATE_LIMIT_PER_ADDRESS",
        "WEBHOOKS_TO_LOCALHOST",
    },
    "relay": {"DATABASE_URL_EU", "KAFKA_BOOTSTRAP_SERVERS_EU"},
    "ingest": {"DATABASE_URL_EU", "KAFKA_BOOTSTRAP_SERVERS_EU", "LAKE_URI_EU"},
    "webhooks": {"DATABASE_URL_EU", "KAFKA_BOOTSTRAP_SERVERS_EU", "VAULT_URI_EU", "WEBHOOKS_TO_LOCALHOST"},
    "console": {"DATABASE_URL_EU", "WAREHOUSE_URI_EU", "CONSOLE_KEY_EU", "SERVICE_KEY_EU", "MERIDIAN_REGION"},
}
MAY_KNOW["worker"] = MAY_KNOW["web"]
ROLE = {
    "web": "web",
    "worker": "worker",
    "relay": "relay",
    "ingest": "lake",
    "webhooks": "dispatcher",
    "console": "console",
}


@pytest.mark.parametrize("part", programs.SERVICES)
def test_each_process_knows_its_own_login_and_only_the_secrets_it_needs(state: StateFolder, part: str) -> None:
    plan = make_plan(state, Request(("eu", "us")), {})
    program = next(program for program in programs.services(plan, plan.regions[0]) if program.name == f"{part}-eu")
    known = {name for name in program.environment if not re.match(r"(API_BASE|CONSOLE)_URL_..$|SANDBOX_URL$", name)}
    assert known == MAY_KNOW[part]
    assert f"//{ROLE[part]}:" in program.environment["DATABASE_URL_EU"]


def test_no_secret_stands_on_a_command_line_and_none_of_ours_reaches_the_psp(state: StateFolder) -> None:
    plan = make_plan(state, Request(("eu",)), {})
    started = programs.all_programs(plan)
    words = " ".join(word for part in started.values() for program in part for word in program.command)
    assert not [name for name, secret in plan.secrets.items() if secret in words]
    for program in started[programs.SANDBOX]:
        assert not {
            name for name in program.environment if name.startswith(("DATABASE_URL", "KEY_PEPPER", "SERVICE_KEY"))
        }
