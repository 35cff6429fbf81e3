"""`python -m web.sandbox.provision`: create the sandbox's database, if missing, and its tables. Safe to repeat."""

import sys
from importlib import resources

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from regions.errors import ConfigurationError, MeridianError
from web.sandbox.settings import database_url

SCHEMA_VERSION = 1
_LOCK = 0x5A4D_B0C5  # an arbitrary constant: two provisioners at once take turns


def provision(url: str) -> bool:
    """Bring the database at `url` to the current schema. Returns whether anything had to be made."""
    _ensure_database(url)
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        found = _schema_version(connection)
        if found == SCHEMA_VERSION:
            return False
        if found is not None:
            raise ConfigurationError(
                f"The sandbox database has schema {found}, this code needs {SCHEMA_VERSION}: "
                "drop the database and provision again."
            )
        connection.execute(resources.files("web.sandbox").joinpath("schema.sql").read_bytes())
    return True


def _schema_version(connection: psycopg.Connection) -> int | None:
    row = connection.execute("SELECT to_regclass('public.schema_version') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return None
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return None if row is None else row[0]


def _ensure_database(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError as error:
        name = conninfo_to_dict(url).get("dbname")
        if f'database "{name}" does not exist' not in str(error):
            raise ConfigurationError(f"The sandbox database cannot be reached: {str(error).strip()}") from error
    else:
        return
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # someone else made it in this moment


def main() -> int:
    """Command line: exit code 0, or one sentence and the error's exit code."""
    try:
        made = provision(database_url())
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return getattr(error, "exit_code", 2)
    sys.stdout.write("sandbox database provisioned\n" if made else "sandbox database is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
