from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from regions.errors import ConfigurationError

# Deadlines of a serving process. A job that may take longer asks for its own.
SESSION_SETTINGS = {
    "statement_timeout": "5000",
    "lock_timeout": "3000",
    "idle_in_transaction_session_timeout": "10000",
    "timezone": "UTC",
}


def driver_url(url: str) -> URL:
    """Read a `postgresql://` URL for psycopg 3; the ConfigurationError never shows the URL: it holds a password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError("The database URL is not like postgresql://role:password@host:port/name.") from None
    if parsed.get_backend_name() != "postgresql":
        raise ConfigurationError("The database URL must start with postgresql://.")
    return parsed.set(drivername="postgresql+psycopg")


def driver_of(connection: Connection) -> psycopg.Connection:
    """The driver's own connection, in the same transaction, for the few statements that every request makes.

    It costs about half of SQLAlchemy's way to the same bytes. Errors are psycopg's own, not SQLAlchemy's.
    """
    driver: psycopg.Connection = connection.connection.driver_connection  # type: ignore[assignment] # typed as Any | None
    return driver


class Database:
    """One role's connections to a region's PostgreSQL, made lazily: build it after fork."""

    def __init__(
        self, url: str, *, application_name: str, pool_size: int = 8, transaction_ms: int | None = None
    ) -> None:
        """`transaction_ms`: after it, PostgreSQL rolls a transaction back and closes its connection; None: never."""
        limits = {} if transaction_ms is None else {"transaction_timeout": str(transaction_ms)}
        self.engine: Engine = _engine(url, application_name, pool_size, limits)
        # A pool of its own: switching a connection's mode for each request costs more than keeping a few more of them.
        # No transaction is ever left open on them, so there is none to end when one comes back.
        self._single: Engine = _engine(
            url, application_name, pool_size, limits, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
        )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction without a tenant: commits when the block ends, rolls back when it raises."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def single_statements(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction of its own: as few round trips as can be.

        No tenant outlives a statement: whatever does not name its tenant itself sees no row and writes none.
        """
        with self._single.connect() as connection:
            try:
                yield connection
            finally:
                if not connection.invalidated and driver_of(connection).closed:  # a deadline ended it
                    connection.invalidate()

    def ping(self) -> None:
        """Raise if the database does not answer."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    def dispose(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        self._single.dispose()


def _engine(url: str, application_name: str, pool_size: int, limits: Mapping[str, str], **options: Any) -> Engine:
    return create_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_use_lifo=True,
        hide_parameters=True,  # errors are logged, and parameters hold what must not be
        connect_args={
            "connect_timeout": 5,
            "application_name": application_name,
            "options": " ".join(f"-c {name}={value}" for name, value in {**SESSION_SETTINGS, **limits}.items()),
        },
        json_deserializer=orjson.loads,
        **options,
    )
