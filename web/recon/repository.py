from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, text

from web.db.engine import driver_of
from web.db.scope import Scope, Tenant, enter_tenant
from web.recon.models import NewPosting, Posting, Resolution

_CHECK_NOW = text("SET CONSTRAINTS ALL IMMEDIATE")
_CHECK_LATER = text("SET CONSTRAINTS ALL DEFERRED")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_NEWEST = text("""
SELECT DISTINCT ON (p.subject_id) p.subject_id, p.generation, p.key, p.journal_id, p.item_id,
       NOT EXISTS (SELECT FROM ledger_journals r WHERE r.reverses_id = p.journal_id) AS is_live
  FROM recon_postings p
 WHERE p.merchant_id = :merchant_id AND p.subject_id IN :subjects
 ORDER BY p.subject_id, p.generation DESC
""").bindparams(bindparam("subjects", expanding=True))
_SETTLED_BY = text("""
SELECT p.item_id, p.subject_id FROM recon_postings p
 WHERE p.item_id IN :items
   AND NOT EXISTS (SELECT FROM ledger_journals r WHERE r.reverses_id = p.journal_id)
""").bindparams(bindparam("items", expanding=True))
_INSERT = """
INSERT INTO recon_postings (id, merchant_id, livemode, subject_id, generation, key, rule_version, item_id, journal_id,
                            posted_at)
SELECT id, %(merchant_id)s, %(livemode)s, subject_id, generation, key, %(rule_version)s, item_id, journal_id, %(now)s
  FROM unnest(%(id)s::text[], %(subject_id)s::text[], %(generation)s::int[], %(key)s::text[], %(item_id)s::text[],
              %(journal_id)s::text[]) AS given (id, subject_id, generation, key, item_id, journal_id)
"""
_HOUSE = text("SELECT house_tenant(:region, :country)")

_STATUS = """CASE WHEN bool_or(d.decision = 'reopened') THEN 'reopened'
     WHEN bool_or(d.decision = 'approved') THEN 'approved' WHEN bool_or(d.decision = 'rejected') THEN 'rejected'
     ELSE 'proposed' END"""
_RESOLUTION_COLUMNS = [field.name for field in fields(Resolution) if field.name not in {"status", "journal_id"}]
_RESOLUTIONS = f"""
SELECT {", ".join(f"r.{name}" for name in _RESOLUTION_COLUMNS)}, {_STATUS} AS status,
       min(d.journal_id) FILTER (WHERE d.decision = 'approved') AS journal_id
  FROM recon_resolutions r LEFT JOIN recon_decisions d ON d.resolution_id = r.id
 WHERE {{where}} GROUP BY r.id ORDER BY r.proposed_at, r.id
"""  # noqa: S608 - our own columns
_BY_ID = text(_RESOLUTIONS.format(where="r.id = :id"))
_BY_KEY = text(_RESOLUTIONS.format(where="r.merchant_id = :merchant_id AND r.idempotency_key = :key"))
_OPEN = text("SELECT resolution_id, merchant_id FROM open_resolutions(CAST(:names AS text[]))")
_TENANT_OF = text("SELECT resolution_id, merchant_id, livemode FROM tenant_of_resolution(:id)")
_INSERT_RESOLUTION = text(f"""
INSERT INTO recon_resolutions (merchant_id, {", ".join(_RESOLUTION_COLUMNS)})
VALUES (:merchant_id, {", ".join(f":{name}" for name in _RESOLUTION_COLUMNS)})
""")  # noqa: S608 - our own columns
_INSERT_DECISION = text("""
INSERT INTO recon_decisions (resolution_id, merchant_id, decision, proposed_by, needs_checker, decided_by, reason,
                             decided_at, journal_id)
VALUES (:id, :merchant_id, :decision, :proposed_by, :needs_checker, :decided_by, :reason, :now, :journal_id)
""")


def lock(scope: Scope, name: str) -> None:
    """One at a time, until the transaction ends."""
    scope.connection.execute(_LOCK, {"name": f"recon:{name}"})


def house_tenant(connection: Connection, region: str, country: str) -> str:
    """The tenant of the platform's own books, made when it is needed first."""
    return str(connection.execute(_HOUSE, {"region": region, "country": country}).scalar_one())


