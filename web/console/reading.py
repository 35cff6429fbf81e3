"""Opening what pages read: the region's rows in a read-only transaction, and the published build of the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Connection, text

from warehouse.build_record import BuildRecord
from warehouse.query import NotPublishedError, open_published
from web.console.accounts.models import Account
from web.console.wiring import wired

_ENTER = text("""
SELECT set_config('meridian.merchant_id', :merchant_id, true), set_config('meridian.console_reach', :reach, true)
""")


@dataclass(frozen=True, slots=True)
class Build:
    """The published build that one request reads, whatever is published meanwhile."""

    connection: duckdb.DuckDBPyConnection
    number: int
    business_date: date

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """The answer to one statement of a repository."""
        cursor = self.connection.execute(statement, values)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def region_rows(account: Account, *, writes: bool = False) -> Iterator[Connection]:
    """A transaction that sees the account's merchant, or, for people of the platform, the region.

    Read-only but for few pages; what the console may write at all, the database says.
    """
    with wired().database.transaction() as connection:
        access = "READ WRITE" if writes else "READ ONLY"
        connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, {access}")
        reach = {"merchant_id": account.merchant_id or "", "reach": "merchant" if account.merchant_id else "region"}
        connection.execute(_ENTER, reach)
        yield connection


@contextmanager
def published() -> Iterator[Build | None]:
    """The build that is published now; None before the first one. It waits for no writer and holds none up."""
    warehouse = wired().warehouse
    try:
        connection = open_published(warehouse, is_locked=False)
    except NotPublishedError:
        yield None
        return
    try:
        record = BuildRecord.load(_file_of(connection).with_suffix(".json"))
        yield Build(connection, record.number, record.business_date)
    finally:
        connection.close()


def _file_of(connection: duckdb.DuckDBPyConnection) -> Path:
    row = connection.execute("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchone()
    if row is None:
        raise RuntimeError("a build was opened, and DuckDB has no database")
    return Path(row[0])
