"""Which objects new events touch, and all of their earlier rows.

The connection has the new rows in `warehouse.staging` and the build that is built upon as `base`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from warehouse.dbt_runner import literal
from warehouse.increments import STAGED, Key

if TYPE_CHECKING:
    import duckdb

    from warehouse.dbt_plan import Node

_KINDS = ("merchant", "link", "session", "payment", "refund", "capture", "source", "journal")
_ALONE = sorted({key.kind for key in STAGED.values()}.difference(_KINDS))  # payouts, …: nothing else follows from them
_MIXED = {"source", "item"}  # ids of several sorts
_RATES_SINCE = """
    WITH now AS (SELECT rate_date, quote, published_at, rate, source FROM warehouse.staging.stg_fx_rates),
         then_ AS (SELECT rate_date, quote, published_at, rate, source FROM base.staging.stg_fx_rates),
         changed AS ((FROM now EXCEPT FROM then_) UNION ALL (FROM then_ EXCEPT FROM now))
    SELECT min(published_at)::VARCHAR FROM changed"""
_RATED_AGAIN = """
    SELECT payment_id FROM base.main.fct_payments
     WHERE coalesce(succeeded_at, created_at) >= CAST({since} AS TIMESTAMPTZ)"""

_DECLARATIONS = ("stg_merchant_created", "stg_merchant_updated")
# What a merchant is paid out in was told late: its payments from then on were reckoned in another currency.
_DECLARED_AGAIN = """
    WITH declared AS (SELECT merchant_id, created_at AS declared_at FROM warehouse.staging.stg_merchant_created
                      UNION ALL SELECT merchant_id, updated_at FROM warehouse.staging.stg_merchant_updated)
    SELECT payment_id FROM base.main.fct_payments AS p JOIN declared AS d ON p.merchant_id = d.merchant_id
     WHERE coalesce(p.succeeded_at, p.created_at) >= d.declared_at"""

# A dispute's journal may come without any other news of it, when an inquiry becomes a chargeback.
_OF_DISPUTES = """
    SELECT payment_id FROM base.staging.stg_dispute_opened WHERE dispute_id IN (
        SELECT source_id FROM warehouse.staging.stg_journal_posted WHERE starts_with(kind, 'dispute'))"""


def find_affected(connection: duckdb.DuckDBPyConnection, staged: Iterable[Node]) -> None:
    """Fill one temporary table per kind of object, `affected_<kind>(id)`, until no object is connected to another."""
    for kind in (*_KINDS, *_ALONE):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE affected_{kind} (id VARCHAR)")
    told = [_ids(name, "merchant_id") for name in _DECLARATIONS]
    told += [f"SELECT merchant_id FROM base.staging.{name}" for name in _DECLARATIONS]  # noqa: S608 - same
    _add(connection, "merchant", told)  # all: they are few, and payments of any of them may come
    names = {node.name: {column.name for column in node.columns} for node in staged}
    for kind in ("session", "payment", "refund", "capture"):
        _add(connection, kind, (_ids(name, f"{kind}_id") for name, has in names.items() if f"{kind}_id" in has))
    for kind in _ALONE:
        _add(connection, kind, (_ids(name, STAGED[name].column) for name in names if STAGED[name].kind == kind))
    links = (name for name in names if STAGED[name].kind == "link" or name == "stg_checkout_opened")
    _add(connection, "link", (_ids(name, "link_id") for name in links))
    for kind in ("payment", "refund", "capture"):
        _add(connection, kind, [f"{_ids('stg_journal_posted', 'source_id')} WHERE kind = '{kind}'"])
    told = [_lookup(connection, f"stg_{kind}_created", kind, "payment") for kind in ("refund", "capture")]
    _add(connection, "payment", [*_reckoned_again(connection), *told, _OF_DISPUTES])
    told = [_lookup(connection, f"stg_payment_{event}", "payment", "session") for event in ("created", "succeeded")]
    _add(connection, "session", told)
    told = [_lookup(connection, f"stg_payment_{event}", "session", "payment") for event in ("created", "succeeded")]
    _add(connection, "payment", told)
    for kind in ("refund", "capture"):
        _add(connection, kind, [_lookup(connection, f"stg_{kind}_created", "payment", kind)])
    sources = [f"SELECT id FROM affected_{kind}" for kind in ("payment", "refund", "capture")]  # noqa: S608 - names
    _add(connection, "source", [*sources, _ids("stg_journal_posted", "source_id")])


def bring_history(connection: duckdb.DuckDBPyConnection, staged: Iterable[Node]) -> None:
    """Add to the new rows every earlier row of the affected objects."""
    for node in staged:
        key = STAGED[node.name]
        _bring(connection, node, key.column, f"{bounds(connection, key.kind, key.column)} AND {rows_of(key)}")
    _add(connection, "journal", [_ids("stg_journal_posted", "journal_id")])


def bring_sessions_of_links(connection: duckdb.DuckDBPyConnection, nodes: Mapping[str, Node]) -> None:
    """Add the other sessions of affected links: their number is all that is read of them."""
    others = f"{bounds(connection, 'link', 'link_id')} AND "
    others += "link_id IN (SELECT id FROM affected_link) AND session_id NOT IN (SELECT id FROM affected_session)"
    _bring(connection, nodes["stg_checkout_opened"], "link_id", others)


def rows_of(key: Key) -> str:
    """The condition that a row belongs to an affected object."""
    return f'"{key.column}" IN (SELECT id FROM affected_{key.kind})'  # noqa: S608 - same


def bounds(connection: duckdb.DuckDBPyConnection, kind: str, column: str) -> str:
    """The condition that an id lies where affected ones do: ids of one sort grow with time."""
    sort = "split_part(id, '_', 1)" if kind in _MIXED else "NULL"
    rows = connection.execute(f"SELECT min(id), max(id) FROM affected_{kind} GROUP BY {sort} ORDER BY 1").fetchall()  # noqa: S608 - same
    ranges = (f'"{column}" BETWEEN {literal(first)} AND {literal(last)}' for first, last in rows)
    return f"({' OR '.join(ranges)})" if rows else "false"


def among(connection: duckdb.DuckDBPyConnection, table: str, column: str, condition: str) -> str | None:
    """A condition for the same rows that also says where they lie, or None where there are none.

    Ids grow with time. A scan that knows the lowest and the highest passes over the rest of history; without, it would
    read every column of every row to find these.
    """
    found = connection.execute(f'SELECT min("{column}"), max("{column}") FROM {table} WHERE {condition}').fetchone()  # noqa: S608 - same
    if found is None or found[0] is None:
        return None
    return f'"{column}" BETWEEN {literal(found[0])} AND {literal(found[1])} AND ({condition})'


def _bring(connection: duckdb.DuckDBPyConnection, node: Node, column: str, condition: str) -> None:
    table, columns = f"base.staging.{node.name}", ", ".join(f'"{column.name}"' for column in node.columns)
    if rows := among(connection, table, column, condition):
        connection.execute(
            f"INSERT INTO warehouse.staging.{node.name} ({columns}) SELECT {columns} FROM {table} WHERE {rows}"  # noqa: S608 - names are the project's
        )


def _add(connection: duckdb.DuckDBPyConnection, kind: str, queries: Iterable[str]) -> None:
    found = " UNION ALL ".join(f"({query})" for query in queries)
    connection.execute(
        f"INSERT INTO affected_{kind} SELECT DISTINCT found.id FROM ({found}) AS found (id) "  # noqa: S608 - same
        f"WHERE found.id IS NOT NULL AND found.id NOT IN (SELECT id FROM affected_{kind})"
    )


def _ids(name: str, column: str) -> str:
    return f"SELECT {column} FROM warehouse.staging.{name}"  # noqa: S608 - same


def _reckoned_again(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Payments to look for in all of history; on most days no rate and no currency was told late."""
    (since,) = connection.execute(_RATES_SINCE).fetchone() or (None,)
    rated = [_RATED_AGAIN.format(since=literal(since))] if since else []
    told = " UNION ALL ".join(f"({_ids(name, 'merchant_id')} LIMIT 1)" for name in _DECLARATIONS)
    return [*rated, *([_DECLARED_AGAIN] if connection.execute(told).fetchone() else [])]


def _lookup(connection: duckdb.DuckDBPyConnection, name: str, known: str, wanted: str) -> str:
    return (
        f"SELECT {wanted}_id FROM base.staging.{name} "  # noqa: S608 - same
        f"WHERE {bounds(connection, known, f'{known}_id')} AND {known}_id IN (SELECT id FROM affected_{known})"
    )
