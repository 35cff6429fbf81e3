"""Where every column comes from, to the last leaf, through SQL: values, and all that decides which rows there are.

Pure. What would hide lineage is refused: `select *` beyond staging, whole rows as values, `columns()`, unions by name,
pivots, natural joins, recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from pipelines.residency.manifest import Project, Relation
from pipelines.residency.sql_rules import (
    DIALECT,
    HiddenLineageError,
    clauses,
    is_guarded,
    is_within,
    refuse_what_hides,
)


class Leaf(NamedTuple):
    """A column that no SQL of ours makes: of a source, a seed, or a staging model of an event."""

    relation: str
    column: str


Paths = Mapping[Leaf, tuple[str, ...]]  # each leaf with the columns on the way to it


@dataclass(frozen=True, slots=True)
class Origin:
    """What a column is made of.

    `value`: what its values come from. `shape`: what decides which rows there are, and how they are joined, grouped and
    ordered. `closed`: what a large enough aggregate has been made over; no single row shows any more.
    """

    value: Paths = field(default_factory=dict)
    shape: Paths = field(default_factory=dict)
    closed: Paths = field(default_factory=dict)

    def through(self, step: str) -> Origin:
        """The same, one step further from the leaves."""
        return Origin(*({leaf: (step, *path) for leaf, path in part.items()} for part in self.parts()))

    def parts(self) -> tuple[Paths, Paths, Paths]:
        """Value, shape, closed."""
        return self.value, self.shape, self.closed

    def as_shape(self) -> Origin:
        """Of a column that only decides about rows."""
        return Origin({}, _merge([self.value, self.shape]), self.closed)

    def as_closed(self) -> Origin:
        """Of a column that a large enough aggregate counts."""
        return Origin({}, {}, _merge(self.parts()))

    def as_aggregated(self) -> Origin:
        """Of a column whose values a large enough aggregate shows: the rows behind them are closed, the values not."""
        return Origin(self.value, {}, _merge([self.shape, self.closed]))


def _merge(parts: Iterable[Paths]) -> Paths:
    """Every leaf, with its shortest path."""
    merged: dict[Leaf, tuple[str, ...]] = {}
    for part in parts:
        for leaf, path in part.items():
            if leaf not in merged or len(path) < len(merged[leaf]):
                merged[leaf] = path
    return merged


def together(origins: Iterable[Origin]) -> Origin:
    """Of something made from all of these."""
    found = list(origins)
    return Origin(*(_merge(origin.parts()[at] for origin in found) for at in range(3)))


class Lineage:
    """The lineage of a project. `group_size_min` is how many rows an aggregate needs before single rows are hidden."""

    def __init__(self, project: Project, group_size_min: int) -> None:
        self._project = project
        self._group_size_min = group_size_min
        self._known: dict[str, dict[str, Origin]] = {}
        self._open: set[str] = set()

    def of(self, relation: Relation) -> Mapping[str, Origin]:
        """The origin of each column, and under "*" of the rows. Raises HiddenLineageError."""
        if relation.name not in self._known:
            if relation.name in self._open:
                raise HiddenLineageError(f"{relation.name} is made from itself")
            self._open.add(relation.name)
            self._known[relation.name] = self._find(relation)
            self._open.discard(relation.name)
        return self._known[relation.name]

    def _find(self, relation: Relation) -> dict[str, Origin]:
        if relation.made_by is not None:
            maker = self._project.by_name.get(relation.made_by)
            if maker is None:
                raise HiddenLineageError(
                    f"{relation.name} is said to be made by {relation.made_by}, which does not exist"
                )
            return {name: origin.through(f"{maker.name}.{name}") for name, origin in self.of(maker).items()}
        if relation.sql is None or relation.event is not None:
            leaves = {name: Origin({Leaf(relation.name, name): ()}) for name in relation.columns}
            return leaves | {"*": Origin()}
        return _Query(self, relation, self._project, self._group_size_min).columns()


class _Query:
    """One model's SQL."""

    def __init__(self, lineage: Lineage, relation: Relation, project: Project, group_size_min: int) -> None:
        self._lineage = lineage
        self._relation = relation
        self._project = project
        self._group_size_min = group_size_min
        self._scopes: dict[int, tuple[dict[str, Origin], Origin]] = {}

    def columns(self) -> dict[str, Origin]:
        scope = self._parse()
        found, rows = self._scope(scope)
        return {name.lower(): origin for name, origin in found.items()} | {"*": rows}

    def _parse(self) -> Scope:
        name = self._relation.name
        try:
            statements = [one for one in sqlglot.parse(self._relation.sql or "", dialect=DIALECT) if one is not None]
        except SqlglotError as error:
            raise HiddenLineageError(f"the SQL of {name} cannot be read: {_first(error)}") from error
        if len(statements) != 1 or not isinstance(statements[0], exp.Query):
            raise HiddenLineageError(f"{name} is not one query")
        refuse_what_hides(name, statements[0], is_staging=self._relation.is_staging)
        try:
            expression = qualify(statements[0], schema=self._schema(), dialect=DIALECT, quote_identifiers=False)
        except SqlglotError as error:
            raise HiddenLineageError(f"{name} uses what is not declared: {_first(error)}") from error
        scope = build_scope(expression)
        if scope is None:
            raise HiddenLineageError(f"{name} is not one query")
        return scope

    def _schema(self) -> dict[str, object]:
        schema: dict[str, object] = {}
        for catalog, database, table in self._project.relations:
            tables = schema.setdefault(catalog, {}).setdefault(database, {})  # type: ignore[attr-defined]
            tables[table] = dict.fromkeys(self._project.relations[catalog, database, table].columns, "VARCHAR")
        return schema

    def _scope(self, scope: Scope) -> tuple[dict[str, Origin], Origin]:
        """The origin of each output column of a query, and that of its rows."""
        if id(scope) not in self._scopes:
            expression = scope.expression
            if isinstance(expression, exp.SetOperation):
                self._scopes[id(scope)] = self._united(scope, expression)
            elif isinstance(expression, exp.Select):
                self._scopes[id(scope)] = self._select(scope, expression)
            else:
                raise HiddenLineageError(f"{self._relation.name} has a query that is no select: {expression.key}")
        return self._scopes[id(scope)]

    def _united(self, scope: Scope, union: exp.SetOperation) -> tuple[dict[str, Origin], Origin]:
        (left, left_rows), (right, right_rows) = (self._scope(one) for one in scope.set_operation_scopes)
        if len(left) != len(right):
            raise HiddenLineageError(f"{self._relation.name} unites {len(left)} columns with {len(right)}")
        rows = [left_rows, right_rows]
        if not isinstance(union, exp.Union) or union.args.get("distinct"):  # whole rows are compared
            rows += [origin.as_shape() for origin in (*left.values(), *right.values())]
        shape = together(rows)
        pairs = zip(left.items(), right.values(), strict=True)
        return {name: together([one, other, shape]) for (name, one), other in pairs}, shape

    def _select(self, scope: Scope, select: exp.Select) -> tuple[dict[str, Origin], Origin]:
        shaping = [self._rows_of(scope, alias) for alias in scope.selected_sources]
        shaping += [self._origin(scope, clause).as_shape() for clause in clauses(select)]
        if select.args.get("distinct"):  # whole rows are compared
            shaping += [self._origin(scope, projection).as_shape() for projection in select.expressions]
        rows = together(shaping)
        hides_rows = is_guarded(select, self._group_size_min)
        rows = rows.as_closed() if hides_rows else rows
        found = {}
        for projection in select.expressions:
            origin = self._aggregated(scope, projection) if hides_rows else self._origin(scope, projection)
            found[projection.alias_or_name] = together([origin, rows])
        return found, rows

    def _rows_of(self, scope: Scope, alias: str) -> Origin:
        """What decides which rows a source has."""
        source = scope.sources[alias]
        if isinstance(source, Scope):
            return self._scope(source)[1].as_shape()
        relation = self._relation_of(source)
        return self._lineage.of(relation)["*"].through(f"rows of {relation.name}").as_shape()

    def _aggregated(self, scope: Scope, projection: exp.Expr) -> Origin:
        """Behind a guard, what is only counted is closed; shown values stay, the rows behind them close."""
        counted = {id(column) for count in projection.find_all(exp.Count) for column in count.find_all(exp.Column)}
        filters = {
            id(column) for one in projection.find_all(exp.Filter) for column in one.expression.find_all(exp.Column)
        }
        parts = []
        for column in projection.find_all(exp.Column):
            origin = self._column(scope, column)
            is_closed = id(column) in counted or id(column) in filters
            parts.append(origin.as_closed() if is_closed else origin.as_aggregated())
        if any(projection.find_all(exp.Query)):
            raise HiddenLineageError(f"{self._relation.name} has a subquery inside an aggregate's column")
        return together(parts)

    def _origin(self, scope: Scope, expression: exp.Expr) -> Origin:
        """Everything that an expression reads, with its subqueries."""
        parts: list[Origin] = []
        inside: set[int] = set()
        for nested in scope.subquery_scopes:
            if is_within(nested.expression, expression):
                columns, rows = self._scope(nested)
                parts += [*columns.values(), rows.as_shape()]
                inside |= {id(column) for column in nested.expression.find_all(exp.Column)}
        return together(
            [*parts, *(self._column(scope, c) for c in expression.find_all(exp.Column) if id(c) not in inside)]
        )

    def _column(self, scope: Scope, column: exp.Column) -> Origin:
        source = scope.sources.get(column.table)
        if source is None:
            outer = scope.parent
            while outer is not None and column.table not in outer.sources:
                outer = outer.parent
            if outer is None:
                raise HiddenLineageError(f"{self._relation.name} reads {column.sql(DIALECT)}, which comes from nowhere")
            return self._column(outer, column)
        name = column.name
        if isinstance(source, Scope):
            columns = self._scope(source)[0]
            if name not in columns:
                raise HiddenLineageError(f"{self._relation.name} reads {column.sql(DIALECT)} as a whole row")
            return columns[name]
        relation = self._relation_of(source)
        columns = dict(self._lineage.of(relation))
        if name.lower() not in columns or name == "*":
            raise HiddenLineageError(f"{self._relation.name} reads {relation.name}.{name}, which is not declared")
        return columns[name.lower()].through(f"{relation.name}.{name.lower()}")

    def _relation_of(self, table: exp.Expr) -> Relation:
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise HiddenLineageError(
                f"{self._relation.name} reads {table.sql(DIALECT)[:60]}, which is no declared relation"
            )
        address = (table.catalog.lower(), table.db.lower(), table.name.lower())
        found = self._project.relations.get(address)
        if found is None:
            raise HiddenLineageError(f"{self._relation.name} reads {'.'.join(address)}, which is no declared relation")
        return found


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
