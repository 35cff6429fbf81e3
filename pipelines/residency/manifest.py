"""What a dbt manifest says about residency: relations, their columns and classes, and the SQL that makes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regions.errors import ConfigurationError
from regions.residency import ResidencyClass, ResidencyError, residency_class

GLOBAL_TAG = "global"
STAGING = "staging"
_KINDS = frozenset({"model", "seed", "source"})
# The macro's call and nothing else: SQL around it could bring in what the declared columns do not say.
_STAGED_EVENT = re.compile(r"\s*\{\{-?\s*stage_event\(\s*'([a-z0-9_.]+)'\s*\)\s*-?\}\}\s*")


@dataclass(frozen=True, slots=True)
class Relation:
    """A model, seed or source. `sql` is compiled, and None for what is not made here.

    `event` is the type of event that a staging model stages. `made_by` names the model that another run of the project
    made this source from: lineage goes on there.
    """

    name: str
    kind: str
    address: tuple[str, ...]  # catalog, schema, table: lower case
    columns: Mapping[str, ResidencyClass | None]
    sql: str | None = None
    tags: frozenset[str] = frozenset()
    is_staging: bool = False
    event: str | None = None
    made_by: str | None = None
    is_contracted: bool = True


@dataclass(frozen=True, slots=True)
class Project:
    """Every relation of a manifest, by address and by name."""

    relations: Mapping[tuple[str, ...], Relation]
    by_name: Mapping[str, Relation] = field(default_factory=dict)

    @classmethod
    def of(cls, relations: list[Relation]) -> Project:
        """From relations; names of models are unique."""
        return cls(
            {relation.address: relation for relation in relations},
            {relation.name: relation for relation in relations if relation.kind != "source"},
        )


def read_manifest(path: Path) -> Project:
    """Read a manifest that `dbt compile` or `dbt build` has written. Raises ConfigurationError naming the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        nodes = [*document["nodes"].values(), *document["sources"].values()]
        return Project.of([_relation(node) for node in nodes if node["resource_type"] in _KINDS])
    except OSError as error:
        raise ConfigurationError(f"{path}: the manifest cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path}: this is not a dbt manifest ({error!r})") from error


def _relation(node: dict[str, Any]) -> Relation:
    kind = node["resource_type"]
    table = node["identifier"] if kind == "source" else node["alias"]
    raw = node.get("raw_code") or ""
    staged = _STAGED_EVENT.fullmatch(raw)
    config = node.get("config") or {}
    meta = {**(node.get("meta") or {}), **(config.get("meta") or {})}
    return Relation(
        name=f"{node['source_name']}.{node['name']}" if kind == "source" else node["name"],
        kind=kind,
        address=tuple(str(part).lower() for part in (node["database"], node["schema"], table)),
        columns={name.lower(): _class(column) for name, column in (node.get("columns") or {}).items()},
        sql=(node.get("compiled_code") or raw) if kind == "model" else None,
        tags=frozenset(node.get("tags") or ()),
        is_staging=STAGING in node["fqn"][1:-1],
        event=staged[1] if staged else None,
        made_by=meta.get("made_by"),
        is_contracted=kind != "model" or bool((config.get("contract") or {}).get("enforced")),
    )


def _class(column: dict[str, Any]) -> ResidencyClass | None:
    meta = {**(column.get("meta") or {}), **((column.get("config") or {}).get("meta") or {})}
    if "residency" not in meta:
        return None
    try:
        return residency_class(meta["residency"])
    except ResidencyError:
        return None
