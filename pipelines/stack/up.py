"""Bringing a stack up: every region and the simulated PSP at once, each in its own order, whole or not at all."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager

import psycopg

from pipelines.broker import BrokerUnreachableError, ensure_topics
from pipelines.stack import airflow, postgres, programs
from pipelines.stack.brokers import prepare_broker
from pipelines.stack.document import stack_document
from pipelines.stack.errors import StackError
from pipelines.stack.plan import CONSOLE_USER, ROLES, SANDBOX_DATABASE, Plan, RegionPlan, Request, make_plan
from pipelines.stack.progress import Progress
from pipelines.stack.starter import CancelledError, Starter
from pipelines.stack.state import StateFolder, write_json, write_private
from pipelines.stack.status import is_up
from pipelines.stack.supervisor import INHERITED, Supervisor, end_orphans, render_config
from regions.vault import open_vault

DEMO_MERCHANT = "Demo Merchant"


class Up:
    """One run of `meridian up`."""

    def __init__(self, plan: Plan, supervisor: Supervisor, progress: Progress, timeout_s: float) -> None:
        self._plan = plan
        self._state = plan.state
        self._progress = progress
        self._starter = Starter(plan.state, supervisor, timeout_s)
        self._merchants: dict[str, str] = {}

    def run(self) -> None:
        """Bring everything up, and say so in stack.json. Raises MeridianError; then nothing new runs."""
        tasks: dict[str, Callable[[], None]] = {
            region.code: lambda region=region: self._services(region)  # type: ignore[misc]
            for region in self._plan.regions
        }
        more = {airflow.PART: self._airflow} if self._plan.has_airflow else {}
        self._all({**tasks, programs.SANDBOX: self._sandbox, **more})
        write_json(self._state.stack_file, stack_document(self._plan, self._merchants))

    def init(self, codes: Collection[str]) -> None:
        """Make these regions ready, without their services. Raises MeridianError; then nothing new runs."""
        self._all(
            {
                region.code: lambda region=region: self._region(region)  # type: ignore[misc]
                for region in self._plan.regions
                if region.code in codes
            }
        )

    def _all(self, tasks: Mapping[str, Callable[[], None]]) -> None:
        pool = ThreadPoolExecutor(max_workers=len(tasks))
        try:
            futures = [pool.submit(self._task, part, task) for part, task in tasks.items()]
            wait(futures, return_when=FIRST_EXCEPTION)
            self._starter.cancel()
            failures = [error for future in futures if future.done() and (error := future.exception())]
        except BaseException:  # an interrupt, too, leaves nothing running that was not running before
            self._starter.cancel()
            pool.shutdown()
            self._starter.undo()
            raise
        pool.shutdown()
        failures += [error for future in futures if (error := future.exception()) and error not in failures]
        if failures:
            self._starter.undo()
            raise next((error for error in failures if not isinstance(error, CancelledError)), failures[0])

    def _task(self, part: str, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException:
            self._progress.failed(part)
            self._starter.cancel()
            raise
        self._progress.done(part)

    # One part after the other ------------------------------------------------------------------------------------

    def _region(self, region: RegionPlan) -> None:
        code = region.code
        self._check_external(region)
        if region.is_kafka_local:
            self._progress.step(code, "starting Kafka")
            name = region.name("kafka")
            prepare_broker(self._plan.kafka_kind, self._plan.state.path / "kafka" / code, self._plan.ports[name])
            self._starter.start(name)
        if region.is_database_local:
            self._postgres(code, region.name("postgres"), code, region.secrets["superuser"], region.admin_url)
        self._progress.step(code, "provisioning the database")
        self._provision(region)
        open_vault(region.vault_uri).create_kek()
        if region.is_kafka_local:
            self._progress.step(code, "creating topics")
            self._topics(region)
        self._progress.step(code, "provisioning the merchant")
        self._merchants[code] = self._merchant(region)
        self._console_user(region)

    def _services(self, region: RegionPlan) -> None:
        self._region(region)
        code = region.code
        self._progress.step(code, "starting services")
        for part in programs.SERVICES:
            self._starter.start(region.name(part))
        self._starter.await_healthy(region.name("web"), region.api_url)
        self._starter.await_healthy(region.name("console"), region.console_url)
        self._progress.step(code, "waiting for worker, relay and ingest")
        for part in programs.SERVICES:
            self._starter.await_running(region.name(part))

    def _sandbox(self) -> None:
        plan, part = self._plan, programs.SANDBOX
        self._postgres(part, "postgres-psp", "psp", plan.secrets["superuser_psp"], plan.sandbox_admin_url)
        self._progress.step(part, "provisioning the database")
        postgres.make_database(plan.sandbox_admin_url, SANDBOX_DATABASE, plan.secrets["db_sandbox"])
        self._module("web.sandbox.provision", {"SANDBOX_DATABASE_URL": plan.sandbox_database_url})
        self._progress.step(part, "starting services")
        for name in programs.SANDBOX_SERVICES:
            self._starter.start(name)
        self._starter.await_healthy("psp", plan.sandbox_url)
        self._starter.await_running("psp-sender")

    def _airflow(self) -> None:
        plan, part = self._plan, airflow.PART
        self._postgres(part, airflow.POSTGRES, part, plan.secrets["superuser_airflow"], plan.airflow_admin_url)
        self._progress.step(part, "migrating the metadata")
        postgres.make_database(plan.airflow_admin_url, airflow.DATABASE, plan.secrets["db_airflow"])
        pools, known = airflow.prepare(plan), airflow.environment(plan)
        self._module("airflow", known, "db", "migrate")
        self._module("airflow", known, "pools", "import", str(pools))
        self._progress.step(part, "starting scheduler, DAG processor and UI")
        for name in airflow.SERVICES:
            self._starter.start(name)
        self._starter.await_healthy(airflow.API, plan.airflow_url, airflow.HEALTH)
        for name in airflow.SERVICES:
            self._starter.await_running(name)

    def _postgres(self, part: str, name: str, owner: str, password: str, admin_url: str) -> None:
        self._progress.step(part, "starting PostgreSQL")
        postgres.initialise(programs.postgres_home(self._plan, owner), password)
        self._starter.start(name)
        self._starter.await_condition(name, lambda: postgres.answers(admin_url))

    def _check_external(self, region: RegionPlan) -> None:
        """What others run must answer before anything of ours is started for the region."""
        if not region.is_database_local:
            try:
                postgres.ask(region.admin_url)
            except psycopg.OperationalError as error:
                reason = postgres.first_line(error)
                raise StackError(f"The database given for region {region.code} cannot be reached: {reason}") from error
        if not region.is_kafka_local:
            ensure_topics(region.region, region.kafka, timeout_seconds=5)

    def _provision(self, region: RegionPlan) -> None:
        passwords = {f"DB_PASSWORD_{role.upper()}": region.secrets[f"db_{role}"] for role in ROLES}
        admin = {f"ADMIN_DATABASE_URL_{region.code.upper()}": region.admin_url}
        self._module("web.db.provision", {**admin, **passwords}, "--region", region.code)

    def _topics(self, region: RegionPlan) -> None:
        def created() -> bool:
            try:
                ensure_topics(region.region, region.kafka, timeout_seconds=2)
            except BrokerUnreachableError:
                return False
            return True

        self._starter.await_condition(region.name("kafka"), created)

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

    def _console_user(self, region: RegionPlan) -> None:
        """Somebody who may look at everything; the password is in stack.json and in no command line."""
        environment = {
            **programs.database(region, "owner"),
            "CONSOLE_USER_PASSWORD": region.secrets["console_password"],
        }
        arguments = ("--region", region.code, "--email", CONSOLE_USER, "--role", "owner", "--without-totp")
        self._module("web.console.provision", environment, *arguments)

    def _module(self, module: str, environment: Mapping[str, str], *arguments: str) -> str:
        """Run one of the web service's commands (another layer: a process, not an import) and return its output."""
        inherited = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
        try:
            done = subprocess.run(
                [sys.executable, "-m", module, *arguments],
                check=False,
                cwd=self._state.path,
                env={**inherited, **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self._starter.seconds_left,
            )
        except subprocess.TimeoutExpired as error:
            raise StackError(f"python -m {module} {' '.join(arguments)} did not end in time.") from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise StackError(f"python -m {module} {' '.join(arguments)} failed: {last}")
        return done.stdout


def bring_up(state: StateFolder, request: Request, environment: Mapping[str, str], *, timeout_s: float) -> None:
    """`meridian up`: bring the asked regions up, beside those that run.

    Raises MeridianError with everything that this call started stopped again.
    """
    with _planned(state, request, environment, timeout_s) as (plan, up, _):
        up.run()
        write_json(state.memory_file, plan.memory([region.code for region in plan.regions]))


def init_regions(state: StateFolder, request: Request, environment: Mapping[str, str], *, timeout_s: float) -> None:
    """`meridian region init`: make the asked regions ready; the next `up` starts them. Raises MeridianError."""
    with _planned(state, request, environment, timeout_s) as (plan, up, was_running):
        up.init(request.regions)
        remembered = state.read_memory().get("regions", [])
        write_json(state.memory_file, plan.memory(list(dict.fromkeys([*remembered, *request.regions]))))
        if not was_running:
            Supervisor(state).shutdown()


@contextmanager
def _planned(
    state: StateFolder, request: Request, environment: Mapping[str, str], timeout_s: float
) -> Iterator[tuple[Plan, Up, bool]]:
    """Decide, remember, and have supervisord run, nothing new started yet; it ends if the rest fails."""
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
        with Progress() as progress:
            for notice in plan.notices:
                progress.note(notice)
            if was_running:
                supervisor.reload()
            else:
                supervisor.launch()
            try:
                yield plan, Up(plan, supervisor, progress, timeout_s), was_running
            except BaseException:
                if not was_running:
                    supervisor.shutdown()
                raise
