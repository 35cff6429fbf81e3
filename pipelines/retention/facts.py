"""What the region holds, as far as a plan may speak of it: read from PostgreSQL, told as holdings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from pipelines.retention.domain import SUBJECT, Holding, LegalHold
from pipelines.retention.tables import name, rows_of, subject_of
from regions.data_map import DataMap, Erasure, MappedTable
from regions.events import registry
from regions.retention import Trigger

if TYPE_CHECKING:
    import psycopg

    from regions.region import Region

# A subject's clocks. Money has moved when something was captured; a later refund moves it again. A subject without any
# payment has tried nothing since it was made. A method that its gateway has yet to forget keeps it open, or nobody
# could name it there any more; 50 tries are ten days. One that may still be charged keeps what names it there: the run
# has its gateway told, and a later plan lets go. Personal values decide whether there is anything left to hold.
_SUBJECTS = """
WITH payment AS (
  SELECT s.subject_id, p.id, p.captured_minor > 0 AS has_moved,
         coalesce(p.succeeded_at, p.failed_at, p.created_at) AS final_at,
         p.status IN ('processing', 'requires_action', 'authorised')
         OR EXISTS (SELECT FROM disputes x WHERE x.payment_id = p.id AND x.closed_at IS NULL) AS is_open
    FROM checkout_sessions s JOIN payments p ON p.session_id = s.id
   WHERE s.subject_id IS NOT NULL AND (%(subjects)s::text[] IS NULL OR s.subject_id = ANY(%(subjects)s))
), refund AS (
  SELECT y.subject_id, max(r.finished_at) AS finished_at, bool_or(r.status = 'pending') AS is_open
    FROM payment y JOIN refunds r ON r.payment_id = y.id GROUP BY y.subject_id
), clock AS (
  SELECT subject_id, max(final_at) FILTER (WHERE has_moved) AS moved_at,
         max(final_at) FILTER (WHERE NOT has_moved) AS tried_at, bool_or(is_open) AS is_open
    FROM payment GROUP BY subject_id
)
SELECT d.id, d.merchant_id, greatest(c.moved_at, r.finished_at) AS moved_at,
       CASE WHEN c.subject_id IS NULL THEN d.created_at ELSE c.tried_at END AS tried_at,
       coalesce(c.is_open, false) OR coalesce(r.is_open, false)
       OR EXISTS (SELECT FROM saved_methods m WHERE m.subject_id = d.id AND m.status = 'deleted'
                     AND m.gateway_saved_id IS NOT NULL AND m.forget_tries < 50) AS is_open,
       EXISTS (SELECT FROM saved_methods m WHERE m.subject_id = d.id AND m.status <> 'deleted'
                  AND m.gateway_saved_id IS NOT NULL) AS is_saved, d.erased_at
  FROM data_subjects d LEFT JOIN clock c ON c.subject_id = d.id LEFT JOIN refund r ON r.subject_id = d.id
 WHERE (%(subjects)s::text[] IS NULL OR d.id = ANY(%(subjects)s))
   AND d.erased_at IS NULL
   AND (%(before)s::timestamptz IS NULL
        OR greatest(d.created_at, c.moved_at, c.tried_at, r.finished_at) < %(before)s)
 ORDER BY d.id
"""
_SAVED = """
SELECT DISTINCT subject_id FROM saved_methods
 WHERE subject_id = ANY(%s) AND status <> 'deleted' AND gateway_saved_id IS NOT NULL ORDER BY subject_id
"""
_HOLDS = """
SELECT id, subject_id, merchant_id, data_class FROM legal_holds WHERE released_at IS NULL ORDER BY id
"""
_REQUESTS = "SELECT subject_id, id FROM erasure_requests WHERE status = 'open' ORDER BY id"


def read_holds(connection: psycopg.Connection) -> list[LegalHold]:
    """The holds in force."""
    return [LegalHold(*row) for row in connection.execute(_HOLDS)]


def read_requests(connection: psycopg.Connection) -> dict[str, str]:
    """The open erasure requests: subject → request."""
    return dict(connection.execute(_REQUESTS).fetchall())


def saved_at_gateways(connection: psycopg.Connection, subjects: Sequence[str]) -> list[str]:
    """Those of the subjects who may still be charged on a method that a gateway has saved."""
    return [row[0] for row in connection.execute(_SAVED, (list(subjects),))]


def class_of_saved(found: DataMap) -> str:
    """The data class of what names a saved method at its gateway."""
    [held] = [column for column in found.tables["saved_methods"].personal if column.name == "gateway_saved_id"]
    return held.data_class or ""


def classes_of_subjects(found: DataMap) -> frozenset[str]:
    """The data classes that we hold of persons: those of the map's pseudonyms, and those that events seal under."""
    columns = (
        column
        for table in found.tables.values()
        if table.subject
        for column in table.personal
        if column.erasure is not Erasure.EXPIRES
    )
    sealed = {kind.pii.retention_class for kind in registry().values() if kind.pii is not None}
    return frozenset({column.data_class for column in columns if column.data_class is not None} | sealed)


