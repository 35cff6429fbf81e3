"""`python -m web.sandbox.provision`: create the sandbox's database, if missing, and bring its tables up to date.

The steps are the files of `migrations/`, `NNNN_what.sql`, one after the other without a gap. Each is one transaction
with the row that says it was done, so a provisioner that dies leaves a whole step undone. Safe to repeat.
"""

import re
import sys
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from regions.errors import ConfigurationError, MeridianError
from web.sandbox.settings import database_url

_LOCK = 0x5A4D_B0C5  # an arbitrary constant: two provisioners at once take turns
_NAME = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True)
class Step:
    """One file of `migrations/`."""

    version: int
    name: str
    statements: bytes


def steps() -> list[Step]:
    """Every step in order. Raises ConfigurationError for a misnamed file, a gap, or two files of one number."""
    found = []
    for file in resources.files("web.sandbox").joinpath("migrations").iterdir():
        name = _NAME.fullmatch(file.name)
        if name is not None:
            found.append(Step(int(name[1]), file.name, file.read_bytes()))
    found.sort(key=lambda step: step.version)
    if [step.version for step in found] != list(range(1, len(found) + 1)):
        names = ", ".join(step.name for step in found)
        raise ConfigurationError(f"The sandbox's migrations must be numbered 1, 2, 3, … without gaps: {names}.")
    return found


def provision(url: str) -> bool:
    """Bring the database at `url` to the newest schema. Returns whether anything had to be done."""
    wanted = steps()
    _ensure_database(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # let go with the connection
        found = _schema_version(connection)
        if found > len(wanted):
            raise ConfigurationError(
                f"The sandbox database has schema {found}, and this code knows {len(wanted)} at most: run newer code."
            )
        for step in wanted[found:]:
            with connection.transaction():
                connection.execute(step.statements)
                connection.execute("INSERT INTO schema_version (version) VALUES (%s)", [step.version])
    return found < len(wanted)


def _schema_version(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT to_regclass('public.schema_version') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    return 0 if row is None else int(row[0])


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
