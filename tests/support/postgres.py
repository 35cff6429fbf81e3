"""Throw-away PostgreSQL servers for tests: the local stack's own, on a free port, gone in the end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.stack.postgres import SUPERUSER, running

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # a test's data need not survive


@dataclass(frozen=True)
class PostgresServer:
    """One running server; `url` is its superuser's."""

    port: int
    password: str

    @property
    def url(self) -> str:
        return self.url_of(SUPERUSER, self.password, SUPERUSER)

    def url_of(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_postgres(settings: dict[str, str] | None = None) -> Iterator[PostgresServer]:
    """Start a server on a free port, with FAST settings unless told otherwise; delete its data at the end."""
    home = Path(tempfile.mkdtemp(prefix="meridian-pg-"))
    try:
        with running(home, settings={"max_connections": "200"} | (FAST if settings is None else settings)) as server:
            yield PostgresServer(server.port, server.password)
    finally:
        shutil.rmtree(home)
