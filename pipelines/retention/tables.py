"""SQL over the region's tables, made from the data map: whose rows, which columns, what erasure does to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from regions.data_map import DataMap, Erasure, Holds, MappedTable, PersonalColumn, Store
from regions.event_erasure import personal_fields

SUBJECT = sql.Placeholder("subject")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement about one column of one table; parameters: `subject`, and `data_class` for sealed columns."""

    table: str
    column: str
    count: sql.Composed
    update: sql.Composed


def name(table: MappedTable) -> sql.Identifier:
    """The table's name, with its schema if it is not the public one."""
    return sql.Identifier(*table.name.split("."))


def rows_of(table: MappedTable, found: DataMap) -> sql.Composed:
    """The condition on `table` that holds for the subject's rows."""
    if table.subject is None:
        raise ValueError(f"{table.name} does not say whose its rows are")
    column = sql.Identifier(table.subject.column)
    if not table.subject.of:
        return sql.SQL("{} = {}").format(column, SUBJECT)
    return sql.SQL("{} IN ({})").format(column, ids_of(table.subject.of, found))


def ids_of(tables: tuple[str, ...], found: DataMap) -> sql.Composed:
    """A query for the keys of the subject's rows in these tables."""
    parts = [
        sql.SQL("SELECT {} FROM {} WHERE {}").format(sql.Identifier(of.key[0]), name(of), rows_of(of, found))
        for of in (found.tables[one] for one in tables)
    ]
    return sql.SQL(" UNION ALL ").join(parts)


def subject_of(table: MappedTable, found: DataMap) -> sql.Composed:
    """An expression over a row of `table`: the subject it belongs to, NULL for nobody's."""
    if table.subject is None:
        return sql.SQL("NULL::text").format()
    column = sql.SQL("{}.{}").format(name(table), sql.Identifier(table.subject.column))
    if not table.subject.of:
        return column
    owners = [
        sql.SQL("(SELECT {} FROM {} WHERE {} = {})").format(
            subject_of(of, found), name(of), sql.SQL("{}.{}").format(name(of), sql.Identifier(of.key[0])), column
        )
        for of in (found.tables[one] for one in table.subject.of)
    ]
    return sql.SQL("coalesce({})").format(sql.SQL(", ").join(owners))


def null_tokens(found: DataMap, data_class: str) -> Iterator[Statement]:
    """What nulling the pseudonyms of a class means in PostgreSQL, column by column."""
    for table in found.tables.values():
        for column in table.personal:
            if column.data_class != data_class:
                continue
            if column.erasure is Erasure.FIELDS:
                yield from _fields(table, column, found)
            elif column.erasure in {Erasure.NULL, Erasure.BLANK}:
                empty = sql.SQL("NULL" if column.erasure is Erasure.NULL else "''")
                yield _statement(table, column, sql.SQL("{} IS DISTINCT FROM {}"), empty, rows_of(table, found))


def drop_sealed(found: DataMap) -> Iterator[Statement]:
    """What destroying a key of `data_class` means in PostgreSQL: the ciphertext that it opened goes too."""
    for table, column in _columns(found, {Holds.SEALED}):
        whose = _sealed(table, column, found)
        yield _statement(table, column, sql.SQL("{} IS DISTINCT FROM {}"), sql.SQL("NULL"), whose)


def followers(found: DataMap, table: str) -> Iterator[tuple[str, sql.Composed]]:
    """Deleting rows of `table` takes these along: the events that tell of them, while they are in the outbox."""
    for follower in found.followers(table, Store.POSTGRES):
        if follower.subject is not None:
            column = sql.Identifier(follower.subject.column)
            yield follower.name, sql.SQL("DELETE FROM {} WHERE {} = ANY(%(keys)s)").format(name(follower), column)
    yield (
        "object_sequences",
        sql.SQL("DELETE FROM object_sequences WHERE object_id = ANY({})").format(sql.Placeholder("keys")),
    )


def select_sealed(found: DataMap) -> Iterator[sql.Composed]:
    """The sealed values of a subject; parameters `subject` and `data_class`."""
    for table, column in _columns(found, {Holds.SEALED}):
        this = sql.Identifier(column.name)
        yield sql.SQL("SELECT {} FROM {} WHERE {}").format(this, name(table), _sealed(table, column, found))


def select_tokens(found: DataMap, data_class: str) -> Iterator[sql.Composed]:
    """The pseudonyms and traces of a subject; parameter `subject`."""
    for table, column in _columns(found, {Holds.TOKEN, Holds.TRACE}):
        if column.data_class == data_class:
            yield sql.SQL("SELECT DISTINCT {this} FROM {table} WHERE {whose} AND {this} <> ''").format(
                this=sql.Identifier(column.name), table=name(table), whose=rows_of(table, found)
            )


def select_events(found: DataMap) -> Iterator[sql.Composed]:
    """Type and data of the subject's events that may hold personal fields; parameter `subject`."""
    kinds = sql.Literal(sorted(personal_fields()))
    for table, column in _columns(found, {Holds.EVENT}):
        yield sql.SQL("SELECT type, {} FROM {} WHERE {} AND type = ANY({}::text[])").format(
            sql.Identifier(column.name), name(table), rows_of(table, found), kinds
        )


