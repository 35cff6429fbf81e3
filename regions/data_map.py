"""The data map: every column of every table and lake table, its residency class, and for personal data whose it is.

`contracts/tables.toml` and `contracts/lake.toml` say it; the format is described there. Nothing else lists where
personal data lies: erasure, verification and least privilege are derived from this map.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError
from regions.residency import ResidencyClass
from regions.retention import Trigger, data_classes
from regions.toml_reader import TomlReader

TECHNICAL: Final = "technical"
_NAME: Final = r"[a-z][a-z0-9_]*"


class Store(StrEnum):
    """Where a table lies; each has one file of the map."""

    POSTGRES = "postgres"
    LAKE = "lake"


class Holds(StrEnum):
    """What a personal column holds."""

    TOKEN = "token"  # noqa: S105 - a pseudonym, no password
    SEALED = "sealed"  # {"retention_class", "ciphertext"} under the subject's key of that class
    EVENT = "event"  # an event's data: the fields that its contract calls pii
    TRACE = "trace"  # what could lead to the payer at the gateway
    ENVELOPE = "envelope"  # ciphertext under a key of the region
    CONTACT = "contact"  # of somebody who works with the platform, no payer's


class Erasure(StrEnum):
    """What erasing a subject does to a personal column."""

    NULL = "null"
    BLANK = "blank"  # a text that must not be NULL
    FIELDS = "fields"  # the fields that the event's contract calls pii
    ROW = "row"
    EXPIRES = "expires"  # nothing: it goes with its row, whose rule says when


@dataclass(frozen=True, slots=True)
class PersonalColumn:
    """A column of class pii. `data_class` is None for sealed columns: their value names its retention class."""

    name: str
    holds: Holds
    data_class: str | None
    erasure: Erasure


@dataclass(frozen=True, slots=True)
class SubjectPath:
    """How a subject's rows are found: `column` holds the subject's id, or the key of its rows in one of `of`."""

    column: str
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MappedTable:
    """One table. `data_class` is None for technical rows."""

    store: Store
    name: str
    description: str
    data_class: str | None
    key: tuple[str, ...]
    classes: Mapping[str, ResidencyClass]
    personal: tuple[PersonalColumn, ...]
    subject: SubjectPath | None
    clock: Mapping[Trigger, tuple[str, ...]]
    idle: str | None


@dataclass(frozen=True, slots=True)
class DataMap:
    """Both files, judged together."""

    tables: Mapping[str, MappedTable]
    lake: Mapping[str, MappedTable]

    def of(self, store: Store) -> Mapping[str, MappedTable]:
        """The tables of a store, by name."""
        return self.tables if store is Store.POSTGRES else self.lake

    def followers(self, table: str, store: Store) -> tuple[MappedTable, ...]:
        """The technical tables of a store whose rows tell of rows of `table`, and go when those go."""
        return tuple(
            found
            for found in self.of(store).values()
            if found.data_class is None and found.subject is not None and table in found.subject.of
        )


@cache
def data_map(folder: Path = CONTRACTS) -> DataMap:
    """Read and judge the map. Raises ConfigurationError naming the file and the field."""
    tables = _read(folder / "tables.toml", Store.POSTGRES)
    lake = _read(folder / "lake.toml", Store.LAKE)
    for path, found in ((folder / "tables.toml", tables), (folder / "lake.toml", lake)):
        for table in found.values():
            _check_path(path, table, tables)
    return DataMap(MappingProxyType(tables), MappingProxyType(lake))


def check_columns(declared: Mapping[str, MappedTable], actual: Mapping[str, Iterable[str]]) -> list[str]:
    """What the map and the real tables disagree on, one sentence each: nothing undeclared, nothing declared in vain.

    `actual` maps each real table to its columns.
    """
    problems = [f"table {name} declares no residency at all" for name in sorted(set(actual) - set(declared))]
    problems += [f"table {name} is declared, and does not exist" for name in sorted(set(declared) - set(actual))]
    for name in sorted(set(actual) & set(declared)):
        columns = set(actual[name])
        problems += [f"column {name}.{one} declares no class" for one in sorted(columns - set(declared[name].classes))]
        problems += [
            f"column {name}.{one} is declared, and does not exist"
            for one in sorted(set(declared[name].classes) - columns)
        ]
    return problems


def _read(path: Path, store: Store) -> dict[str, MappedTable]:
    file = TomlReader.open(path)
    entries = file.table("tables")
    file.finish()
    return {name: _read_table(entries.table(name), name, store) for name in entries.names()}


def _read_table(entry: TomlReader, name: str, store: Store) -> MappedTable:
    description = entry.text("description")
    data_class = entry.text("data_class", choices=[TECHNICAL, *data_classes()])
    key = entry.texts("key", pattern=_NAME)
    subject = _read_subject(entry.table("subject")) if entry.has("subject") else None
    clock = _read_clock(entry.table("clock")) if entry.has("clock") else {}
    idle = entry.text("idle", pattern=_NAME) if entry.has("idle") else None
    classes: dict[str, ResidencyClass] = {}
    for found in (ResidencyClass.EXPORTABLE, ResidencyClass.REGIONAL):
        if entry.has(found.value):
            for column in entry.texts(found.value, pattern=_NAME):
                if column in classes:
                    entry.refuse(found.value, f"names {column}, which has a class already")
                classes[column] = found
    personal: list[PersonalColumn] = []
    if entry.has("personal"):
        columns = entry.table("personal")
        for column in columns.names():
            if column in classes:
                columns.refuse(column, "has a class already")
            personal.append(_read_personal(columns.table(column), column, subject))
            classes[column] = ResidencyClass.PII
    for used in (*key, *(c for cs in clock.values() for c in cs), *filter(None, [idle, subject and subject.column])):
        if used not in classes:
            entry.refuse("key, subject, clock or idle", f"names {used}, a column without a class")
    entry.finish()
    return MappedTable(
        store, name, description, None if data_class == TECHNICAL else data_class, key, MappingProxyType(classes),
        tuple(personal), subject, MappingProxyType(clock), idle,
    )  # fmt: skip


def _read_subject(entry: TomlReader) -> SubjectPath:
    column = entry.text("column", pattern=_NAME)
    of = entry.texts("of", pattern=_NAME) if entry.has("of") else ()
    entry.finish()
    return SubjectPath(column, of)


def _read_clock(entry: TomlReader) -> dict[Trigger, tuple[str, ...]]:
    clock = {}
    for name in entry.names():
        if name not in list(Trigger):
            entry.refuse(name, f"is no trigger: use one of {', '.join(sorted(Trigger))}")
        clock[Trigger(name)] = entry.texts(name, pattern=_NAME)
    return clock


def _read_personal(entry: TomlReader, column: str, subject: SubjectPath | None) -> PersonalColumn:
    holds = Holds(entry.text("holds", choices=list(Holds)))
    erasure = Erasure(entry.text("erasure", choices=list(Erasure)))
    data_class = None
    if holds is not Holds.SEALED:
        data_class = entry.text("data_class", choices=data_classes())
    if erasure is Erasure.FIELDS and holds is not Holds.EVENT:
        entry.refuse("erasure", "is fields, which only an event has")
    if erasure is not Erasure.EXPIRES and subject is None:
        entry.refuse("erasure", f"is {erasure.value}, and the table does not say how a subject's rows are found")
    entry.finish()
    return PersonalColumn(column, holds, data_class, erasure)


def _check_path(path: Path, table: MappedTable, tables: Mapping[str, MappedTable]) -> None:
    """Every path ends at the subject's id, through tables of PostgreSQL whose key is one column."""
    todo, seen = [table], set()
    while todo:
        found = todo.pop()
        for name in found.subject.of if found.subject else ():
            where = f"{path}: field tables.{found.name}.subject.of names {name}"
            if name not in tables:
                raise ConfigurationError(f"{where}, which is no table of tables.toml")
            if tables[name].subject is None:
                raise ConfigurationError(f"{where}, whose rows belong to no subject")
            if len(tables[name].key) != 1:
                raise ConfigurationError(f"{where}, whose key is more than one column")
            if name in seen and name == table.name:
                raise ConfigurationError(f"{where}, and so comes back to itself")
            if name not in seen:
                seen.add(name)
                todo.append(tables[name])
