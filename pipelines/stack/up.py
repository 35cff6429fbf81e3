"""Bringing a stack up: every region and the simulated PSP at once, each in its own order, whole or not at all."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import psycopg
from psycopg import sql

from pipelines.broker import BrokerUnreachableError, ensure_topics
from pipelines.stack import postgres, programs
from pipelines.stack.brokers import prepare_broker
from pipelines.stack.errors import StackError
from pipelines.stack.plan import ROLES, SANDBOX_DATABASE, VERSION, Plan, RegionPlan, Request, make_plan
from pipelines.stack.progress import Progress
from pipelines.stack.state import StateFolder, write_json, write_private
from pipelines.stack.status import is_up, restart_counts
from pipelines.stack.supervisor import INHERITED, Supervisor, end_orphans, render_config
from regions.vault import open_vault

POLL_S = 0.1
FAILED_STARTS_MAX = 3
LOG_TAIL_LINES = 15
DEMO_MERCHANT = "Demo Merchant"


class ProcessFailedError(StackError):
    """A process that does not stay up; `tail` is the end of its log."""

    def __init__(self, name: str, tail: list[str]) -> None:
        super().__init__(f"{name} does not stay up: see `meridian logs {name}`.")
        self.tail = tail


class _CancelledError(StackError):
    """Another part has failed, so this one stops trying."""


class Up:
    """One run of `meridian up`."""

    def __init__(self, plan: Plan, supervisor: Supervisor, progress: Progress, timeout_s: float) -> None:
        self._plan = plan
        self._state = plan.state
        self._supervisor = supervisor
        self._progress = progress
        self._deadline = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._cancelled = threading.Event()
        self._started: list[str] = []  # what this run has started, and stops again if it fails
        self._merchants: dict[str, str] = {}

    def run(self, *, with_services: bool = True) -> dict[str, Any]:
        """Bring everything up and return what stack.json now says. Raises StackError; then nothing new runs."""
        tasks: dict[str, Callable[[], None]] = {
            region.code: lambda region=region: self._region(region, with_services=with_services)  # type: ignore[misc]
            for region in self._plan.regions
        }
        if with_services:
            tasks[programs.SANDBOX] = self._sandbox
        pool = ThreadPoolExecutor(max_workers=len(tasks))
        try:
            futures = [pool.submit(self._task, part, task) for part, task in tasks.items()]
            wait(futures, return_when=FIRST_EXCEPTION)
            self._cancelled.set()
            failures = [error for future in futures if future.done() and (error := future.exception())]
        except BaseException:  # an interrupt, too, leaves nothing running that was not running before
            self._cancelled.set()
            pool.shutdown()
            self._undo()
            raise
        pool.shutdown()
        failures += [error for future in futures if (error := future.exception()) and error not in failures]
        if failures:
            self._undo()
            raise next((error for error in failures if not isinstance(error, _CancelledError)), failures[0])
        stack = self._stack()
        if with_services:
            write_json(self._state.stack_file, stack)
        return stack

    def _task(self, part: str, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException:
            self._progress.failed(part)
            self._cancelled.set()
            raise
        self._progress.done(part)

    def _undo(self) -> None:
        self._supervisor.stop_all(self._started)

    # One part after the other ------------------------------------------------------------------------------------

    def _region(self, region: RegionPlan, *, with_services: bool) -> None:
        code = region.code
        if region.is_kafka_local:
            self._progress.step(code, "starting Kafka")
            prepare_broker(self._plan.kafka_kind, self._plan.state.path / "kafka" / code)
            self._start(region.name("kafka"))
        self._progress.step(code, "starting PostgreSQL")
        if region.is_database_local:
            self._postgres(region.name("postgres"), code, region.secrets["superuser"], region.admin_url)
        else:
            self._external_database(region)
        self._progress.step(code, "provisioning the database")
        self._provision(region)
        open_vault(region.vault_uri).create_kek()
        self._progress.step(code, "creating topics")
        self._topics(region)
        self._progress.step(code, "provisioning the merchant")
        self._merchants[code] = self._merchant(region)
        if not with_services:
            return
        self._progress.step(code, "starting services")
        for part in programs.SERVICES:
            self._start(region.name(part))
        self._healthy(region.name("web"), region.api_url)
        self._progress.step(code, "waiting for worker, relay and ingest")
        for part in programs.SERVICES:
            self._running(region.name(part))

    def _sandbox(self) -> None:
        plan, part = self._plan, programs.SANDBOX
        self._progress.step(part, "starting PostgreSQL")
        self._postgres("postgres-psp", "psp", plan.secrets["superuser_psp"], plan.sandbox_admin_url)
        self._progress.step(part, "provisioning the database")
        _make_sandbox_database(plan.sandbox_admin_url, plan.secrets["db_sandbox"])
        self._module("web.sandbox.provision", {"SANDBOX_DATABASE_URL": plan.sandbox_database_url})
        self._progress.step(part, "starting services")
        for name in programs.SANDBOX_SERVICES:
            self._start(name)
        self._healthy("psp", plan.sandbox_url)
        self._running("psp-sender")

    def _postgres(self, name: str, owner: str, password: str, admin_url: str) -> None:
        postgres.initialise(programs.postgres_home(self._plan, owner), password)
        self._start(name)
        self._await(name, lambda: postgres.answers(admin_url))

    def _external_database(self, region: RegionPlan) -> None:
        try:
            postgres.wait_until_ready(region.admin_url, timeout_s=5)
        except StackError as error:
            raise StackError(f"The database given for region {region.code} cannot be used: {error}") from error

    def _provision(self, region: RegionPlan) -> None:
        passwords = {f"DB_PASSWORD_{role.upper()}": region.secrets[f"db_{role}"] for role in ROLES}
        admin = {f"ADMIN_DATABASE_URL_{region.code.upper()}": region.admin_url}
        self._module("web.db.provision", {**admin, **passwords}, "--region", region.code)

    def _topics(self, region: RegionPlan) -> None:
        if not region.is_kafka_local:
            ensure_topics(region.region, region.kafka)
            return

        def created() -> bool:
            try:
                ensure_topics(region.region, region.kafka, timeout_seconds=2)
            except BrokerUnreachableError:
                return False
            return True

        self._await(region.name("kafka"), created)

    def _merchant(self, region: RegionPlan) -> str:
        environment = {
            **programs.addresses(self._plan),
            **programs.web_environment(region),
            **programs.database(region, "owner"),
        }
        # The key is in the environment and not on the command line, which other users can read.
        environment["MERCHANT_SECRET_KEY"] = region.secrets["secret_key"]
        arguments = ("--region", region.code, "--name", DEMO_MERCHANT, "--country", region.region.country)
        answer = json.loads(self._module("web.merchants.provision", environment, *arguments))
        return str(answer["merchant_id"])

    # Processes ---------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        self._check_cancelled(name)
        if is_up(self._supervisor.processes().get(name)):
            return
        self._started.append(name)
        self._supervisor.start(name)

    def _running(self, name: str) -> None:
        self._await(name, lambda: self._supervisor.processes()[name].state == "RUNNING")

    def _healthy(self, name: str, base_url: str) -> None:
        self._await(name, lambda: _answers(f"{base_url}/healthz"))

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, the process `name` fails, the deadline passes or another part fails."""
        while not condition():
            process = self._supervisor.processes()[name]
            if process.state == "FATAL" or restart_counts(self._state).get(name, 0) >= FAILED_STARTS_MAX:
                raise ProcessFailedError(name, tail(self._state, name))
            self._check_cancelled(name)
            self._cancelled.wait(POLL_S)

    def _check_cancelled(self, name: str) -> None:
        if self._cancelled.is_set():
            raise _CancelledError("Stopped, because another part failed.")
        if time.monotonic() > self._deadline:
            failure = ProcessFailedError(name, tail(self._state, name))
            failure.args = (f"{name} was not ready within {self._timeout_s:.0f} s.",)
            raise failure

    def _module(self, module: str, environment: Mapping[str, str], *arguments: str) -> str:
        """Run one of the web service's commands (another layer: a process, not an import) and return its output."""
        inherited = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            check=False,
            cwd=self._state.path,
            env={**inherited, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=max(1.0, self._deadline - time.monotonic()),
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise StackError(f"python -m {module} {' '.join(arguments)} failed: {last}")
        return done.stdout

    # What others read --------------------------------------------------------------------------------------------

    def _stack(self) -> dict[str, Any]:
        plan = self._plan
        kinds = {region.is_kafka_local for region in plan.regions}
        return {
            "version": VERSION,
            "kafka_kind": plan.kafka_kind if True in kinds else "external",
            "regions": {region.code: self._region_entry(region) for region in plan.regions},
            "sandbox": {
                "url": plan.sandbox_url,
                "control_key": plan.secrets["control_key"],
                "database_url": plan.sandbox_database_url,
                "processes": [program.name for program in programs.sandbox(plan)],
            },
        }

    def _region_entry(self, region: RegionPlan) -> dict[str, Any]:
        running = (*programs.infrastructure(self._plan, region), *programs.services(self._plan, region))
        return {
            "api_url": region.api_url,
            "console_url": region.console_url,
            "secret_key": region.secrets["secret_key"],
            "merchant_id": self._merchants[region.code],
            "database_url": region.database_url,
            "role_urls": {role: region.role_url(role) for role in ROLES},
            "kafka": region.kafka,
            "lake_uri": region.lake_uri,
            "vault_uri": region.vault_uri,
            "warehouse_uri": region.warehouse_uri,
            "warehouse_path": region.warehouse_path,
            **{name: region.secrets[name] for name in ("service_key", "key_pepper")},
            **{name: region.secrets[name] for name in ("sandbox_api_key", "sandbox_webhook_secret")},
            "processes": [program.name for program in running],
        }


def bring_up(
    state: StateFolder,
    request: Request,
    environment: Mapping[str, str],
    *,
    timeout_s: float,
    with_services: bool = True,
) -> dict[str, Any]:
    """`meridian up`: bring the asked regions up, beside those that are. Returns stack.json's content.

    Raises MeridianError with everything that this call started stopped again.
    """
    state.prepare()
    supervisor = Supervisor(state)
    with state.locked():
        was_running = supervisor.is_running()
        if not was_running:
            end_orphans(state)
        running = {name for name, process in supervisor.processes().items() if is_up(process)} if was_running else set()
        plan = make_plan(state, request, environment, running)
        every = [program for part in programs.all_programs(plan).values() for program in part]
        config = render_config(state, every)
        write_json(state.memory_file, plan.memory(state.read_memory().get("regions", [])))
        write_private(state.config_file, config)
        parts = [region.code for region in plan.regions] + [programs.SANDBOX] * with_services
        with Progress(parts) as progress:
            for notice in plan.notices:
                progress.note(notice)
            if was_running:
                supervisor.reload()
            else:
                supervisor.launch()
            stack = None
            try:
                stack = Up(plan, supervisor, progress, timeout_s).run(with_services=with_services)
            finally:
                if not was_running and (stack is None or not with_services):
                    supervisor.shutdown()
            write_json(state.memory_file, plan.memory([region.code for region in plan.regions]))
            return stack


def tail(state: StateFolder, name: str, lines: int = LOG_TAIL_LINES) -> list[str]:
    """The last lines of a process's log."""
    path = state.log_file(name)
    if not path.exists():
        return []
    return path.read_text(errors="replace").splitlines()[-lines:]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - our own http address
            return bool(response.status == 200)  # noqa: PLR2004 - OK
    except (urllib.error.URLError, OSError):
        return False


def _make_sandbox_database(admin_url: str, password: str) -> None:
    name = sql.Identifier(SANDBOX_DATABASE)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [SANDBOX_DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(password)))
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [SANDBOX_DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
