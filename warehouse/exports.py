"""What leaves the regions: the columns that the global models ask for, each proven exportable by its mart's own schema.

The dbt project says both: the source `regions` of the global models lists what they read, and every mart's YAML gives
each column's residency class. There is no other list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from regions.errors import MeridianError
from regions.region_parts import Export
from regions.residency import ResidencyClass, check_exportable, residency_class
from warehouse.dbt_runner import PROJECT

if TYPE_CHECKING:
    from regions.region_parts import Residency

SOURCE: Final = "regions"


class ExportError(MeridianError):
    """The global models ask for something that no mart has."""


@dataclass(frozen=True, slots=True)
class ExportedColumn:
    """A column that may leave, with its DuckDB type."""

    name: str
    data_type: str


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """The columns of one mart that leave. `group_size` counts what an aggregate is made of; None for rows."""

    name: str
    columns: tuple[ExportedColumn, ...]
    group_size: str | None

    @property
    def names(self) -> str:
        """The columns, as SQL lists them."""
        return ", ".join(f'"{column.name}"' for column in self.columns)

    def condition(self, residency: Residency) -> str | None:
        """Which rows may leave a region, as SQL; None if no row may."""
        if residency.export is Export.COLUMNS:
            return "true"
        if self.group_size is None:
            return None
        return f'"{self.group_size}" >= {residency.minimum_group_size:d}'


def read_exports(models: Path = PROJECT / "models") -> tuple[ExportedTable, ...]:
    """Every table that the global models read from the regions.

    Raises ResidencyError for a column that may not leave, ExportError for one that does not exist.
    """
    documents = [yaml.load(path.read_text("utf-8"), yaml.CSafeLoader) for path in sorted(models.glob("**/*.yml"))]
    marts = {model["name"]: model for document in documents for model in document.get("models", ())}
    return tuple(_read_table(table, marts) for document in documents for table in _wanted(document))


def _wanted(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for source in document.get("sources", ()):
        if source["name"] == SOURCE:
            yield from source["tables"]


def _read_table(table: Mapping[str, Any], marts: Mapping[str, Mapping[str, Any]]) -> ExportedTable:
    name = table["name"]
    if name not in marts:
        raise ExportError(f"The global models read {name}, and there is no such mart")
    known = {column["name"]: column for column in marts[name]["columns"]}
    wanted = [column["name"] for column in table["columns"]]
    if unknown := [column for column in wanted if column not in known]:
        raise ExportError(f"The global models read {name}.{unknown[0]}, and {name} has no such column")
    group_size = marts[name].get("config", {}).get("meta", {}).get("group_size")
    if group_size is not None and group_size not in wanted:
        raise ExportError(f"{name}.{group_size} counts its groups, and the global models do not read it")
    check_exportable({f"{name}.{column}": _class(known[column]) for column in wanted})
    columns = tuple(ExportedColumn(column, known[column]["data_type"]) for column in wanted)
    return ExportedTable(name, columns, group_size)


def _class(column: Mapping[str, Any]) -> ResidencyClass | None:
    declared = column.get("config", {}).get("meta", {}).get("residency")
    return residency_class(declared) if declared else None
