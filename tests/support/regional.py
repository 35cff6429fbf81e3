"""A region's provisioned database for tests, with a merchant, its key and the environment of the region's processes."""

import base64
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import text

from regions.ids import new_secret
from regions.region import load_region, region_codes
from regions.vault import open_vault
from tests.support.postgres import PostgresServer
from web.db.engine import Database
from web.db.provision import LOGIN_ROLES, _ensure_database, provision
from web.merchants import service as merchants

ROLE_PASSWORDS = {role: f"{role}-{secrets.token_hex(8)}" for role in LOGIN_ROLES}


@dataclass(frozen=True)
class RegionDatabase:
    """One region on one throw-away database. `env` is the environment of its web process (role `web`)."""

    region: str
    url: str
    role_urls: dict[str, str]
    merchant_id: str
    secret_key: str
    env: dict[str, str]

    def connect(self, role: str) -> psycopg.Connection:
        """A connection as that role; `postgres` is the superuser, whom row-level security does not bind."""
        return psycopg.connect(self.url if role == "postgres" else self.role_urls[role], autocommit=True)

    def env_for(self, role: str) -> dict[str, str]:
        """The environment of a process that connects as that role."""
        return self.env | {f"DATABASE_URL_{self.region.upper()}": self.role_urls[role]}

    def add_merchant(self, name: str = "Another Ltd", *, livemode: bool = False) -> tuple[str, str]:
        """One more merchant: its id and its secret key. Its event is taken back: tests count events of their own."""
        region = load_region(self.region)
        database = Database(self.url, application_name="tests", pool_size=1)
        try:
            with database.transaction() as connection:
                made = merchants.provision(
                    connection,
                    region,
                    region.key_pepper(self.env),
                    name=name,
                    country=region.country,
                    secret_key=new_secret(self.region, livemode),
                )
                for table, column in (("outbox", "subject"), ("object_sequences", "object_id")):
                    connection.execute(text(f"DELETE FROM {table} WHERE {column} = :id"), {"id": made[0]})
                return made
        finally:
            database.dispose()


@contextmanager
def region_on(server: PostgresServer, region: str = "eu", database: str | None = None) -> Iterator[RegionDatabase]:
    """Provision a region on a database of its own on that server; drop the database at the end."""
    name = database or f"meridian_{region}_{secrets.token_hex(4)}"
    _copy_of_a_provisioned_one(server, name)
    role_urls = {role: server.url_of(role, password, name) for role, password in ROLE_PASSWORDS.items()}
    with tempfile.TemporaryDirectory(prefix="meridian-region-") as folder:
        env = _environment(region, role_urls["web"], Path(folder))
        open_vault(env[f"VAULT_URI_{region.upper()}"]).create_kek()
        base = RegionDatabase(region, server.url_of("postgres", server.password, name), role_urls, "", "", env)
        merchant_id, secret_key = base.add_merchant("Demo GmbH")
        yield RegionDatabase(region, base.url, role_urls, merchant_id, secret_key, env)
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _copy_of_a_provisioned_one(server: PostgresServer, name: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as admin:
        statement = sql.SQL("CREATE DATABASE {} OWNER owner TEMPLATE {}")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(_provisioned(server))))
        _ensure_database(admin, name)  # who may connect is not copied


@cache
def _provisioned(server: PostgresServer) -> str:
    """A database of that server that nobody connects to: running every migration costs six times what a copy does."""
    provision(server.url, ROLE_PASSWORDS, database="meridian_provisioned")
    return "meridian_provisioned"


def _environment(region: str, web_url: str, folder: Path) -> dict[str, str]:
    suffix = region.upper()
    for part in ("vault", "lake", "warehouse"):
        (folder / part).mkdir()
    return {
        "PATH": os.environ["PATH"],
        "MERIDIAN_STATE": str(folder / "state"),
        f"DATABASE_URL_{suffix}": web_url,
        f"KEY_PEPPER_{suffix}": base64.b64encode(secrets.token_bytes(32)).decode(),
        f"SERVICE_KEY_{suffix}": secrets.token_hex(24),
        f"VAULT_URI_{suffix}": (folder / "vault").as_uri(),
        f"LAKE_URI_{suffix}": (folder / "lake").as_uri(),
        f"WAREHOUSE_URI_{suffix}": (folder / "warehouse").as_uri(),
        f"SANDBOX_API_KEY_{suffix}": secrets.token_hex(24),
        f"SANDBOX_WEBHOOK_SECRET_{suffix}": secrets.token_hex(24),
        "RATE_LIMIT_PER_KEY": "5000/20000",  # tests of the limits ask for their own
        "RATE_LIMIT_PER_ADDRESS": "5000/20000",
        "SANDBOX_URL": "http://127.0.0.1:9",  # nothing listens there; tests that need the PSP say where it is
    } | {f"API_BASE_URL_{code.upper()}": f"https://{code}.meridian.test" for code in region_codes()}
