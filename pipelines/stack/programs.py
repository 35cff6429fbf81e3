"""Which processes a stack has, their commands, and what each may know: its own login and the secrets it needs."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from pipelines.stack import airflow, postgres
from pipelines.stack.brokers import broker_command
from pipelines.stack.errors import StackError
from pipelines.stack.plan import LOCAL, Plan, RegionPlan
from pipelines.stack.supervisor import Program

SANDBOX = "sandbox"
SERVICES = ("web", "worker", "relay", "ingest", "webhooks", "console")  # in the order in which they are started
SANDBOX_SERVICES = ("psp", "psp-sender")
SANDBOX_NAMES = ("postgres-psp", *SANDBOX_SERVICES)
MERIDIAN = (sys.executable, "-m", "pipelines.cli")


def all_programs(plan: Plan) -> dict[str, tuple[Program, ...]]:
    """The programs of each region, and those of the simulated PSP under `SANDBOX`; infrastructure comes first."""
    return {
        **{region.code: (*infrastructure(plan, region), *services(plan, region)) for region in plan.regions},
        SANDBOX: sandbox(plan),
        **({airflow.PART: airflow_programs(plan)} if plan.has_airflow else {}),
    }


def region_names(region: RegionPlan) -> list[str]:
    """The names of a region's processes."""
    parts = [*["postgres"] * region.is_database_local, *["kafka"] * region.is_kafka_local, *SERVICES]
    return [region.name(part) for part in parts]


def infrastructure(plan: Plan, region: RegionPlan) -> tuple[Program, ...]:
    """The region's own PostgreSQL and Kafka; none where an external one is given."""
    programs = []
    if region.is_database_local:
        programs.append(_postgres(plan, region.name("postgres"), postgres_home(plan, region.code)))
    if region.is_kafka_local:
        name, home = region.name("kafka"), plan.state.path / "kafka" / region.code
        programs.append(Program(name, tuple(broker_command(plan.kafka_kind, home, plan.ports[name])), plan.state.path))
    return tuple(programs)


def services(plan: Plan, region: RegionPlan) -> tuple[Program, ...]:
    """The region's processes of our own code."""
    common = addresses(plan)
    web = {**common, **web_environment(region)}
    kafka = {f"KAFKA_BOOTSTRAP_SERVERS_{region.code.upper()}": region.kafka}
    lake = {f"LAKE_URI_{region.code.upper()}": region.lake_uri}
    selected = ("--region", region.code)
    commands: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
        "web": (
            _gunicorn(f"web.wsgi:for_region({region.code!r})", plan.ports[region.name("web")], _gunicorn_config()),
            {**web, **database(region, "web")},
        ),
        "worker": ((sys.executable, "-m", "web.worker", *selected), {**web, **database(region, "worker")}),
        "relay": ((*MERIDIAN, "relay", "run", *selected), {**common, **database(region, "relay"), **kafka}),
        "ingest": ((*MERIDIAN, "ingest", "run", *selected), {**common, **database(region, "lake"), **kafka, **lake}),
        "webhooks": (
            (*MERIDIAN, "webhook", "run", *selected),
            {**common, **database(region, "dispatcher"), **kafka, **webhooks_environment(region)},
        ),
        "console": (
            _gunicorn(
                "web.console.wsgi:app", plan.ports[region.name("console")], (*_gunicorn_config(), "--workers", "1")
            ),
            {**common, **console_environment(region), **database(region, "console")},
        ),
    }
    return tuple(Program(region.name(part), *_placed(plan, *commands[part])) for part in SERVICES)


def sandbox(plan: Plan) -> tuple[Program, ...]:
    """The simulated PSP: a company of its own, with its own database."""
    environment = {**addresses(plan), **sandbox_environment(plan)}
    server = _gunicorn("web.sandbox.wsgi:app", plan.ports["psp"], ("--worker-class", "gthread", "--threads", "16"))
    return (
        _postgres(plan, "postgres-psp", postgres_home(plan, "psp")),
        Program("psp", *_placed(plan, server, environment)),
        Program("psp-sender", *_placed(plan, (sys.executable, "-m", "web.sandbox.sender"), environment)),
    )


def airflow_programs(plan: Plan) -> tuple[Program, ...]:
    """Scheduler, DAG processor and UI, and the PostgreSQL of their own."""
    known = airflow.environment(plan)
    return (
        _postgres(plan, airflow.POSTGRES, postgres_home(plan, airflow.PART)),
        *(
            Program(name, *_placed(plan, (sys.executable, "-m", "airflow", *arguments), known))
            for name, arguments in airflow.COMMANDS.items()
        ),
    )


