"""Which fields of events' data have a column of their own in the lake. Checked when this module is imported."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from regions import events
from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError

_JSON_TYPES: Final = {"string": "string", "long": "integer"}


@dataclass(frozen=True, slots=True)
class Promoted:
    """A field with a column: its name in both, the column's type, its residency class, the families that have it."""

    name: str
    type: str
    residency: str
    families: frozenset[str]


def load_promoted(path: Path) -> Mapping[str, Promoted]:
    """Read and check a declaration. Raises ConfigurationError naming the column."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    found = {name: _column(name, entry) for name, entry in document["columns"].items()}
    return MappingProxyType(found)


def _column(name: str, entry: Mapping[str, Any]) -> Promoted:
    if set(entry) != {"type", "residency", "families"} or entry["type"] not in _JSON_TYPES:
        raise ConfigurationError(f"promoted.toml: column {name!r} needs type (string or long), residency and families")
    column = Promoted(name, entry["type"], entry["residency"], frozenset(entry["families"]))
    having = {
        kind.family: kind.schema["properties"][name]
        for kind in events.versions()
        if name in kind.schema["properties"] and kind.family in column.families
    }
    for family in sorted(column.families):
        field = having.get(family)
        if field is None:
            raise ConfigurationError(f"promoted.toml: no event of family {family!r} has a field {name!r}")
    for kind in events.versions():
        field = kind.schema["properties"].get(name)
        if field is None or kind.family not in column.families:
            continue
        if field.get("type") != _JSON_TYPES[column.type] or field["x-residency"] != column.residency:
            raise ConfigurationError(f"promoted.toml: {kind.name} has another type or residency class for {name!r}")
    if column.residency == "pii":
        raise ConfigurationError(f"promoted.toml: {name!r} is personal and must stay in data, where erasure finds it")
    return column


PROMOTED: Final = load_promoted(CONTRACTS / "promoted.toml")
