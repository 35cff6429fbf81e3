"""Everything about one local stack that is decided before anything starts: regions, ports, secrets, addresses.

What was decided once is remembered in `state.json`. Secrets and ports exist for every region of the catalog, started or
not, so that adding a region to a running stack changes nothing for the others.
"""

import base64
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pipelines.stack import airflow
from pipelines.stack.errors import StackUsageError
from pipelines.stack.ports import choose_port, is_free
from pipelines.stack.postgres import SUPERUSER, url
from pipelines.stack.state import StateFolder
from regions.ids import new_secret, region_of_key
from regions.region import Region, load_catalog

VERSION = 1
DATABASE = "meridian"
SANDBOX_DATABASE = "sandbox"
KAFKA_KINDS = ("tansu", "apache")
# The database roles that log in; `web.db.provision` makes them with the passwords given here.
ROLES = ("owner", "web", "worker", "relay", "dispatcher", "retention", "lake", "reader", "console")
LOCAL = "127.0.0.1"
CONSOLE_USER = "owner@meridian.test"  # of the local stack only; sees the region
WAREHOUSE_POINTER = "current"


@dataclass(frozen=True)
class RegionPlan:
    """One region's addresses and secrets. `admin_url` is a superuser's; external parts are not ours to start."""

    region: Region
    admin_url: str = field(repr=False)
    is_database_local: bool
    kafka: str
    is_kafka_local: bool
    lake_uri: str
    vault_uri: str
    warehouse_uri: str
    api_url: str
    console_url: str
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def code(self) -> str:
        """The region's code, such as eu."""
        return self.region.code

    @property
    def warehouse_path(self) -> str:
        """What readers of the published warehouse open: the pointer in the folder of builds."""
        return str(Path(unquote(urlsplit(self.warehouse_uri).path)) / WAREHOUSE_POINTER)

    @property
    def database_url(self) -> str:
        """The business database, as superuser: for people and tests, never for a process of the platform."""
        return with_login(self.admin_url, None, None, DATABASE)

    def role_url(self, role: str) -> str:
        """The business database, as one of `ROLES`."""
        return with_login(self.admin_url, role, self.secrets[f"db_{role}"], DATABASE)

    def name(self, part: str) -> str:
        """The process name of one of this region's parts: web-eu."""
        return f"{part}-{self.code}"


@dataclass(frozen=True)
class Plan:
    """The whole stack. `regions` are those that belong to it; the addresses cover the whole catalog."""

    state: StateFolder
    kafka_kind: str
    regions: tuple[RegionPlan, ...]
    api_urls: Mapping[str, str]
    console_urls: Mapping[str, str]
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = field(repr=False)
    has_airflow: bool = False
    notices: tuple[str, ...] = ()

    @property
    def sandbox_url(self) -> str:
        """The simulated PSP's base URL, for our servers and browsers alike."""
        return f"http://{LOCAL}:{self.ports['psp']}"

    @property
    def airflow_url(self) -> str:
        """Airflow's UI and API."""
        return f"http://{LOCAL}:{self.ports[airflow.API]}"

    @property
    def airflow_admin_url(self) -> str:
        """The PostgreSQL of Airflow's metadata, as superuser."""
        return url(self.ports[airflow.POSTGRES], SUPERUSER, self.secrets["superuser_airflow"], SUPERUSER)

    @property
    def sandbox_database_url(self) -> str:
        """The simulated PSP's own database, as its owner."""
        return url(self.ports["postgres-psp"], SANDBOX_DATABASE, self.secrets["db_sandbox"], SANDBOX_DATABASE)

    @property
    def sandbox_admin_url(self) -> str:
        """The simulated PSP's PostgreSQL, as superuser."""
        return url(self.ports["postgres-psp"], SUPERUSER, self.secrets["superuser_psp"], SUPERUSER)

    def memory(self, regions: Collection[str]) -> dict[str, Any]:
        """What state.json keeps; `regions` are those that were brought up once, and come up again unasked."""
        return {
            "version": VERSION,
            "kafka_kind": self.kafka_kind,
            "regions": list(regions),
            "airflow": self.has_airflow,
            "ports": dict(self.ports),
            "secrets": dict(self.secrets),
        }


def with_login(address: str, user: str | None, password: str | None, database: str) -> str:
    """The same server at another database, and as another user if one is given."""
    parts = urlsplit(address)
    netloc = parts.netloc
    if user is not None:
        netloc = f"{user}:{quote(password or '', safe='')}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, netloc, f"/{database}", parts.query, parts.fragment))


@dataclass(frozen=True)
class Request:
    """What the caller of `meridian up` asked for. No regions: those of last time, else the default."""

    regions: tuple[str, ...] = ()
    kafka_kind: str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    has_airflow: bool | None = None  # None: as last time


DEFAULT_REGIONS = ("eu", "us", "in")


