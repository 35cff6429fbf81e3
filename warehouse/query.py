"""Reading the published warehouse, and nothing else: no writes, no files, no network, no settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import duckdb

from regions.errors import MeridianError, UsageError
from warehouse.pointer import PARTS, POINTER

_OPEN_TRIES = 5
_FETCH_ROWS = 1000
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"python_enable_replacements": "false"}
_OPENING = threading.Lock()
_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


class NotPublishedError(MeridianError):
    """There is no published build to read."""


class QueryError(UsageError):
    """DuckDB refused the statement; the message is DuckDB's first sentence."""


class Published(Protocol):
    """A folder of builds with a pointer: a region's warehouse, or the global one."""

    @property
    def folder(self) -> Path:
        """Where the builds are."""

    @property
    def unpublished(self) -> str:
        """What to tell a reader before the first publication."""


def open_published(warehouse: Published, *, is_locked: bool = True) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the build that is published now; it keeps seeing that build until it is closed.

    Connections of one process to one build share its settings, and a lock of them, too: what opens several at once and
    runs its own statements only passes `is_locked=False`. Raises NotPublishedError before the first publication.
    """
    pointer = warehouse.folder / POINTER
    for _ in range(_OPEN_TRIES):
        try:
            return _open(pointer.resolve(strict=True), is_locked=is_locked)
        except FileNotFoundError:
            continue  # replaced and pruned between resolving and opening: resolve again
        except duckdb.IOException:
            if pointer.resolve().is_file():
                raise
    raise NotPublishedError(warehouse.unpublished)


def _open(path: Path, *, is_locked: bool) -> duckdb.DuckDBPyConnection:
    with _OPENING:
        connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
        if connection.execute("SELECT current_setting('enable_external_access')").fetchone() != (False,):
            # Nothing on disk but the partition files that the build's own views read.
            folder = str(path.parent / PARTS).replace("'", "''")
            connection.execute(f"SET allowed_directories = ['{folder}/']")
            connection.execute("SET enable_external_access = false")
    connection.execute("SET TimeZone = 'UTC'")
    if is_locked:
        connection.execute("SET lock_configuration = true")
    return connection


class Answer:
    """The rows of one statement, fetched as they are read."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.columns: list[str] = [column[0] for column in cursor.description or []]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while rows := self._cursor.fetchmany(_FETCH_ROWS):
            yield from rows


def ask(connection: duckdb.DuckDBPyConnection, statement: str) -> Answer:
    """Run one reading statement. Raises QueryError for anything else, and for what DuckDB refuses."""
    try:
        parsed = connection.extract_statements(statement)
        if len(parsed) != 1:
            raise QueryError(f"Give one statement, not {len(parsed)}")
        if parsed[0].type not in _READING:
            raise QueryError(f"The warehouse is read-only: a {parsed[0].type.name} statement is not allowed")
        return Answer(connection.execute(parsed[0]))
    except duckdb.Error as error:
        raise QueryError(_first_sentence(error)) from error


def _first_sentence(error: duckdb.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    hint = next((line for line in lines if line.startswith(("Candidate", "Did you mean"))), "")
    return " ".join(part for part in (lines[0] if lines else type(error).__name__, hint) if part)
