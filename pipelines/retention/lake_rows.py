"""What erasure does to rows of the lake. Pure over Arrow tables, so that planning counts what running changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from regions.data_map import DataMap, Erasure, Holds, MappedTable
from regions.event_erasure import erase_fields
from warehouse.lake_rewrite import Change


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom a rewrite erases.

    `objects` are ids of objects (payments, sessions, refunds) per data class whose pseudonyms go; `sealed` are pairs of
    subject and retention class whose keys are destroyed, `sealed_objects` the ids of those subjects' objects; rows that
    tell of a `dropped` object go whole.
    """

    objects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sealed: frozenset[tuple[str, str]] = frozenset()
    sealed_objects: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()

    def all_objects(self) -> frozenset[str]:
        """Every object whose rows may change."""
        return frozenset().union(*self.objects.values(), self.sealed_objects, self.dropped)


def changes(found: DataMap, targets: Targets) -> dict[str, Change]:
    """What to do to each table of the lake that holds personal data, by name."""
    ids = targets.all_objects()
    if not ids:
        return {}
    result = {}
    for table in found.lake.values():
        if table.personal and table.subject is not None:
            result[table.name] = _change(table, ids, targets)
    return result


def _change(table: MappedTable, ids: frozenset[str], targets: Targets) -> Change:
    column = table.subject.column if table.subject else ""
    if any(personal.erasure is Erasure.ROW for personal in table.personal):
        values = frozenset(one.encode() for one in ids)  # keys of records are bytes
        return Change(column, values, lambda rows: _without(rows, column, values))
    return Change(column, ids, lambda rows: _erase(table, rows, targets))


def _erase(table: MappedTable, rows: pa.Table, targets: Targets) -> pa.Table:
    column = table.subject.column if table.subject else ""
    if targets.dropped:
        rows = _without(rows, column, targets.dropped)
    owners = rows[column].to_pylist()
    for personal in table.personal:
        values = rows[personal.name].to_pylist()
        if personal.erasure is Erasure.FIELDS:
            ids = targets.objects.get(personal.data_class or "", frozenset())
            types = rows["type"].to_pylist()
            new = [
                _erase_event(kind, value) if owner in ids else value
                for owner, kind, value in zip(owners, types, values, strict=True)
            ]
        elif personal.holds is Holds.SEALED:
            new = [
                None if owner in targets.sealed_objects and _is_sealed_under(value, targets.sealed) else value
                for owner, value in zip(owners, values, strict=True)
            ]
        else:
            ids = targets.objects.get(personal.data_class or "", frozenset())
            new = [None if owner in ids else value for owner, value in zip(owners, values, strict=True)]
        if new != values:
            at = rows.schema.get_field_index(personal.name)
            rows = rows.set_column(at, rows.schema.field(at), pa.array(new, rows.schema.field(at).type))
    return rows


def _without(rows: pa.Table, column: str, values: Iterable[str] | Iterable[bytes]) -> pa.Table:
    kind = rows.schema.field(column).type
    return rows.filter(pc.invert(pc.is_in(rows[column], pa.array(list(values), kind))))


def _erase_event(kind: str, value: str) -> str:
    data = json.loads(value)
    erased = erase_fields(kind, data)
    return value if erased == data else json.dumps(erased, ensure_ascii=False, separators=(",", ":"))


def _is_sealed_under(value: str | None, sealed: frozenset[tuple[str, str]]) -> bool:
    if value is None:
        return False
    document: dict[str, Any] = json.loads(value)
    return (document["subject"], document["retention_class"]) in sealed