def make_plan(
    state: StateFolder, request: Request, environment: Mapping[str, str], running: Collection[str] = ()
) -> Plan:
    """Decide everything. `running` names the stack's own processes that run now: their ports are theirs.

    Raises ConfigurationError for an unknown region or kind of broker, and for a busy port that was asked for.
    """
    catalog = load_catalog()
    memory = state.read_memory()
    codes = _regions(request, memory.get("regions", []), catalog, is_running=bool(running))
    kafka_kind = request.kafka_kind or memory.get("kafka_kind") or KAFKA_KINDS[0]
    if kafka_kind not in KAFKA_KINDS:
        raise StackUsageError(f"{kafka_kind} is no kind of Kafka broker here: choose {' or '.join(KAFKA_KINDS)}.")
    parts = ("web", "console", "postgres", "kafka")
    names = ["psp", "postgres-psp", *airflow.PORTS, *(f"{part}-{code}" for code in catalog for part in parts)]
    ports, notices = _ports(state, names, memory.get("ports", {}), request.ports, running)
    kept = _secrets(memory.get("secrets", {}), catalog)
    api_urls, console_urls = (
        {code: f"http://{LOCAL}:{ports[f'{part}-{code}']}" for code in catalog} for part in ("web", "console")
    )
    regions = tuple(_region(state, catalog[code], ports, kept, environment=environment) for code in codes)
    has_airflow = bool(memory.get("airflow")) if request.has_airflow is None else request.has_airflow
    return Plan(state, kafka_kind, regions, api_urls, console_urls, ports, kept, has_airflow, tuple(notices))


def _regions(
    request: Request, remembered: Collection[str], catalog: Mapping[str, Region], *, is_running: bool
) -> list[str]:
    """What was asked for, else those of last time, else the default; a running stack keeps the regions that it has."""
    for code in request.regions:
        if code not in catalog:
            raise StackUsageError(f"There is no region {code!r}: the catalog has {', '.join(sorted(catalog))}.")
    known = [code for code in remembered if code in catalog]
    asked = request.regions or known or DEFAULT_REGIONS
    return list(dict.fromkeys([*(known if is_running else ()), *asked]))


def _ports(
    state: StateFolder,
    names: Collection[str],
    remembered: Mapping[str, int],
    requested: Mapping[str, int],
    running: Collection[str],
) -> tuple[dict[str, int], list[str]]:
    ports: dict[str, int] = {}
    notices = []
    for name, port in requested.items():
        if name not in names:
            raise StackUsageError(f"There is no port called {name!r}: choose one of {', '.join(sorted(names))}.")
        if port in ports.values():
            raise StackUsageError(f"Port {port} was asked for twice.")
        if not is_free(port) and not (name in running and remembered.get(name) == port):
            raise StackUsageError(f"Port {port}, asked for {name}, is busy: stop what listens on it or choose another.")
        ports[name] = port
    for name in names:
        if name in ports:
            continue
        taken = {*ports.values(), *remembered.values()}
        port = remembered.get(name, 0)
        if not port or port in ports.values():
            port = choose_port(state.path, taken)
        elif name not in running and not is_free(port):
            port = choose_port(state.path, taken)
            notices.append(f"Port {remembered[name]} of {name} is taken by another program; it is now {port}.")
        ports[name] = port
    return ports, notices


def _secrets(kept: Mapping[str, str], catalog: Mapping[str, Region]) -> dict[str, str]:
    """Everything secret, made once: `name` for the stack, `name_<region>` for a region."""
    makers: dict[str, Callable[[], str]] = {"superuser_psp": _password, "db_sandbox": _password, "control_key": _key}
    makers |= airflow.SECRETS
    for code in catalog:
        makers |= {
            **{f"db_{role}_{code}": _password for role in ROLES},
            f"superuser_{code}": _password,
            f"secret_key_{code}": lambda code=code: new_secret(code, livemode=False),  # type: ignore[misc]
            f"key_pepper_{code}": _key,
            f"service_key_{code}": _key,
            f"sandbox_api_key_{code}": _key,
            f"sandbox_webhook_secret_{code}": _key,
            f"console_key_{code}": _key,
            f"console_password_{code}": _password,
        }
    known = {name: value for name, value in kept.items() if not _is_outdated(name, value)}
    return {**known, **{name: make() for name, make in makers.items() if name not in known}}


def _is_outdated(name: str, value: str) -> bool:
    """An API key of an earlier form opens nothing any more."""
    return name.startswith("secret_key_") and region_of_key(value) is None


def _password() -> str:
    return secrets.token_urlsafe(24)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _region(
    state: StateFolder,
    region: Region,
    ports: Mapping[str, int],
    kept: Mapping[str, str],
    *,
    environment: Mapping[str, str],
) -> RegionPlan:
    code, suffix = region.code, region.code.upper()
    database = environment.get(f"ADMIN_DATABASE_URL_{suffix}") or environment.get(f"DATABASE_URL_{suffix}")
    kafka = environment.get(f"KAFKA_BOOTSTRAP_SERVERS_{suffix}")

    def place(variable: str, folder: str) -> str:
        return environment.get(f"{variable}_{suffix}") or (state.path / folder / code).as_uri()

    return RegionPlan(
        region=region,
        admin_url=database or url(ports[f"postgres-{code}"], SUPERUSER, kept[f"superuser_{code}"], SUPERUSER),
        is_database_local=not database,
        kafka=kafka or f"{LOCAL}:{ports[f'kafka-{code}']}",
        is_kafka_local=not kafka,
        lake_uri=place("LAKE_URI", "lake"),
        vault_uri=place("VAULT_URI", "vault"),
        warehouse_uri=place("WAREHOUSE_URI", "warehouse"),
        api_url=f"http://{LOCAL}:{ports[f'web-{code}']}",
        console_url=f"http://{LOCAL}:{ports[f'console-{code}']}",
        secrets={name.removesuffix(f"_{code}"): value for name, value in kept.items() if name.endswith(f"_{code}")},
    )
