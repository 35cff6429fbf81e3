"""What a build keeps of the build before: small tables are copied, large ones live in partition files that both share.

A partition file holds the rows that one build made, and never changes. A row that a later build made again is listed in
the build's own table `parts.superseded_<model>` by key and by the build that made it; the model's view leaves it out.
Each row of a model that may be made again carries its hash: key and hash tell whether it came out differently, and no
other column of history is read. See ADR 0079.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from warehouse.affected import bounds, rows_of
from warehouse.dbt_runner import declared_columns, literal
from warehouse.pointer import PARTS
from warehouse.regrouped import columns_of, drop, note_changed

if TYPE_CHECKING:
    from warehouse.dbt_plan import Node
    from warehouse.increments import Key

PART_ROWS = (
    10_000  # up to here a table is copied: quicker, and the build stays one file; beyond, a day would pay for history
)
PARTS_MAX = 48  # of one model; then the smaller half becomes one file
BUILD: Final = "_build"
ROW: Final = "_row"  # the hash of a row; another release of DuckDB may reckon another: then more is made again, no less
FORM: Final = "parts with hashes"  # of partition files; builds of another form are not built upon
# Quick to read rather than small: looking up a day's refunds in history is most of what history costs.
# Ids of several sorts come mixed in time; next to each other, each sort's are found by their bounds.
_ORDERED: Final = {"stg_journal_posted": "source_id", "int_journal_entries": "source_id"}
_PARQUET: Final = "FORMAT parquet, COMPRESSION lz4_raw, PARQUET_VERSION v2"


@dataclass(frozen=True, slots=True)
class Part:
    """A partition file, by its name in the folder of partition files."""

    file: str
    rows: int


class Keeper:
    """Writes the kept models of one build, `build` on the connection, from new rows and what `base` holds."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        number: int,
        base: Mapping[str, Sequence[Part]] | None,
    ) -> None:
        self._connection = connection
        self._folder = folder / PARTS
        self._number = number
        self._base = base
        self.parts: dict[str, tuple[Part, ...]] = {}

    def append(self, node: Node) -> None:
        """Keep all earlier rows of a model, and add those in `warehouse`."""
        self._write(node, f"SELECT {_names(node)} FROM {_table('warehouse', node)}", None)  # noqa: S608 - names are the project's

    def replace(self, node: Node, key: Key) -> None:
        """Keep the earlier rows of objects that were not affected; the others' rows are those in `warehouse`.

        Where nothing came out differently, the earlier rows stay what they are.
        """
        new = f"SELECT {_names(node)}, {_hash(node)} AS {ROW} FROM {_table('warehouse', node)}"  # noqa: S608 - same
        if self._base is None:
            self._write(node, new, None)
            return
        self._bring_earlier(node, key)
        now = f'SELECT "{key.column}" AS id, {ROW}, 1 AS rows FROM ({new})'  # noqa: S608 - same
        self._connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE changed AS SELECT DISTINCT id FROM (
                    SELECT id FROM ({now} UNION ALL SELECT id, {ROW}, -1 FROM earlier)
                     GROUP BY id, {ROW} HAVING sum(rows) != 0)"""  # noqa: S608 - same
        )
        note_changed(self._connection, node, key)
        self._write(node, f'{new} WHERE "{key.column}" IN (SELECT id FROM changed)', key)  # noqa: S608 - same

    def copy(self, node: Node) -> None:
        """Take over a table that is made whole each time."""
        self._make_table(node, [f"SELECT {_names(node)} FROM {_table('warehouse', node)}"])  # noqa: S608 - same

    def regroup(self, node: Node, is_again: str) -> None:
        """Keep the earlier rows of a small table but those that are made again; theirs are those in `warehouse`."""
        kept = f"SELECT {_names(node)} FROM {_table('base', node)} WHERE ({is_again}) IS NOT TRUE"  # noqa: S608 - same
        now = f"SELECT {_names(node)} FROM {_table('warehouse', node)} WHERE {is_again}"  # noqa: S608 - same
        self._make_table(node, [kept, now])

    def drop(self, node: Node) -> None:
        """Drop the build's own table or view, if there is one: reconciliation may run again in the same build."""
        drop(self._connection, "build", node)

    def move_out(self, node: Node) -> None:
        """Move a table of the build's own into a partition file, if it is large."""
        table = f"SELECT {_names(node)} FROM {_table('build', node)}"  # noqa: S608 - same
        if (rows := self._count(table)) > PART_ROWS:
            numbered = f"SELECT *, {_hash(node)} AS {ROW}, {self._number} AS {BUILD} FROM ({table})"  # noqa: S608 - same
            self.parts[node.name] = (self._copy_out(node, f"{node.name}-{self._number}.parquet", numbered, rows),)
            self._make_view(node, None)

    # ------------------------------------------------------------------------------------------------ inside
    def _bring_earlier(self, node: Node, key: Key) -> None:
        """The hashes of the affected objects' earlier rows, and the build that made each.

        What supersedes them asks no file again.
        """
        before = self._base.get(node.name, ()) if self._base is not None else ()
        source, row, made_by, condition = _table("base", node), _hash(node), "CAST(NULL AS INTEGER)", rows_of(key)
        if before:
            source, row, made_by = self._scan(before), ROW, BUILD
            if self._has_table("base", f"superseded_{node.name}"):
                condition += f" AND {_not_superseded(node, key, 'base.')}"
        if key.grows:
            condition = f"{bounds(self._connection, key.kind, key.column)} AND {condition}"
        columns = f'"{key.column}" AS id, {row} AS {ROW}, {made_by} AS {BUILD}'
        columns += "".join(f', "{column}"' for column in columns_of(node.name))
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE earlier AS SELECT {columns} FROM {source} AS part WHERE {condition}"  # noqa: S608 - same
        )

    def _write(self, node: Node, new: str, key: Key | None) -> None:
        """Write a model from `new` rows; of the earlier ones those in `changed`, by `key`, are gone."""
        before = self._base.get(node.name, ()) if self._base is not None else ()
        kept = f"SELECT {_names(node)} FROM {_table('base', node)}"  # noqa: S608 - same
        if key is not None:
            kept = f"SELECT {_names(node)}, {_hash(node)} AS {ROW} FROM {_table('base', node)}"  # noqa: S608 - same
            kept += f' WHERE "{key.column}" NOT IN (SELECT id FROM changed)'  # noqa: S608 - same
        sources = [new] if self._base is None or before else [kept, new]
        rows = sum(self._count(source) for source in sources)
        self.parts[node.name] = tuple(before)
        if not before and rows <= PART_ROWS:
            self._make_table(node, sources)
            return
        if before:
            self._supersede(node, before, key)
        if rows:
            numbered = (f"SELECT *, {self._number} AS {BUILD} FROM ({source})" for source in sources)  # noqa: S608 - same
            name, query = f"{node.name}-{self._number}.parquet", " UNION ALL ".join(numbered)
            self.parts[node.name] += (self._copy_out(node, name, query, rows),)
        if len(self.parts[node.name]) > PARTS_MAX:
            self._merge(node, key)
        self._make_view(node, key)

    def _supersede(self, node: Node, before: Sequence[Part], key: Key | None) -> None:
        """List the rows that are made again, on top of what the base lists."""
        listed = f"parts.superseded_{node.name}"
        if key is None:
            return
        self._connection.execute(f"DROP TABLE IF EXISTS build.{listed}")
        known = f"FROM base.{listed}" if self._has_table("base", f"superseded_{node.name}") else None
        unknown = f'SELECT count(*) FROM (SELECT id AS "{key.column}" FROM changed) WHERE NOT ({rows_of(key)})'  # noqa: S608 - same
        (beyond,) = self._connection.execute(unknown).fetchone() or (0,)
        # A new row of an object that nobody called affected.
        source = f'(SELECT "{key.column}" AS id, {BUILD} FROM {self._scan(before)})' if beyond else "earlier"  # noqa: S608 - same
        now = f"SELECT DISTINCT id, {BUILD} FROM {source} WHERE id IN (SELECT id FROM changed)"  # noqa: S608 - same
        self._connection.execute("CREATE SCHEMA IF NOT EXISTS build.parts")
        both = f"({known}) UNION ({now})" if known else now
        self._connection.execute(f"CREATE TABLE build.{listed} AS {both}")
        if not self._count(f"FROM build.{listed}"):  # readers need not look for what is not there
            self._connection.execute(f"DROP TABLE build.{listed}")

    def _merge(self, node: Node, key: Key | None) -> None:
        """Make one file of the smaller half, without the rows that are superseded."""
        parts = sorted(self.parts[node.name], key=lambda part: (part.rows, part.file))
        small, large = parts[: PARTS_MAX // 2], parts[PARTS_MAX // 2 :]
        live = f"SELECT * FROM {self._scan(small)} AS part"  # noqa: S608 - same
        if self._has_table("build", f"superseded_{node.name}"):
            live += f" WHERE {_not_superseded(node, key, 'build.')}"
        rows = self._count(live)
        self.parts[node.name] = (*large, self._copy_out(node, f"{node.name}-{self._number}m.parquet", live, rows))

    def _make_table(self, node: Node, sources: Sequence[str]) -> None:
        self.drop(node)
        self._connection.execute(f'CREATE SCHEMA IF NOT EXISTS build."{node.schema}"')
        self._connection.execute(f"CREATE TABLE {_table('build', node)} ({declared_columns(node)})")
        for source in sources:
            rows = f"SELECT {_names(node)} FROM ({source})"  # noqa: S608 - same
            self._connection.execute(f"INSERT INTO {_table('build', node)} ({_names(node)}) {rows}")

    def _make_view(self, node: Node, key: Key | None) -> None:
        """The view names no database: it must also hold where the build is opened under another name."""
        query = f"SELECT {_names(node)} FROM {self._scan(self.parts[node.name])} AS part"  # noqa: S608 - same
        if self._has_table("build", f"superseded_{node.name}"):
            query += f" WHERE {_not_superseded(node, key, '')}"
        self._connection.execute(f'CREATE SCHEMA IF NOT EXISTS build."{node.schema}"')
        self.drop(node)
        self._connection.execute("USE build")
        self._connection.execute(f'CREATE VIEW "{node.schema}"."{node.name}" AS {query}')
        self._connection.execute("USE warehouse")

    def _copy_out(self, node: Node, name: str, query: str, rows: int) -> Part:
        self._folder.mkdir(exist_ok=True)
        if order := _ORDERED.get(node.name):
            query = f'SELECT * FROM ({query}) ORDER BY "{order}"'  # noqa: S608 - same
        path, staged = self._folder / name, self._folder / f".{name}.new"
        self._connection.execute(f"COPY ({query}) TO {literal(str(staged))} ({_PARQUET})")
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        staged.chmod(0o444)
        staged.replace(path)
        return Part(name, rows)

    def _scan(self, parts: Sequence[Part]) -> str:
        return f"read_parquet([{', '.join(literal(str(self._folder / part.file)) for part in parts)}])"

    def _count(self, query: str) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM ({query})").fetchone()  # noqa: S608 - same
        return int(row[0]) if row else 0

    def _has_table(self, database: str, name: str) -> bool:
        try:
            self._connection.execute(f"FROM {database}.parts.{name} LIMIT 0")
        except duckdb.CatalogException:
            return False
        return True


def _not_superseded(node: Node, key: Key | None, database: str) -> str:
    """The condition that no later build made the row `part` again."""
    assert key is not None, "only rows with a key are superseded"  # noqa: S101 - holds by construction
    return (
        f"NOT EXISTS (SELECT 1 FROM {database}parts.superseded_{node.name} AS gone "  # noqa: S608 - same
        f'WHERE gone.id = part."{key.column}" AND gone.{BUILD} = part.{BUILD})'
    )


def _names(node: Node) -> str:
    return ", ".join(f'"{column.name}"' for column in node.columns)


def _hash(node: Node) -> str:
    return f"hash({_names(node)})"


def _table(database: str, node: Node) -> str:
    return f'{database}."{node.schema}"."{node.name}"'
