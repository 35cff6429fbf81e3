"""compose.yaml, read as data: there is no engine here, but most of what breaks it can be seen without one."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.bootstrap import _LOGIN
from pipelines.orchestration.pools import SERVED

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REGIONS = ("eu", "us", "in")
PARTS = ("postgres", "kafka", "provision", "topics", "web", "worker", "relay", "ingest", "webhooks", "console")
AIRFLOW = ("airflow-init", "airflow-api", "airflow-dags", "airflow-scheduler")
SECRET = re.compile(r"(KEY_PEPPER|SERVICE_KEY|SANDBOX_API_KEY|SANDBOX_WEBHOOK_SECRET)_[A-Z]+")


def environment(name: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[name].get("environment", {})
    return found


def secrets(name: str) -> set[str]:
    return {match[1] for variable in environment(name) if (match := SECRET.fullmatch(variable))}


def test_every_region_has_the_same_parts() -> None:
    assert {f"{part}-{code}" for part in PARTS for code in REGIONS} <= set(SERVICES)
    for part in PARTS:
        assert len({shape(SERVICES[f"{part}-{code}"], code) for code in REGIONS}) == 1, part


def shape(service: dict[str, Any], code: str) -> str:
    """A region's service without the region: its code, its port, and what all regions' addresses are."""
    own = {name: value for name, value in service.get("environment", {}).items() if name not in COMPOSE["x-addresses"]}
    text = yaml.safe_dump(service | {"environment": own}, width=10_000).replace("'in'", "in")
    text = re.sub(rf"(?<![A-Za-z])({code}|{code.upper()})(?![A-Za-z])", "x", text)
    return re.sub(r"80[01][123]:8000", "PORT", text)


def test_every_variable_is_explained_in_the_example_and_none_is_left_over() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))
    given = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert given == used
    required = set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    assert used - required == {"TRUSTED_PROXIES"}, "without any other one nothing should start"


def test_what_is_waited_for_exists_and_can_say_that_it_is_ready() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} → {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} → {other}"
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "on-failure", f"{other} ends, and must not begin again"


def test_volumes_are_declared_and_used_and_ports_are_published_once() -> None:
    used = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports))
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("code", REGIONS)
def test_what_is_said_about_addresses_is_what_is_published(code: str) -> None:
    for part, variable in (("web", "API_BASE_URL"), ("console", "CONSOLE_URL")):
        (port,) = SERVICES[f"{part}-{code}"]["ports"]
        address = environment(f"web-{code}")[f"{variable}_{code.upper()}"]
        assert address == f"http://{port.rpartition(':')[0]}"


@pytest.mark.parametrize("code", REGIONS)
def test_a_process_has_its_own_login_and_only_the_secrets_of_its_work(code: str) -> None:
    all_of_them = {"KEY_PEPPER", "SERVICE_KEY", "SANDBOX_API_KEY", "SANDBOX_WEBHOOK_SECRET"}
    for part, role, wanted in (
        ("web", "web", all_of_them),
        ("worker", "worker", all_of_them),
        ("relay", "relay", set()),
        ("ingest", "lake", set()),
        ("webhooks", "dispatcher", set()),
        ("console", "console", {"SERVICE_KEY"}),  # what people decide is commanded
    ):
        name = f"{part}-{code}"
        logins = [value for variable, value in environment(name).items() if variable.startswith("DATABASE_URL")]
        assert len(logins) == 1, name
        assert logins[0].startswith(f"postgresql://{role}:${{DB_PASSWORD_{role.upper()}}}@postgres-{code}:"), name
        assert secrets(name) == wanted, name
    assert SERVICES[f"console-{code}"]["volumes"] == [f"warehouse-{code}:/var/lib/meridian/warehouse/{code}:ro"]
    for name in (f"web-{code}", f"console-{code}"):
        assert environment(name)["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-}"


def test_airflow_starts_jobs_of_several_roles_and_keeps_its_metadata_to_itself() -> None:
    known = environment("airflow-scheduler")
    logins = {variable: found for variable in known if (found := _LOGIN.fullmatch(variable))}
    assert {(found["plain"], found["role"]) for found in logins.values()} == {
        (f"DATABASE_URL_{code.upper()}", role) for code in REGIONS for role in ("LAKE", "READER", "RETENTION")
    }
    for variable, found in logins.items():
        code, role = found["plain"].removeprefix("DATABASE_URL_").lower(), found["role"]
        assert known[variable] == f"postgresql://{role.lower()}:${{DB_PASSWORD_{role}}}@postgres-{code}:5432/meridian"
        assert found["plain"] not in known, "a job of another role would take it"
    for name in AIRFLOW:
        assert "@postgres-airflow:" in environment(name)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        assert environment(name)[SERVED] == ",".join(REGIONS)
        assert name == "airflow-scheduler" or not secrets(name), "only where the jobs run are a region's secrets"
    mounted = {mount.split(":")[0] for mount in SERVICES["airflow-scheduler"]["volumes"]}
    assert {f"{part}-{code}" for part in ("lake", "vault", "warehouse") for code in REGIONS} < mounted