def read_holdings(
    connection: psycopg.Connection, region: Region, found: DataMap, subjects: Sequence[str], day: date
) -> Iterator[Holding]:
    """Everything that a plan of this day may have to decide about.

    That is: what we hold of the subjects that asked; what we hold of anybody whose last activity is so long ago that
    the shortest maximum may be over; and old rows that go by their own clock.
    """
    classes, saved = sorted(classes_of_subjects(found)), class_of_saved(found)
    _, end = region.day_bounds(day)
    before = end - timedelta(days=_shortest_maximum_days(region, {*classes}))
    seen = set()
    for parameters in ({"subjects": list(subjects), "before": None}, {"subjects": None, "before": before}):
        with connection.cursor(row_factory=dict_row) as cursor:
            for row in cursor.execute(_SUBJECTS, parameters):
                if row["id"] not in seen:
                    seen.add(row["id"])
                    yield from _of_subject(row, region, classes, saved)
    for table in found.tables.values():
        if table.clock:
            yield from _by_clock(connection, region, found, table, end, subjects)


def _of_subject(row: dict[str, Any], region: Region, classes: Sequence[str], saved: str) -> Iterator[Holding]:
    clock = {}
    for trigger, column in ((Trigger.PAYMENT_FINAL, "moved_at"), (Trigger.PAYMENT_WITHOUT_MONEY, "tried_at")):
        if row[column] is not None:
            clock[trigger] = region.accounting_date(row[column])
    for data_class in classes:
        is_open = row["is_open"] or (row["is_saved"] and data_class == saved)
        yield Holding(data_class, SUBJECT, (row["id"],), row["id"], row["merchant_id"], clock, is_open)


def _by_clock(
    connection: psycopg.Connection, region: Region, found: DataMap, table: MappedTable, end: datetime,
    subjects: Sequence[str],
) -> Iterator[Holding]:  # fmt: skip
    """Rows that are so old that they may have to go, and those of the subjects that asked, however young."""
    data_class = table.data_class or ""
    [(trigger, columns)] = table.clock.items()
    moment = sql.SQL("coalesce({})").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    idle = sql.SQL("{} IS NULL").format(sql.Identifier(table.idle)) if table.idle else sql.SQL("true")
    whose = subject_of(table, found)
    query = sql.SQL(
        "SELECT {owner}, {whose}, {moment}, {keys} FROM {table} WHERE {moment} IS NOT NULL AND {idle} AND {which}"
        " ORDER BY {keys}"
    )
    parts = {
        "owner": _owner(table, whose),
        "whose": whose,
        "moment": moment,
        "keys": sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in table.key),
        "table": name(table),
        "idle": idle,
    }
    before = end - timedelta(days=_shortest_maximum_days(region, {data_class}))
    old = query.format(**parts, which=sql.SQL("{} < {}").format(moment, sql.Placeholder("before")))
    asked: list[tuple[sql.Composed, dict[str, Any]]] = [(old, {"before": before})]
    if table.subject is not None and table.idle is None:
        mine = query.format(**parts, which=rows_of(table, found))
        asked += [(mine, {"subject": subject}) for subject in subjects]
    seen = set()
    for statement, parameters in asked:
        for merchant_id, subject_id, at, *key in connection.execute(statement, parameters).fetchall():
            if tuple(key) not in seen:
                seen.add(tuple(key))
                clock = {trigger: region.accounting_date(at)}
                yield Holding(data_class, table.name, tuple(key), subject_id, merchant_id, clock)


def _owner(table: MappedTable, whose: sql.Composable) -> sql.Composable:
    """The merchant of a row: its own column, or that of the row's subject."""
    if table.name == "merchants":
        return sql.Identifier("id")
    if "merchant_id" in table.classes:
        return sql.Identifier("merchant_id")
    return sql.SQL("(SELECT d.merchant_id FROM data_subjects AS d WHERE d.id = {})").format(whose)


def _shortest_maximum_days(region: Region, classes: set[str]) -> int:
    """A number of days that no maximum of these classes is shorter than: months have 28 days at least."""
    return min(rule.maximum.months * 28 + rule.maximum.days for rule in region.retention if rule.data_class in classes)
