"""Where every column comes from, to the last leaf, through SQL: values, and all that decides which rows there are.

Pure. What would hide lineage is refused: `select *` beyond staging, whole rows as values, `columns()`, unions by name,
pivots, natural joins, recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from pipelines.residency.manifest import Project, Relation
from pipelines.residency.origin import Leaf, Origin, together
from pipelines.residency.sql_rules import (
    DIALECT,
    HiddenLineageError,
    clauses,
    is_guarded,
    is_within,
    linked_with,
    refuse_what_hides,
)


class Lineage:
    """The lineage of a project. `group_size_min` is how many rows an aggregate needs before single rows are hidden."""

    def __init__(self, project: Project, group_size_min: int) -> None:
        self._project = project
        self._group_size_min = group_size_min
        self._known: dict[str, dict[str, Origin]] = {}
        self._open: set[str] = set()
        self._queries: dict[str, _Query] = {}

    def of(self, relation: Relation) -> Mapping[str, Origin]:
        """The origin of each column, and under "*" of the rows. Raises HiddenLineageError."""
        if relation.name not in self._known:
            if relation.name in self._open:
                raise HiddenLineageError(f"{relation.name} is made from itself")
            self._open.add(relation.name)
            try:
                self._known[relation.name] = self._find(relation)
            finally:
                self._open.discard(relation.name)
        return self._known[relation.name]

    def plain(self, relation: Relation, column: str) -> frozenset[Leaf]:
        """The leaves whose values a column hands on as they are; none if anything was done to them on the way."""
        if relation.made_by is not None:
            maker = self._project.by_name.get(relation.made_by)
            return frozenset() if maker is None else self.plain(maker, column)
        if relation.sql is None or relation.event is not None:
            return frozenset({Leaf(relation.name, column)})
        return self._query(relation).plain(column)

    def _query(self, relation: Relation) -> _Query:
        if relation.name not in self._queries:
            self._queries[relation.name] = _Query(self, relation, self._project, self._group_size_min)
        return self._queries[relation.name]

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
        return self._query(relation).columns()


class _Query:
    """One model's SQL."""

    def __init__(self, lineage: Lineage, relation: Relation, project: Project, group_size_min: int) -> None:
        self._lineage = lineage
        self._relation = relation
        self._project = project
        self._group_size_min = group_size_min
        self._scopes: dict[int, tuple[dict[str, Origin], Origin]] = {}

    def columns(self) -> dict[str, Origin]:
        found, rows = self._scope(self._top)
        return {name.lower(): origin for name, origin in found.items()} | {"*": rows}

    def plain(self, column: str) -> frozenset[Leaf]:
        return self._plain_output(self._top, column)

    @cached_property
    def _top(self) -> Scope:
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
        """Behind a guard, columns that are only counted are closed; shown values stay, the rows behind them close.

        A condition inside an aggregate (`filter`, `case`) may pick one row of a large group, and so stays open.
        """
        counted = {id(column) for count in projection.find_all(exp.Count) for column in _counted(count)}
        parts = []
        for column in projection.find_all(exp.Column):
            origin = self._column(scope, column)
            parts.append(origin.as_closed() if id(column) in counted else origin.as_aggregated())
        if any(projection.find_all(exp.Query)):
            raise HiddenLineageError(f"{self._relation.name} has a subquery inside an aggregate's column")
        return together(parts)

    def _origin(self, scope: Scope, expression: exp.Expr) -> Origin:
        """Everything that an expression reads, with its subqueries."""
        parts: list[Origin] = []
        inside: set[int] = set()
        for nested in scope.subquery_scopes:
            if is_within(nested.expression, expression):
                parts += self._scope(nested)[0].values()  # each holds what decides about its rows, too
                inside |= {id(column) for column in nested.expression.find_all(exp.Column)}
        for column in expression.find_all(exp.Column):
            if id(column) not in inside:
                origin = self._column(scope, column)
                parts.append(origin.as_link() if self._links(scope, column) else origin)
        return together(parts)

    def _links(self, scope: Scope, column: exp.Column) -> bool:
        """Whether a column only says here which rows belong together, and comes unchanged from a leaf."""
        partners = linked_with(column)
        return partners is not None and all(self._plain(scope, one) for one in (column, *partners))

    def _plain(self, scope: Scope, column: exp.Column) -> frozenset[Leaf]:
        source = scope.sources.get(column.table)
        if source is None:
            return frozenset() if scope.parent is None else self._plain(scope.parent, column)
        if isinstance(source, Scope):
            return self._plain_output(source, column.name)
        return self._lineage.plain(self._relation_of(source), column.name.lower())

    def _plain_output(self, scope: Scope, name: str) -> frozenset[Leaf]:
        query = scope.expression
        if not isinstance(query, exp.Query) or name.lower() not in map(str.lower, query.named_selects):
            return frozenset()
        at = [*map(str.lower, query.named_selects)].index(name.lower())
        if isinstance(query, exp.SetOperation):
            sides = [self._plain_output(one, _name_at(one, at)) for one in scope.set_operation_scopes]
            return frozenset[Leaf]().union(*sides) if all(sides) else frozenset()
        inner = query.selects[at].unalias()
        return self._plain(scope, inner) if isinstance(inner, exp.Column) else frozenset()

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


def _counted(count: exp.Count) -> Iterable[exp.Column]:
    """The bare columns of `count(x)`, `count(distinct x)` and `count(distinct (x, y))`."""
    inner = count.this
    found = inner.expressions if isinstance(inner, exp.Distinct) else [inner]
    parts = [part for one in found for part in (one.expressions if isinstance(one, exp.Tuple) else [one])]
    return [part for part in parts if isinstance(part, exp.Column)]


def _name_at(scope: Scope, at: int) -> str:
    return str(scope.expression.named_selects[at]) if isinstance(scope.expression, exp.Query) else ""


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