def find_others(found: DataMap) -> Iterator[sql.Composed]:
    """A row of anybody else that holds the pseudonym `value`; parameters `subject` and `value`."""
    for table, column in _columns(found, {Holds.TOKEN, Holds.TRACE}):
        yield sql.SQL("SELECT FROM {} WHERE {} = {} AND NOT coalesce({}, false) LIMIT 1").format(
            name(table), sql.Identifier(column.name), sql.Placeholder("value"), rows_of(table, found)
        )
    for table, column in _columns(found, {Holds.EVENT}):
        for kind, fields in sorted(personal_fields().items()):
            for field in sorted(fields.removable | fields.nullable):
                yield sql.SQL("SELECT FROM {} WHERE type = {} AND {} ->> {} = {} AND NOT {} LIMIT 1").format(
                    name(table), sql.Literal(kind), sql.Identifier(column.name), sql.Literal(field),
                    sql.Placeholder("value"), rows_of(table, found),
                )  # fmt: skip


def _columns(found: DataMap, holds: set[Holds]) -> Iterator[tuple[MappedTable, PersonalColumn]]:
    for table in found.tables.values():
        for column in table.personal:
            if column.holds in holds and table.subject is not None:
                yield table, column


def _sealed(table: MappedTable, column: PersonalColumn, found: DataMap) -> sql.Composed:
    """The sealed values of the subject and class: the row is the subject's, or the value names the subject itself."""
    this = sql.Identifier(column.name)
    return sql.SQL("({mine} OR {this} ->> 'subject' = {subject}) AND {this} ->> 'retention_class' = {kind}").format(
        mine=rows_of(table, found), this=this, subject=SUBJECT, kind=sql.Placeholder("data_class")
    )


def delete_rows(
    table: MappedTable,
    keys: Sequence[Sequence[str]],
    verb: LiteralString = "DELETE FROM {} AS t USING unnest({}) AS k ({}) WHERE {}",
) -> Iterator[tuple[sql.Composed, dict[str, list[str]]]]:
    """Deletes exactly the rows with these keys. Rows that are gone already stay gone."""
    parts = [
        sql.SQL("t.{}::text = k.c{}").format(sql.Identifier(column), sql.SQL(str(n)))
        for n, column in enumerate(table.key)
    ]
    names = sql.SQL(", ").join(sql.SQL(f"c{n}") for n in range(len(table.key)))
    arrays = sql.SQL(", ").join(sql.SQL(f"%(c{n})s::text[]") for n in range(len(table.key)))
    statement = sql.SQL(verb).format(name(table), arrays, names, sql.SQL(" AND ").join(parts))
    yield statement, {f"c{n}": [key[n] for key in keys] for n in range(len(table.key))}


def forget_merchants() -> Iterator[tuple[str, sql.Composed]]:
    """What goes with merchants that have left, in order; parameter `keys`. The id stays: the books refer to it."""
    yield (
        "console_sessions",
        sql.SQL(
            "DELETE FROM console_sessions USING console_users AS u"
            " WHERE u.id = user_id AND u.merchant_id = ANY(%(keys)s)"
        ).format(),
    )
    yield "console_users", sql.SQL("DELETE FROM console_users WHERE merchant_id = ANY(%(keys)s)").format()
    yield "api_keys", sql.SQL("DELETE FROM api_keys WHERE merchant_id = ANY(%(keys)s)").format()
    for table in ("payout_settings", "routing_preferences", "saved_method_settings"):
        statement = sql.SQL("DELETE FROM {} WHERE merchant_id = ANY(%(keys)s)").format(sql.Identifier(table))
        yield table, statement
    yield (
        "merchants",
        sql.SQL(
            "UPDATE merchants SET name = 'erased', erased_at = clock_timestamp()"
            " WHERE id = ANY(%(keys)s) AND erased_at IS NULL"
        ).format(),
    )


def count_left(table: MappedTable, keys: Sequence[Sequence[str]]) -> tuple[sql.Composed, dict[str, list[str]]]:
    """How many of the rows with these keys are there."""
    [(statement, values)] = delete_rows(table, keys, verb="SELECT count(*) FROM {} AS t, unnest({}) AS k ({}) WHERE {}")
    return statement, values


def vacuum(table: MappedTable) -> sql.Composed:
    """Takes dead rows off the table's pages; not inside a transaction."""
    return sql.SQL("VACUUM (FREEZE, TRUNCATE false) {}").format(name(table))


def _statement(
    table: MappedTable, column: PersonalColumn, differs: sql.SQL, empty: sql.Composable, whose: sql.Composable
) -> Statement:
    this = sql.Identifier(column.name)
    where = sql.SQL(" WHERE {} AND {}").format(whose, differs.format(this, empty))
    return Statement(
        table.name,
        column.name,
        sql.SQL("SELECT count(*) FROM {}").format(name(table)) + where,
        sql.SQL("UPDATE {} SET {} = {}").format(name(table), this, empty) + where,
    )


def _fields(table: MappedTable, column: PersonalColumn, found: DataMap) -> Iterator[Statement]:
    """Events: the fields that each type's contract calls pii. The table has the type in a column `type`."""
    this, whose = sql.Identifier(column.name), rows_of(table, found)
    for kind, fields in sorted(personal_fields().items()):
        removable = sql.Literal(sorted(fields.removable))
        nulls: sql.Composable = sql.SQL("'{}'::jsonb")
        for field in sorted(fields.nullable):
            nulls = sql.SQL("{} || jsonb_build_object({}::text, NULL)").format(nulls, sql.Literal(field))
        emptied = sql.SQL("(({this} - {removable}::text[]) || ({nulls}))").format(
            this=this, removable=removable, nulls=nulls
        )
        where = sql.SQL(" WHERE {whose} AND type = {kind} AND {this} <> {emptied}").format(
            whose=whose, kind=sql.Literal(kind), this=this, emptied=emptied
        )
        yield Statement(
            table.name,
            f"{column.name} of {kind}",
            sql.SQL("SELECT count(*) FROM {}").format(name(table)) + where,
            sql.SQL("UPDATE {} SET {} = {}").format(name(table), this, emptied) + where,
        )
