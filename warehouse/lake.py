"""The region's lake: Iceberg tables of events and what was landed beside them.

Positions are the truth about what the lake holds. They are table properties, set in the append's own commit:
`meridian.positions` (partition name → last accepted position), `meridian.offsets` (→ next Kafka offset, a hint),
`meridian.lake_seq` (the number of the last ingest commit).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from psycopg.errors import UndefinedTable
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from sqlalchemy.exc import ProgrammingError

from regions.errors import MeridianError
from warehouse.lake_catalog import AnotherWriterError, RegionCatalog, open_catalog
from warehouse.lake_evolution import evolve, is_evolved
from warehouse.lake_files import TableFiles, table_files
from warehouse.lake_tables import EVENTS, NAMESPACE, QUARANTINE, STREAM_TABLES, TableDefinition

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from regions.region import Region

POSITIONS = "meridian.positions"
OFFSETS = "meridian.offsets"
FOREIGN_OFFSETS = "meridian.foreign_offsets"  # quarantine only: up to where records without a position were taken
LAKE_SEQ = "meridian.lake_seq"
_EVOLVE_TRIES = 20


class LakeTableMissingError(MeridianError):
    """A table of the lake does not exist yet."""


def read_map(table: Table, name: str) -> dict[str, str]:
    """A property of the table that holds a JSON map of texts; empty if it was never set."""
    parsed: dict[str, str] = json.loads(table.properties.get(name, "{}"))
    return parsed


def read_lake_seq(table: Table) -> int:
    """The number of the last ingest commit in the table, 0 before the first."""
    return int(table.properties.get(LAKE_SEQ, "0"))


class Lake:
    """Access to the lake of one region."""

    def __init__(self, catalog: RegionCatalog, uri: str) -> None:
        self.catalog = catalog
        self.uri = uri.rstrip("/")

    @classmethod
    def open(cls, region: Region, env: Mapping[str, str] = os.environ) -> Lake:
        """The lake that the environment names. Raises ConfigurationError or CatalogUnreachableError."""
        return cls(open_catalog(region, env), region.lake_uri(env))

    def ensure_tables(self) -> None:
        """Create the tables of the stream if they are missing (role `lake`)."""
        for definition in STREAM_TABLES:
            self.ensure_table(definition)

    def ensure_table(self, definition: TableDefinition) -> Table:
        """The table, created if it is missing, with every column; safe when several processes start at once.

        A column that the definition has gained is added: rows from before read NULL.
        """
        try:
            return self._with_columns(self.catalog.load_table(definition.identifier), definition)
        except NoSuchTableError:
            pass
        with suppress(NamespaceAlreadyExistsError):
            self.catalog.create_namespace(NAMESPACE)
        try:
            return self.catalog.create_table(
                definition.identifier,
                definition.schema,
                location=f"{self.uri}/{definition.name}",
                partition_spec=definition.partition_spec,
                sort_order=definition.sort_order,
                properties=definition.properties,
            )
        except TableAlreadyExistsError:
            return self._with_columns(self.catalog.load_table(definition.identifier), definition)

    def _with_columns(self, table: Table, definition: TableDefinition) -> Table:
        """The table with its definition's columns: renamed, widened, added. Old files stay readable by their ids."""
        for _ in range(_EVOLVE_TRIES):
            if is_evolved(table.schema(), definition):
                return table
            # Whoever was faster may have done the same.
            with suppress(CommitFailedException), table.update_schema() as update:
                evolve(update, table.schema(), definition)
            table = self.catalog.load_table(definition.identifier)
        raise AnotherWriterError(f"{definition.name} is written all the time: its new columns could not be added")

    def table(self, name: str) -> Table:
        """A table as it is now. Raises LakeTableMissingError before its first writer has started."""
        try:
            return self.catalog.load_table(f"{NAMESPACE}.{name}")
        except ProgrammingError as error:
            if not isinstance(error.orig, UndefinedTable):
                raise
            raise LakeTableMissingError("The lake has no catalog yet: start the ingest first") from error
        except NoSuchTableError as error:
            raise LakeTableMissingError(f"The lake has no table {name!r} yet: start the ingest first") from error

    def events(self) -> Table:
        """The table of accepted events."""
        return self.table(EVENTS.name)

    def quarantine(self) -> Table:
        """The table of records that could not be accepted as events."""
        return self.table(QUARANTINE.name)

    def files(self, name: str, snapshot_id: int | None = None) -> TableFiles:
        """The exact files of a table's snapshot (the current one by default), for DuckDB."""
        return table_files(self.table(name), snapshot_id)

    def positions(self) -> dict[str, str]:
        """The last position per partition that the lake has, events and quarantine together."""
        return read_map(self.events(), POSITIONS)

    def close(self) -> None:
        """Give the catalog's connections back."""
        self.catalog.engine.dispose()
