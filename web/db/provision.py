"""`python -m web.db.provision --region eu`: roles, database and schema of one region. Running it again changes nothing.

Reads ADMIN_DATABASE_URL_<REGION> (a superuser) and DB_PASSWORD_<ROLE> for every role that logs in.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import URL

from regions.errors import ConfigurationError, MeridianError
from regions.region import load_region
from web.db.engine import driver_url

DATABASE = "meridian"
LOGIN_ROLES = ("owner", "web", "worker", "relay", "dispatcher", "retention", "lake", "reader", "console")
LOOKUP_ROLE = "tenant_lookup"  # owns the SECURITY DEFINER functions; nobody logs in as it
ASSUMABLE = ("lake", LOOKUP_ROLE)  # what `owner` may SET ROLE to, without inheriting anything
MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x4D45524944  # "MERID": one provisioning at a time


def passwords_from(env: Mapping[str, str]) -> dict[str, str]:
    """Read DB_PASSWORD_<ROLE> for each login role; raise ConfigurationError naming every one that is missing."""
    missing = [f"DB_PASSWORD_{role.upper()}" for role in LOGIN_ROLES if not env.get(f"DB_PASSWORD_{role.upper()}")]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} must be set: each database role logs in with its own password.")
    return {role: env[f"DB_PASSWORD_{role.upper()}"] for role in LOGIN_ROLES}


def provision(admin_url: str, passwords: Mapping[str, str], *, database: str = DATABASE) -> None:
    """Make roles, database and schema where they are missing, and bring the schema to its newest revision.

    `admin_url` is a superuser's URL of any database of the server; `passwords` has one entry per login role.
    """
    admin = driver_url(admin_url).set(drivername="postgresql")
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True, connect_timeout=5) as server:
        server.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        for role in LOGIN_ROLES:
            _ensure_role(server, role, passwords[role])
        _ensure_role(server, LOOKUP_ROLE, None)
        for role in ASSUMABLE:
            grant = sql.SQL("GRANT {} TO owner WITH INHERIT FALSE, SET TRUE")
            server.execute(grant.format(sql.Identifier(role)))
        _ensure_database(server, database)
        migrate(admin.set(username="owner", password=passwords["owner"], database=database))


def migrate(owner: URL) -> None:
    """Run `alembic upgrade head` as the role `owner`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(owner.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _ensure_role(server: psycopg.Connection, role: str, password: str | None) -> None:
    if server.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        server.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    attributes = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
    if password is None:
        server.execute(sql.SQL("ALTER ROLE {} " + attributes + "NOLOGIN").format(sql.Identifier(role)))
    else:
        statement = sql.SQL("ALTER ROLE {} " + attributes + "LOGIN PASSWORD {}")
        server.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _ensure_database(server: psycopg.Connection, database: str) -> None:
    name = sql.Identifier(database)
    if server.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
        server.execute(sql.SQL("CREATE DATABASE {} OWNER owner ENCODING 'UTF8' TEMPLATE template0").format(name))
    server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    roles = sql.SQL(", ").join(sql.Identifier(role) for role in LOGIN_ROLES)
    server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles))


def main(arguments: list[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """The command: exit code 0, or 2 and one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m web.db.provision", description="Provision a region's database.")
    parser.add_argument("--region", required=True)
    region = parser.parse_args(arguments).region
    try:
        load_region(region)
        variable = f"ADMIN_DATABASE_URL_{region.upper()}"
        if not env.get(variable):
            raise ConfigurationError(f"{variable} is not set: give a superuser's postgresql:// URL.")
        provision(env[variable], passwords_from(env))
    except psycopg.OperationalError as error:
        sys.stderr.write(
            f"The database of region {region} cannot be reached or refuses: {str(error).splitlines()[0]}\n"
        )
        return 2
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
