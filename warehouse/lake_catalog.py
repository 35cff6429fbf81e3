"""The region's Iceberg catalog: PyIceberg's SQL catalog in schema `lake` of the region's PostgreSQL."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from psycopg.errors import DuplicateTable, InsufficientPrivilege, LockNotAvailable, UniqueViolation
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableRequirement, TableUpdate, ValidatableTableRequirement
from pyiceberg.typedef import EMPTY_DICT, Identifier, Properties
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from regions.errors import ConfigurationError, MeridianError, UnavailableError

if TYPE_CHECKING:
    from pyiceberg.table import CommitTableResponse, Table

    from regions.region import Region

logger = logging.getLogger(__name__)

_TURN_MILLISECONDS = 10_000


class CatalogUnreachableError(UnavailableError):
    """The lake's catalog does not answer."""


class AnotherWriterError(MeridianError):
    """Another process has committed to the table since it was read: read it again, and start from what it says."""


class _AssertBase(ValidatableTableRequirement):
    """The table must still be what the writer read: the same snapshot and the same properties."""

    type: str = "assert-base"
    snapshot_id: int | None
    properties: dict[str, str]

    def validate(self, base_metadata: TableMetadata | None) -> None:  # type: ignore[override]
        if base_metadata is None:
            raise CommitFailedException("The table is gone")
        if base_metadata.current_snapshot_id != self.snapshot_id or base_metadata.properties != self.properties:
            raise CommitFailedException("Another writer has committed since the table was read")


class RegionCatalog(SqlCatalog):
    """A SQL catalog in which a commit succeeds only on exactly the state that its writer read.

    Iceberg's own requirements cover the parent snapshot; a commit that only sets properties (positions) has none.
    """

    def create_tables(self) -> None:
        """Create the catalog's own tables; a role that only reads leaves that to the ingest."""
        try:
            super().create_tables()
        except (IntegrityError, ProgrammingError) as error:
            if isinstance(error.orig, (UniqueViolation, DuplicateTable)):
                super().create_tables()  # somebody else was faster by a moment: now they are there
            elif not isinstance(error.orig, InsufficientPrivilege):
                raise

    def create_namespace(self, namespace: str | Identifier, properties: Properties = EMPTY_DICT) -> None:
        """Create a namespace. Raises NamespaceAlreadyExistsError, also when somebody else was faster by a moment."""
        try:
            super().create_namespace(namespace, properties)
        except IntegrityError as error:
            raise NamespaceAlreadyExistsError(f"Namespace {namespace} already exists") from error

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Take turns at committing to a table, first come first served: who has the turn loads, stages and commits.

        Without it a quick writer beats a slow one for ever. It is politeness only: what keeps commits apart is the
        catalog's check, and whoever waits too long goes ahead.
        """
        with self.engine.connect() as connection, connection.begin():
            try:
                connection.execute(text(f"SET LOCAL lock_timeout = {_TURN_MILLISECONDS}"))
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended('lake.turn.' || :name, 0))"), {"name": name}
                )
            except OperationalError as error:
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                logger.warning("nobody gave us the turn to commit: going ahead", extra={"table": name})
            yield

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Commit, or raise CommitFailedException when anyone has committed since `table` was read."""
        base = _AssertBase(snapshot_id=table.metadata.current_snapshot_id, properties=dict(table.metadata.properties))
        requirements_on_base: tuple[Any, ...] = (*requirements, base)
        return super().commit_table(table, requirements_on_base, updates)


def open_catalog(region: Region, env: Mapping[str, str] = os.environ) -> RegionCatalog:
    """The region's catalog, under the role of `DATABASE_URL_<REGION>` (`lake` writes, `reader` reads).

    Raises ConfigurationError for a missing or unusable variable, CatalogUnreachableError when the database does not
    answer.
    """
    url = _sqlalchemy_url(region.database_url(env))
    lake_uri = region.lake_uri(env).rstrip("/")
    if not lake_uri.startswith("file:///"):
        raise ConfigurationError(
            f"LAKE_URI_{region.code.upper()} is {lake_uri!r}: only file:///… locations are supported"
        )
    try:
        return RegionCatalog(f"lake_{region.code}", uri=url, warehouse=lake_uri, pool_pre_ping="true")
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise CatalogUnreachableError(
            f"The lake's catalog of region {region.code} does not answer: {reason}"
        ) from error


def _sqlalchemy_url(url: str) -> str:
    """A libpq URL as SQLAlchemy wants it, with schema `lake` first on the search path."""
    _, separator, rest = url.partition("://")
    if not separator:
        raise ConfigurationError("The database URL must look like postgresql://role:password@host:port/meridian")
    joint = "&" if "?" in rest else "?"
    return f"postgresql+psycopg://{rest}{joint}options={quote('-csearch_path=lake', safe='')}&connect_timeout=10"
