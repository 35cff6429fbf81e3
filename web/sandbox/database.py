"""Connections. A pool is opened on first use, so that a forked worker never inherits one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

Conn = Connection[DictRow]

LOCK_TIMEOUT_MS = 10_000
STATEMENT_TIMEOUT_MS = 20_000
_OPTIONS = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS} -c TimeZone=UTC"


class Database:
    """The process's way to its database; `transaction()` is the one place that commits."""

    def __init__(self, url: str, size_max: int = 32) -> None:
        self._url = url
        self._size_max = size_max
        self._guard = threading.Lock()
        self._pool: ConnectionPool[Conn] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Conn]:
        """A connection inside a transaction: committed at the end of the block, rolled back on any error."""
        with self._opened().connection() as connection, connection.transaction():
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        with self._guard:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def _opened(self) -> ConnectionPool[Conn]:
        with self._guard:
            if self._pool is None:
                options: dict[str, Any] = {
                    "row_factory": dict_row,
                    "autocommit": True,
                    "options": _OPTIONS,
                }
                self._pool = ConnectionPool(
                    self._url,
                    connection_class=Conn,
                    kwargs=options,
                    min_size=1,
                    max_size=self._size_max,
                    timeout=10,
                    open=True,
                )
            return self._pool
