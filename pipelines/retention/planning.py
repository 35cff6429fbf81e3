"""Making a plan: facts, decisions, and what each of them would touch. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipelines.retention import document, facts, tables
from pipelines.retention.document import Plan
from pipelines.retention.domain import SUBJECT, Decisions, Holding, Verdict, Why, decide, judge
from pipelines.retention.executors import EXECUTORS, Way, check_region
from pipelines.retention.lake_rows import Targets, changes
from regions.data_map import DataMap, data_map
from regions.errors import UsageError
from regions.retention import Action
from warehouse.lake import LakeTableMissingError
from warehouse.lake_rewrite import count_changed

if TYPE_CHECKING:
    import psycopg

    from regions.region import Region
    from warehouse.lake import Lake


@dataclass(frozen=True, slots=True)
class Desk:
    """What planning and running work with: one region's database (role `retention`), lake and data map."""

    region: Region
    connection: psycopg.Connection
    lake: Lake
    found: DataMap


def desk(region: Region, connection: psycopg.Connection, lake: Lake) -> Desk:
    """With the shipped data map. Raises ConfigurationError for a rule of the region that nobody carries out."""
    check_region(region, data_map())
    return Desk(region, connection, lake, data_map())


def make_plan(at: Desk, day: date) -> Plan:
    """The plan of a day: all that has to go and all that was asked for and may go, in one read of the database."""
    with at.connection.transaction():
        at.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        requests = facts.read_requests(at.connection)
        holds = facts.read_holds(at.connection)
        holdings = list(facts.read_holdings(at.connection, at.region, at.found, list(requests), day))
        rules = at.region.retention
        decisions = decide(holdings, rules, holds, requests, day)
        items, emptied = _items(at, decisions)
        staying = [verdict for verdict in decisions.staying if not _is_empty(at, verdict)]
        goes = {_place(verdict.holding) for verdict in decisions.going}
        left = {
            holding.subject_id
            for holding in holdings
            if holding.subject_id is not None
            and _place(holding) not in goes | emptied
            and _is_left(at, judge(holding, rules, holds, requests, day))
        }
        touched = {entry["subject"] for entry in items if entry["subject"]} | set(requests)
        known = {holding.subject_id for holding in holdings}
        whole = sorted(subject for subject in touched & known - left if subject)
    return Plan.make(
        {
            "format": document.FORMAT,
            "region": at.region.code,
            "date": day.isoformat(),
            "map": document.map_digest(),
            "items": items,
            "erased_whole": whole,
            "staying": [document.staying(verdict) for verdict in staying],
        }
    )


def check_date(day: date, today: date) -> None:
    """Raise UsageError for a day that has not come: what the law keeps must not go early."""
    if day > today:
        raise UsageError(f"--date {day} has not come yet (it is {today}): a plan for it can be looked at, not run")


def targets_of(at: Desk, plan: Plan) -> Targets:
    """Whom the plan's items mean in the lake. Reads the ids of their objects, which erasure leaves in place."""
    objects: dict[str, frozenset[str]] = {}
    sealed, sealed_objects, dropped = set(), set(), set()
    for entry in plan.items:
        if entry["dataset"] != SUBJECT:
            dropped |= {key[0] for key in entry["keys"]} if entry["dataset"] == "checkout_sessions" else set()
            continue
        ids = object_ids(at, entry["subject"])
        if entry["action"] == Action.DESTROY_KEY:
            sealed.add((entry["subject"], entry["data_class"]))
            sealed_objects |= ids
        else:
            data_class = entry["data_class"]
            objects[data_class] = objects.get(data_class, frozenset()) | ids
    return Targets(objects, frozenset(sealed), frozenset(sealed_objects), frozenset(dropped))


def object_ids(at: Desk, subject: str) -> set[str]:
    """The ids of the objects that events about a subject may name."""
    of = sorted({one for table in at.found.lake.values() if table.subject for one in table.subject.of})
    query = tables.ids_of(tuple(of), at.found)
    return {row[0] for row in at.connection.execute(query, {"subject": subject})}