def newest(scope: Scope, subjects: Iterable[str]) -> dict[str, Posting]:
    """The newest posting of each subject that has one."""
    wanted = sorted(set(subjects))
    if not wanted:
        return {}
    rows = scope.connection.execute(_NEWEST, {"merchant_id": scope.merchant_id, "subjects": wanted}).mappings()
    return {row["subject_id"]: Posting(**row) for row in rows}


def settled_by(scope: Scope, items: Iterable[str]) -> dict[str, set[str]]:
    """Which subjects settle these items now."""
    found: dict[str, set[str]] = {}
    if wanted := sorted(set(items)):
        for item_id, subject_id in scope.connection.execute(_SETTLED_BY, {"items": wanted}):
            found.setdefault(str(item_id), set()).add(str(subject_id))
    return found


def insert(scope: Scope, rule_version: int, postings: Sequence[NewPosting], journal_ids: Sequence[str]) -> None:
    """Write postings, each with the journal that books it."""
    columns = {field.name: [getattr(one, field.name) for one in postings] for field in fields(NewPosting)}
    shared = {
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "rule_version": rule_version,
        "now": scope.now,
        "journal_id": list(journal_ids),
    }
    driver_of(scope.connection).execute(_INSERT, {**shared, **columns})


def tenant_of_resolution(connection: Connection, resolution_id: str) -> Tenant | None:
    """Whose books a resolution is about."""
    row = connection.execute(_TENANT_OF, {"id": resolution_id}).one_or_none()
    return None if row is None else Tenant(row[0], row[1], row[2])


def resolution(scope: Scope, resolution_id: str) -> Resolution | None:
    """One resolution with its state."""
    row = scope.connection.execute(_BY_ID, {"id": resolution_id}).mappings().one_or_none()
    return None if row is None else Resolution(**row)


def resolution_by_key(scope: Scope, key: str) -> Resolution | None:
    """The resolution that came under this idempotency key."""
    row = scope.connection.execute(_BY_KEY, {"merchant_id": scope.merchant_id, "key": key}).mappings().one_or_none()
    return None if row is None else Resolution(**row)


def open_resolutions(scope: Scope, names: Iterable[str]) -> list[tuple[str, str]]:
    """Resolutions of these lines or items that are proposed or approved, whosever books they are in: id and tenant."""
    wanted = sorted(set(names))
    return [(row[0], row[1]) for row in scope.connection.execute(_OPEN, {"names": wanted})] if wanted else []


@contextmanager
def books_of(scope: Scope, merchant_id: str) -> Iterator[Scope]:
    """The same transaction in another tenant's books; what was posted is checked while its own tenant sees it."""
    if merchant_id == scope.merchant_id:
        yield scope
        return
    _check_now(scope)
    enter_tenant(scope.connection, merchant_id)
    yield replace(scope, merchant_id=merchant_id)
    _check_now(scope)
    enter_tenant(scope.connection, scope.merchant_id)


def _check_now(scope: Scope) -> None:
    """Judge the journals so far, and let later ones wait for the end again."""
    scope.connection.execute(_CHECK_NOW)
    scope.connection.execute(_CHECK_LATER)


def insert_resolution(scope: Scope, proposed: Resolution) -> None:
    """Write a proposal."""
    values = {name: getattr(proposed, name) for name in _RESOLUTION_COLUMNS}
    scope.connection.execute(_INSERT_RESOLUTION, {**values, "merchant_id": scope.merchant_id})


def insert_decision(
    scope: Scope, about: Resolution, decision: str, decided_by: str | None, reason: str | None, journal_id: str | None
) -> datetime:
    """Write what was decided; when."""
    values = {
        "id": about.id,
        "merchant_id": scope.merchant_id,
        "decision": decision,
        "proposed_by": about.proposed_by,
        "needs_checker": about.needs_checker,
        "decided_by": decided_by,
        "reason": reason,
        "now": scope.now,
        "journal_id": journal_id,
    }
    scope.connection.execute(_INSERT_DECISION, values)
    return scope.now
