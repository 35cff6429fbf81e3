"""Airflow in the local stack: scheduler, DAG processor and UI, with a PostgreSQL of their own for its metadata.

It knows no region's login: its tasks run `meridian`, which finds the stack by `MERIDIAN_STATE`, each as its own role.
"""

from __future__ import annotations

import base64
import importlib.metadata
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pipelines
from pipelines.orchestration.pools import SERVED, pools
from pipelines.stack.errors import StackUsageError
from pipelines.stack.postgres import url
from pipelines.stack.state import StateFolder, write_json

if TYPE_CHECKING:
    from pipelines.stack.plan import Plan

PART = "airflow"
POSTGRES = "postgres-airflow"
API, SCHEDULER, DAG_PROCESSOR = "airflow-api", "airflow-scheduler", "airflow-dags"
SERVICES = (API, SCHEDULER, DAG_PROCESSOR)
NAMES = (POSTGRES, *SERVICES)
PORTS = (API, POSTGRES)
USER = "admin"
DATABASE = "airflow"
HEALTH = "/api/v2/monitor/health"
DAGS = Path(pipelines.__file__).resolve().parent.parent / "dags"
COMMANDS: Mapping[str, tuple[str, ...]] = {
    API: ("api-server",),
    SCHEDULER: ("scheduler", "--skip-serve-logs"),  # logs are files that the UI reads: no port for them
    DAG_PROCESSOR: ("dag-processor",),
}
SECRETS: Mapping[str, Callable[[], str]] = {
    "superuser_airflow": lambda: secrets.token_urlsafe(24),
    "db_airflow": lambda: secrets.token_urlsafe(24),
    "airflow_password": lambda: secrets.token_urlsafe(12),
    "airflow_jwt": lambda: secrets.token_urlsafe(48),
    "airflow_session": lambda: secrets.token_urlsafe(24),
    "airflow_fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
}


def require_packages() -> None:
    """Raise StackUsageError where Airflow is not installed, or the DAGs are not here."""
    try:
        importlib.metadata.version("apache-airflow-core")
    except importlib.metadata.PackageNotFoundError:
        raise StackUsageError(
            "Airflow is not installed here: run `make install`, or `meridian up --no-airflow` to go without it."
        ) from None
    if not DAGS.is_dir():
        raise StackUsageError(f"`--airflow` needs the DAGs, which are not at {DAGS}: run Meridian from its checkout.")


def home(state: StateFolder) -> Path:
    """AIRFLOW_HOME: its logs, its password file, and the `meridian` that its tasks run."""
    return state.path / PART


def environment(plan: Plan) -> dict[str, str]:
    """All that Airflow's processes are told."""
    base, here = plan.airflow_url, home(plan.state)
    login = url(plan.ports[POSTGRES], DATABASE, plan.secrets["db_airflow"], DATABASE).removeprefix("postgresql")
    options = {
        "API__BASE_URL": base,
        "API__HOST": "127.0.0.1",
        "API__INSTANCE_NAME": "Meridian, local",
        "API__PORT": str(plan.ports[API]),
        "API__SECRET_KEY": plan.secrets["airflow_session"],
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": plan.secrets["airflow_jwt"],
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__DAGS_FOLDER": str(DAGS),
        "CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__FERNET_KEY": plan.secrets["airflow_fernet"],
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "2",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(here / "passwords.json"),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2{login}",
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+psycopg{login}",
        "LOGGING__BASE_LOG_FOLDER": str(here / "logs"),
    }
    return {
        **{f"AIRFLOW__{name}": value for name, value in options.items()},
        "AIRFLOW_HOME": str(here),
        "MERIDIAN_STATE": str(plan.state.path),
        SERVED: ",".join(region.code for region in plan.regions),
        "PATH": f"{here / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }


def prepare(plan: Plan) -> Path:
    """Make Airflow's folder with everything that its processes read; the file of pools in it. Safe to repeat."""
    here = home(plan.state)
    (here / "bin").mkdir(parents=True, exist_ok=True, mode=0o700)
    program = here / "bin" / "meridian"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipelines.cli "$@"\n')
    program.chmod(0o700)
    write_json(here / "passwords.json", {USER: plan.secrets["airflow_password"]})
    file = here / "pools.json"
    write_json(file, pools([region.region for region in plan.regions]))
    return file


def entry(plan: Plan) -> dict[str, Any]:
    """What stack.json says about it; `environment` is for its own command line."""
    return {
        "url": plan.airflow_url,
        "user": USER,
        "password": plan.secrets["airflow_password"],
        "environment": environment(plan),
        "processes": list(NAMES),
    }


def cli_environment(state: StateFolder) -> dict[str, str]:
    """The variables with which Airflow's own command line works on a stack. Raises StackUsageError."""
    found = (state.read_stack() or {}).get(PART)
    if found is None:
        raise StackUsageError(f"There is no Airflow in {state.path}: start one with `meridian up --airflow`.")
    return dict(found["environment"])