def _items(at: Desk, decisions: Decisions) -> tuple[list[dict[str, Any]], set[tuple[str, str, tuple[str, ...]]]]:
    """The items of a plan, and the holdings that turn out to be empty already."""
    items, emptied = [], set()
    for (dataset, _, _), group in groupby(
        sorted(decisions.going, key=_together),
        key=_together,
    ):
        if dataset != SUBJECT:
            verdicts = list(group)
            items.append(document.item(verdicts, _row_effects(at, dataset, verdicts)))
            continue
        for verdict in group:
            effects = subject_effects(at, verdict)
            if effects:
                items.append(document.item([verdict], effects))
            else:
                emptied.add(_place(verdict.holding))
    return items, emptied


def subject_effects(at: Desk, verdict: Verdict) -> list[dict[str, Any]]:
    """What one action on one subject touches, store by store; nothing that is empty already."""
    holding, parameters = (
        verdict.holding,
        {"subject": verdict.holding.subject_id, "data_class": verdict.holding.data_class},
    )
    is_key = verdict.action is Action.DESTROY_KEY
    statements = tables.drop_sealed(at.found) if is_key else tables.null_tokens(at.found, holding.data_class)
    effects = []
    for statement in statements:
        rows = _count(at, statement.count, parameters)
        if rows:
            effects.append(_effect("postgres", statement.table, statement.column, rows, "emptied"))
    ids = frozenset(object_ids(at, holding.subject_id or ""))
    if is_key:
        targets = Targets(sealed=frozenset({(holding.subject_id or "", holding.data_class)}), sealed_objects=ids)
    else:
        targets = Targets(objects={holding.data_class: ids})
    effects += _lake_effects(at, targets)
    if is_key and effects:
        effects.insert(0, _effect("vault", "keys", holding.data_class, 1, "destroyed"))
    return effects


def _together(verdict: Verdict) -> tuple[str, str, str]:
    """Rows of a table go together that go for the same reason: those of one request, and all that are too old."""
    return verdict.holding.dataset, verdict.holding.data_class, verdict.by or ""


def _row_effects(at: Desk, dataset: str, verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    if EXECUTORS[verdicts[0].holding.data_class].way is Way.MERCHANT:
        return [_effect("postgres", table, None, len(verdicts), "forgotten") for table, _ in tables.forget_merchants()]
    effects = [_effect("postgres", dataset, None, len(verdicts), "deleted")]
    if dataset == "checkout_sessions":
        dropped = frozenset(verdict.holding.key[0] for verdict in verdicts)
        effects += _lake_effects(at, Targets(dropped=dropped))
    return effects


def _lake_effects(at: Desk, targets: Targets) -> list[dict[str, Any]]:
    effects = []
    for name, change in changes(at.found, targets).items():
        try:
            rows = count_changed(at.lake, name, change)
        except LakeTableMissingError:
            continue
        if rows:
            effects.append(_effect("lake", name, None, rows, "rewritten without it"))
    return effects


def _effect(store: str, table: str, column: str | None, rows: int, effect: str) -> dict[str, Any]:
    return {"store": store, "table": table, "column": column, "rows": rows, "effect": effect}


def _count(at: Desk, query: Any, parameters: dict[str, Any]) -> int:
    row = at.connection.execute(query, parameters).fetchone()
    return int(row[0]) if row else 0


def _is_empty(at: Desk, verdict: Verdict) -> bool:
    """Whether nothing of a subject's class is left in PostgreSQL: then there is nothing to keep or tell of."""
    if verdict.holding.dataset != SUBJECT:
        return False
    actions = {rule.action for rule in at.region.retention if rule.data_class == verdict.holding.data_class}
    parameters = {"subject": verdict.holding.subject_id, "data_class": verdict.holding.data_class}
    statements: Iterable[tables.Statement] = (
        tables.drop_sealed(at.found)
        if Action.DESTROY_KEY in actions
        else tables.null_tokens(at.found, verdict.holding.data_class)
    )
    return not any(_count(at, statement.count, parameters) for statement in statements)


def _is_left(at: Desk, verdict: Verdict) -> bool:
    return verdict.why is Why.HOLD or not _is_empty(at, verdict)


def _place(holding: Holding) -> tuple[str, str, tuple[str, ...]]:
    return holding.data_class, holding.dataset, holding.key
