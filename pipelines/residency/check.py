"""What a project may not do: leave a column unclassed, stage more freely than the contract, let bound data leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pipelines.residency.lineage import Lineage
from pipelines.residency.manifest import GLOBAL_TAG, Project, Relation
from pipelines.residency.origin import Leaf, Origin
from pipelines.residency.sql_rules import HiddenLineageError
from regions.contract_files import CONTRACTS
from regions.data_map import DataMap
from regions.events import registry
from regions.residency import ResidencyClass, is_loosened
from regions.toml_reader import TomlReader

LAKE_SOURCE = "lake."
# Staging renames these columns of the lake's events.
ENVELOPE = {"event_at": "time"}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `columns` counts classed columns, `proven` those of global models with a free lineage."""

    relations: int
    columns: int
    global_models: int
    proven: int
    problems: tuple[str, ...]


@cache
def minimum_group_size() -> int:
    """How many rows an aggregate needs before it may leave its region."""
    reader = TomlReader.open(CONTRACTS / "global.toml")
    size = reader.integer("minimum_group_size", minimum=2)
    reader.finish()
    return size


def check(project: Project, found: DataMap, group_size_min: int) -> Report:
    """Judge the whole project."""
    problems = [*_unclassed(project), *_staged_loosely(project, found), *_sources_disagree(project, found)]
    lineage = Lineage(project, group_size_min)
    models = sorted((r for r in project.relations.values() if GLOBAL_TAG in r.tags), key=lambda r: r.name)
    proven = 0
    for model in models:
        bound = list(_bound(model, project, lineage))
        problems += bound
        proven += 0 if bound else len(model.columns)
    columns = sum(len(relation.columns) for relation in project.relations.values())
    return Report(len(project.relations), columns, len(models), proven, tuple(problems))


def _unclassed(project: Project) -> Iterator[str]:
    for relation in sorted(project.relations.values(), key=lambda found: found.name):
        if not relation.columns:
            yield f"{relation.name} declares no columns"
        if not relation.is_contracted:
            yield f"{relation.name}: its contract is not enforced, so its columns may be others than it declares"
        for name, declared in relation.columns.items():
            if declared is None:
                yield f"{relation.name}.{name} declares no residency class"


def _staged_loosely(project: Project, found: DataMap) -> Iterator[str]:
    """Staging models of events end lineage: what they declare must be at least as strict as the contract."""
    envelope = found.lake["events"].classes
    for relation in project.relations.values():
        if relation.event is None:
            continue
        kinds = {name: kind for name, kind in registry().items() if name == relation.event}
        if not kinds:
            yield f"{relation.name} stages {relation.event}, which is no event"
            continue
        fields = kinds[relation.event].residency
        for name, declared in relation.columns.items():
            bound = envelope.get(ENVELOPE.get(name, name)) if f"/{name}" not in fields else fields[f"/{name}"]
            if bound is None:
                yield f"{relation.name}.{name} is no field of {relation.event} and no column of the envelope"
            elif declared is not None and is_loosened(bound, declared):
                yield f"{relation.name}.{name} is declared {declared.value}, and {relation.event} says {bound.value}"


def _sources_disagree(project: Project, found: DataMap) -> Iterator[str]:
    """A source that is a lake table declares what the data map says: an event's data is pii, whatever its type."""
    for relation in project.relations.values():
        table = found.lake.get(relation.name.removeprefix(LAKE_SOURCE))
        if relation.kind != "source" or not relation.name.startswith(LAKE_SOURCE) or table is None:
            continue
        for name, declared in relation.columns.items():
            bound = table.classes.get(name)
            if bound is None:
                yield f"source {relation.name}.{name} is no column of the lake's {table.name}"
            elif declared is not None and is_loosened(bound, declared):
                yield f"source {relation.name}.{name} is declared {declared.value}, and the data map says {bound.value}"


def _bound(model: Relation, project: Project, lineage: Lineage) -> Iterator[str]:
    """Why a global model may not leave: each column with what binds it, and the way there."""
    try:
        origins = lineage.of(model)
    except HiddenLineageError as error:
        yield f"{model.name}: its lineage is hidden: {error}"
        return
    made = set(origins) - {"*"}
    for name in sorted(made ^ set(model.columns)):
        yield f"{model.name}.{name} is {'not declared' if name in made else 'declared, and not made'}"
    for name in sorted(made):
        yield from _bound_column(f"{model.name}.{name}", origins[name], project)


def _bound_column(column: str, origin: Origin, project: Project) -> Iterator[str]:
    if any(origin.parts()):  # else it is a constant
        for leaf, path in sorted({**origin.shape, **origin.value}.items()):
            declared = _class_of(leaf, project)
            if declared is not ResidencyClass.EXPORTABLE:
                yield f"{column} depends on {_told(leaf, declared)}: {_way(column, path)}"
        for leaf, path in sorted(origin.links.items()):
            declared = _class_of(leaf, project)
            if declared is None or declared is ResidencyClass.PII or _is_ours(leaf, declared, project):
                yield f"{column} is linked by {_told(leaf, declared)}: {_way(column, path)}"
        for leaf, path in sorted(origin.closed.items()):
            declared = _class_of(leaf, project)
            if declared is None or declared is ResidencyClass.PII:
                yield f"{column} aggregates {_told(leaf, declared)}: {_way(column, path)}"


def _is_ours(leaf: Leaf, declared: ResidencyClass, project: Project) -> bool:
    """Whether a bound key is one that we wrote down ourselves: a join with a list of ids is a predicate on ids."""
    kinds = {relation.kind for relation in project.relations.values() if relation.name == leaf.relation}
    return declared is not ResidencyClass.EXPORTABLE and kinds == {"seed"}


def _class_of(leaf: Leaf, project: Project) -> ResidencyClass | None:
    for relation in project.relations.values():
        if relation.name == leaf.relation:
            return relation.columns.get(leaf.column)
    return None


def _told(leaf: Leaf, declared: ResidencyClass | None) -> str:
    return f"{leaf.relation}.{leaf.column} ({declared.value if declared else 'unknown'})"


def _way(column: str, path: tuple[str, ...]) -> str:
    return " <- ".join((column, *path))
