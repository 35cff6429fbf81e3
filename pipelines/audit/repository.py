from collections.abc import Iterator, Mapping, Sequence

import psycopg

from regions.audit import FIELDS_SQL, Seal, entry_hash

_SEALS = """
SELECT number, to_char(sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry_ids, entry_hashes,
       previous, hash, signature
  FROM audit_seals ORDER BY number
"""
_ENTRIES = f"SELECT id, {FIELDS_SQL} FROM audit_entries WHERE id = ANY(%s)"  # noqa: S608 - constants
# What the newest seal has seen and no seal names: it came in by another door than the triggers.
_UNSEALED = """
SELECT e.id FROM audit_entries AS e, (SELECT snapshot FROM audit_seals ORDER BY number DESC LIMIT 1) AS s
 WHERE pg_visible_in_snapshot(e.xid, s.snapshot)
   AND NOT EXISTS (SELECT FROM (SELECT unnest(entry_ids) AS id FROM audit_seals) AS named WHERE named.id = e.id)
 ORDER BY e.id LIMIT 20
"""
_COUNT = "SELECT count(*) FROM audit_entries"


def seals(connection: psycopg.Connection) -> Iterator[Seal]:
    """Every seal, in order, read as it is needed."""
    with connection.cursor(name="audit_seals") as cursor:
        cursor.itersize = 100
        for row in cursor.execute(_SEALS):
            yield Seal(*row)


def hashes_of(connection: psycopg.Connection, ids: Sequence[int]) -> Mapping[int, bytes]:
    """The hashes of those entries that are there."""
    return {id_: entry_hash(fields) for id_, fields in connection.execute(_ENTRIES, [list(ids)])}


def unsealed(connection: psycopg.Connection) -> list[int]:
    """The first few entries that should have been sealed and were not."""
    return [row[0] for row in connection.execute(_UNSEALED)]


def count(connection: psycopg.Connection) -> int:
    """How many entries there are."""
    row = connection.execute(_COUNT).fetchone()
    return 0 if row is None else int(row[0])
