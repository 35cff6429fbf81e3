"""What a report is: columns with a meaning, one statement, and where each of its figures leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from regions.errors import UsageError

if TYPE_CHECKING:
    import duckdb


class Kind(StrEnum):
    """What a column's values are."""

    TEXT = "text"
    ID = "id"
    DATE = "date"
    COUNT = "count"
    MONEY = "money"  # minor units of the row's `currency`
    SHARE = "share"  # parts per million


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in files, and how people read it."""

    name: str
    title: str
    kind: Kind


def money(*named: tuple[str, str]) -> tuple[Column, ...]:
    """Columns of amounts: name and title of each."""
    return tuple(Column(name, title, Kind.MONEY) for name, title in named)


@dataclass(frozen=True, slots=True)
class Drill:
    """Where the figures of a row lead: another report, of the rows that agree with this one in `keys`."""

    report: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One report. The statement may use $since, $until and $livemode."""

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    sql: str
    drill: Drill | None = None
    is_detail: bool = False

    def column(self, name: str) -> Column:
        """One of its columns. Raises UsageError."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise UsageError(f"{self.name} has no column {name!r}")
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which days and mode, and of which rows of a detail."""

    since: date
    until: date
    livemode: bool
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A report's rows, in the order of its columns."""

    report: Report
    asked: Asked
    build: int
    rows: Sequence[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Rows by column name."""
        names = [column.name for column in self.report.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


def run(report: Report, build: duckdb.DuckDBPyConnection, number: int, asked: Asked) -> Result:
    """Ask a build. Raises UsageError for a filter on a column that the report does not have."""
    values: dict[str, Any] = {"since": asked.since, "until": asked.until, "livemode": asked.livemode}
    conditions = []
    for number_of, (name, value) in enumerate(asked.where.items()):
        column = report.column(name)
        conditions.append(f"CAST({column.name} AS varchar) = $where_{number_of}")
        values[f"where_{number_of}"] = value
    names = ", ".join(column.name for column in report.columns)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    used = {name: value for name, value in values.items() if f"${name}" in report.sql or name.startswith("where_")}
    asking = f"SELECT {names} FROM ({report.sql}) AS report{where}"  # noqa: S608 - our own columns
    rows = build.execute(asking, used).fetchall()
    return Result(report, asked, number, rows)