def postgres_home(plan: Plan, owner: str) -> Path:
    """Where the files of a region's (or the PSP's) PostgreSQL are."""
    return plan.state.path / "postgres" / owner


def addresses(plan: Plan) -> dict[str, str]:
    """What every process may know: where the public parts are."""
    found = {"SANDBOX_URL": plan.sandbox_url}
    for code, address in plan.api_urls.items():
        found |= {f"API_BASE_URL_{code.upper()}": address, f"CONSOLE_URL_{code.upper()}": plan.console_urls[code]}
    return found


def database(region: RegionPlan, role: str) -> dict[str, str]:
    """The one variable that logs a process in, as its own role."""
    return {f"DATABASE_URL_{region.code.upper()}": region.role_url(role)}


def web_environment(region: RegionPlan) -> dict[str, str]:
    """The secrets of the region's web service and its worker, and their vault."""
    suffix = region.code.upper()
    return {
        f"VAULT_URI_{suffix}": region.vault_uri,
        f"KEY_PEPPER_{suffix}": region.secrets["key_pepper"],
        f"SERVICE_KEY_{suffix}": region.secrets["service_key"],
        f"SANDBOX_API_KEY_{suffix}": region.secrets["sandbox_api_key"],
        f"SANDBOX_WEBHOOK_SECRET_{suffix}": region.secrets["sandbox_webhook_secret"],
        # Here everybody comes from one machine: whoever does may say in X-Forwarded-For whom it stands for.
        "TRUSTED_PROXIES": LOCAL,
        # … and the demo asks as fast as it can.
        "RATE_LIMIT_PER_KEY": "5000/20000",
        "RATE_LIMIT_PER_ADDRESS": "5000/20000",
        "WEBHOOKS_TO_LOCALHOST": "1",
    }


def webhooks_environment(region: RegionPlan) -> dict[str, str]:
    """The vault, which seals the secrets that events are signed with; and that this is a developer's machine."""
    return {f"VAULT_URI_{region.code.upper()}": region.vault_uri, "WEBHOOKS_TO_LOCALHOST": "1"}


def console_environment(region: RegionPlan) -> dict[str, str]:
    """What the region's console knows besides its own login."""
    suffix = region.code.upper()
    return {
        "MERIDIAN_REGION": region.code,
        f"WAREHOUSE_URI_{suffix}": region.warehouse_uri,
        f"CONSOLE_KEY_{suffix}": region.secrets["console_key"],
        f"SERVICE_KEY_{suffix}": region.secrets["service_key"],  # what people decide there is commanded
    }


def sandbox_environment(plan: Plan) -> dict[str, str]:
    """What the simulated PSP knows: its database, its control key, and its merchants: the whole catalog."""
    found = {
        "SANDBOX_DATABASE_URL": plan.sandbox_database_url,
        "SANDBOX_CONTROL_KEY": plan.secrets["control_key"],
    }
    for code, address in plan.api_urls.items():
        suffix = code.upper()
        found |= {
            f"SANDBOX_API_KEY_{suffix}": plan.secrets[f"sandbox_api_key_{code}"],
            f"SANDBOX_WEBHOOK_SECRET_{suffix}": plan.secrets[f"sandbox_webhook_secret_{code}"],
            f"SANDBOX_WEBHOOK_URL_{suffix}": f"{address}/gateways/sandbox/webhooks",
        }
    return found


def _placed(
    plan: Plan, command: tuple[str, ...], environment: Mapping[str, str]
) -> tuple[tuple[str, ...], Path, Mapping[str, str]]:
    return command, plan.state.path, environment


def _postgres(plan: Plan, name: str, home: Path) -> Program:
    user = postgres.drop_root_user()
    return Program(
        name,
        tuple(postgres.command(home, plan.ports[name])),
        directory=home,
        user=user.pw_name if user else None,
        stop_signal="INT",  # the fast shutdown: sessions end, data is flushed
        stop_group=False,
        stop_wait_s=30,
    )


def _gunicorn(app: str, port: int, options: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "--bind", f"{LOCAL}:{port}", app)


def _gunicorn_config() -> tuple[str, str]:
    package = find_spec("web")
    if package is None or package.origin is None:
        raise StackError("The web service is not installed: run `make venv`.")
    return "-c", str(Path(package.origin).parent / "gunicorn.conf.py")
