"""Every row of every table that `retention` may read, as text; encrypted messages are opened first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql

from pipelines.retention.search.needles import Needles, Searched
from regions.data_map import Erasure, Holds, MappedTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.retention.planning import Desk
    from regions.vault import Vault

# What the search itself is looked up by lies in these; it is encrypted, under a key of the region.
_OWN = frozenset({"retention_plans.search"})
# Secrets, and who works with the platform: an account is no payer's, even where the same person has paid.
_HIDDEN = frozenset(
    {
        ("api_keys", "hash"),
        ("console_users", "email"),
        ("console_users", "password_hash"),
        ("console_users", "totp_sealed"),
        ("console_sessions", "token_hash"),
        ("console_sign_in_failures", "key_hash"),
        ("webhook_secrets", "sealed"),
    }
)

BATCH_ROWS = 1_000


def search(at: Desk, vault: Vault, needles: Needles) -> Searched:
    """Search all of PostgreSQL."""
    searched = Searched("postgres")
    for table in at.found.tables.values():
        if not _exists(at, table):
            continue
        for column in table.classes:
            if (table.name, column) in _HIDDEN or f"{table.name}.{column}" in _OWN:
                continue
            if _is_encrypted_message(table, column):
                _search_messages(at, vault, table, column, needles, searched)
                continue
            for values in _values(at, table, column):
                searched.count("values", len(values))
                if needles.are_among(values):
                    searched.hit(f"{table.name}.{column}")
        searched.count("tables")
    return searched


def canary(at: Desk) -> bytes | None:
    """A live value: the hash of the newest plan, as text of its own row."""
    row = at.connection.execute(
        "SELECT encode(hash, 'hex') FROM retention_plans ORDER BY planned_at DESC LIMIT 1"
    ).fetchone()
    return row[0].encode() if row else None


def _search_messages(
    at: Desk, vault: Vault, table: MappedTable, column: str, needles: Needles, searched: Searched
) -> None:
    for values in _values(at, table, column, shown="{}"):
        searched.count("values", len(values))
        if needles.are_among([vault.decrypt_region(value) for value in values if value]):
            _note_message(searched, table, column)


def _values(at: Desk, table: MappedTable, column: str, shown: LiteralString = "{}::text") -> Iterator[list[Any]]:
    """Batches of what a column holds, without its nulls."""
    query = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL").format(
        sql.SQL(shown).format(sql.Identifier(column)),
        sql.Identifier(*table.name.split(".")),
        sql.Identifier(column),
    )
    with at.connection.transaction(), at.connection.cursor("search") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(BATCH_ROWS):
            yield [value for (value,) in rows]


def _is_encrypted_message(table: MappedTable, column: str) -> bool:
    return any(personal.name == column and personal.holds is Holds.ENVELOPE for personal in table.personal)


def _note_message(searched: Searched, table: MappedTable, column: str) -> None:
    """An encrypted message names the subject: a hold or a minimum keeps it, or nobody has processed it yet."""
    personal = next(personal for personal in table.personal if personal.name == column)
    place = f"{table.name}.{column}, encrypted"
    if personal.erasure is Erasure.EXPIRES:
        if place not in searched.remains:
            searched.remains.append(place)
    else:
        searched.hit(place)


def _exists(at: Desk, table: MappedTable) -> bool:
    row = at.connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table.name,)).fetchone()
    return bool(row and row[0])
