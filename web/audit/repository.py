from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection

from regions.audit import FIELDS_SQL, Seal, entry_hash
from web.db.engine import driver_of

_LOCK = "SELECT pg_try_advisory_xact_lock(19794, 102)"  # one sealer at a time
_LAST = """
SELECT number, hash, snapshot::text, pg_current_snapshot()::text,
       coalesce(pg_snapshot_xmax(snapshot) > pg_snapshot_xmax(pg_current_snapshot()), false)
  FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM audit_seals ORDER BY number DESC LIMIT 1) AS s ON true
"""
_COMMITTED_SINCE = f"""
SELECT id, {FIELDS_SQL} FROM audit_entries
 WHERE xid >= pg_snapshot_xmin(%(before)s::pg_snapshot) AND xid < pg_snapshot_xmax(%(now)s::pg_snapshot)
   AND NOT pg_visible_in_snapshot(xid, %(before)s::pg_snapshot) AND pg_visible_in_snapshot(xid, %(now)s::pg_snapshot)
 ORDER BY id
"""  # noqa: S608 - constants
# Rows that were loaded into another cluster have transaction ids that mean nothing there.
_NOT_SEALED = f"""
SELECT id, {FIELDS_SQL} FROM audit_entries AS e
 WHERE NOT EXISTS (SELECT FROM (SELECT unnest(entry_ids) AS id FROM audit_seals) AS s WHERE s.id = e.id) ORDER BY id
"""  # noqa: S608 - constants
_INSERT = """
INSERT INTO audit_seals (number, sealed_at, entry_ids, entry_hashes, previous, hash, signature, snapshot)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s::pg_snapshot)
"""
NOTHING = "1:1:"


def lock(connection: Connection) -> bool:
    """Be the only sealer until the transaction ends; False if somebody else is."""
    row = driver_of(connection).execute(_LOCK).fetchone()
    return row is not None and bool(row[0])


def last(connection: Connection) -> tuple[int | None, bytes | None, str, str, bool]:
    """The newest seal's number and hash, what it has seen, what is visible now, whether it is of another cluster."""
    row = driver_of(connection).execute(_LAST).fetchone()
    if row is None:
        raise RuntimeError("a query of one row returned none")
    number, hash_, before, now, is_other = row
    return number, hash_, before or NOTHING, now, is_other


def committed(
    connection: Connection, before: str, now: str, rows: int, *, is_other: bool
) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Ids and hashes of entries that nobody has sealed, in order, a few at a time."""
    with driver_of(connection).cursor(name="audit_unsealed") as cursor:
        cursor.itersize = rows
        cursor.execute(_NOT_SEALED if is_other else _COMMITTED_SINCE, {"before": before, "now": now})
        while part := list(islice(cursor, rows)):
            yield [(id_, entry_hash(fields)) for id_, fields in part]


def insert(connection: Connection, seal: Seal, snapshot: str) -> None:
    """Add a seal."""
    driver_of(connection).execute(
        _INSERT,
        (
            seal.number, seal.sealed_at, list(seal.entry_ids), list(seal.entry_hashes), seal.previous, seal.hash,
            seal.signature, snapshot,
        ),
    )  # fmt: skip
