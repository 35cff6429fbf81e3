"""Reading one query: what decides about its rows, whether it hides single rows, and what it may not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

DIALECT = "duckdb"


# What does not write its columns out: a kind of expression, when it is wrong, and what to do instead.
_HIDING: tuple[tuple[type[exp.Expr], Callable[[exp.Expr], bool], str], ...] = (
    (exp.Star, lambda star: not isinstance(star.parent, exp.Count), "has a select *: name its columns"),
    (exp.Columns, lambda _: True, "uses columns(): name its columns"),
    (exp.SetOperation, lambda union: bool(union.args.get("by_name")), "unites by name: write the columns in order"),
    (exp.Pivot, lambda _: True, "pivots: name its columns"),
    (exp.Join, lambda join: join.args.get("method") == "NATURAL", "has a natural join: name its columns"),
    (exp.Group, lambda group: bool(group.args.get("all")), "groups by all: name its keys"),
    (exp.With, lambda clause: bool(clause.args.get("recursive")), "has a recursive query: write it as models"),
)


class HiddenLineageError(Exception):
    """The SQL of a model does not tell where its columns come from."""


def clauses(select: exp.Select) -> Iterator[exp.Expr]:
    """Everything beside the projections that decides about rows."""
    for name in ("where", "group", "having", "qualify", "order", "distinct", "limit", "offset", "windows"):
        clause = select.args.get(name)
        if isinstance(clause, exp.Expr):
            yield clause
        elif isinstance(clause, list):
            yield from (one for one in clause if isinstance(one, exp.Expr))
    for join in select.args.get("joins") or ():
        if join.args.get("on") is not None:
            yield join.args["on"]
        if join.args.get("using"):
            raise HiddenLineageError("a join with USING was left unresolved")


def linked_with(column: exp.Column) -> tuple[exp.Column, ...] | None:
    """The columns that this one is only related to, if its value is neither shown nor compared with one of our choice.

    So it is in `a = b`, in `a is null`, as a key of `group by` and of `partition by`. None for any other use.
    """
    parent = column.parent
    if isinstance(parent, exp.Is) and isinstance(parent.expression, exp.Null):
        return ()
    if isinstance(parent, exp.EQ) and isinstance(parent.left, exp.Column) and isinstance(parent.right, exp.Column):
        return (parent.right if column is parent.left else parent.left,)
    if isinstance(parent, exp.Group) or (isinstance(parent, exp.Window) and column.arg_key == "partition_by"):
        return ()
    return None


def is_guarded(select: exp.Select, group_size_min: int) -> bool:
    """Whether the query shows groups of at least so many rows only: `having count(…) >= n`, joined by AND."""
    having = select.args.get("having")
    if having is None:
        return False
    conditions = list(having.this.flatten()) if isinstance(having.this, exp.And) else [having.this]
    return any(_is_guard(condition.unnest(), group_size_min) for condition in conditions)


def _is_guard(condition: exp.Expr, group_size_min: int) -> bool:
    left, right = condition.args.get("this"), condition.args.get("expression")
    if isinstance(condition, exp.LTE | exp.LT):
        left, right = right, left
    elif not isinstance(condition, exp.GTE | exp.GT):
        return False
    if not isinstance(left, exp.Count) or not isinstance(right, exp.Literal) or right.is_string:
        return False
    is_strict = isinstance(condition, exp.GT | exp.LT)
    return right.name.isdigit() and int(right.name) + is_strict >= group_size_min


def refuse_what_hides(name: str, statement: exp.Expr, *, is_staging: bool) -> None:
    """Raise HiddenLineageError for constructs whose columns are not written out."""
    for refused in _hiding(statement, is_staging=is_staging):
        raise HiddenLineageError(f"{name} {refused}")
    aliases = {source.alias_or_name.lower() for source in statement.find_all(exp.Table, exp.Subquery, exp.CTE)}
    for column in statement.find_all(exp.Column):
        if not column.table and column.name.lower() in aliases and not isinstance(column.parent, exp.Dot):
            raise HiddenLineageError(f"{name} uses {column.name} as a whole row: name its columns")


def _hiding(statement: exp.Expr, *, is_staging: bool) -> Iterator[str]:
    """What is wrong, a piece at a time."""
    for kind, is_wrong, message in _HIDING:
        for found in statement.find_all(kind):
            if is_wrong(found) and not (is_staging and kind is exp.Star):
                yield message


def is_within(inner: exp.Expr, outer: exp.Expr) -> bool:
    """Whether one expression is a part of another."""
    found: exp.Expr | None = inner
    while found is not None:
        if found is outer:
            return True
        found = found.parent
    return False
