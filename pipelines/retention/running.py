"""Running a plan: exactly what it says, one step after the other, each of which may be repeated after a crash.

Everything that cannot be undone happens while holds are locked, so that a hold placed a moment before still wins.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.retention import facts, lake_step, search_values, store, tables, warehouse_step
from pipelines.retention.document import Plan, is_of_subject
from pipelines.retention.domain import SUBJECT, Holding, Why
from pipelines.retention.executors import EXECUTORS, Way
from pipelines.retention.planning import Desk, check_date, make_plan
from pipelines.retention.request import forget_methods
from pipelines.retention.store import StalePlanError, Stored
from regions import faults
from regions.data_map import Store
from regions.errors import MeridianError, UsageError
from regions.retention import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from regions.vault import Vault

GATEWAYS, DATABASE, SWEEP, LAKE, WAREHOUSE = "gateways", "database", "sweep", "lake", "warehouse"


class NotApprovedError(UsageError):
    """Nobody has approved the plan."""


class HeldError(MeridianError):
    """A legal hold covers something in the plan: nothing more of it is touched."""


def run(
    at: Desk, vault: Vault, env: Mapping[str, str], day: date, prefix: str | None, tell: Callable[[str], None]
) -> Stored:
    """Run the approved plan of a day, or finish the run that was interrupted.

    Raises NotApprovedError, StalePlanError, PlanAlteredError, HeldError, and what the stores raise; running again goes
    on where it stopped.
    """
    stored = store.latest(at.connection, at.region.code, day, prefix)
    plan = stored.plan
    if stored.status == "done":
        tell("This plan is done already: nothing was changed.")
        return stored
    _check_others(at, stored)
    if stored.status == "planned":
        raise NotApprovedError(f"Nobody has approved the plan {stored.hash.hex()[:12]}: `meridian retention approve`")
    if stored.status == "approved":
        check_date(day, at.region.accounting_date(datetime.now(UTC)))
        _check_fresh(at, plan, day)
        values = search_values.collect(at, vault, plan)
        store.begin(at.connection, stored.hash, vault.encrypt_region(values.dump(), search_values.PURPOSE))
        faults.reach("retention.after_begin")
    done = store.evidence(at.connection, stored.hash)
    steps: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        (GATEWAYS, lambda: _gateways(at, env, plan)),
        (DATABASE, lambda: _database(at, vault, plan, stored.hash)),
        (SWEEP, lambda: _sweep(at, plan)),
        (LAKE, lambda: lake_step.run(at, plan, stored.hash)),
        (WAREHOUSE, lambda: warehouse_step.run(at, env, plan, search_values.load(at, vault, stored.hash))),
    )
    for step, work in steps:
        if step not in done:
            found = work()
            store.record(at.connection, stored.hash, step, found)
            faults.reach(f"retention.after_{step}")
            tell(f"{step}: {_summary(found)}")
    with at.connection.transaction():
        store.close_requests(at.connection, stored.hash, plan.whole)
        store.finish(at.connection, stored.hash)
    return store.latest(at.connection, at.region.code, day, stored.hash.hex())


def _gateways(at: Desk, env: Mapping[str, str], plan: Plan) -> dict[str, Any]:
    """Saved methods that are too old may not be charged any more, and their gateways are told, while we can name them.

    That is a command to the API, which alone writes business rows; the worker asks again until they have forgotten.
    What names them here goes with a later plan.
    """
    kept = facts.class_of_saved(at.found)
    waiting = [
        one["subject"]
        for one in plan.document["staying"]
        if one["why"] == Why.OPEN and one["data_class"] == kept and one["subject"]
    ]
    told = facts.saved_at_gateways(at.connection, waiting)
    for subject in told:
        forget_methods(at.region, env, subject=subject, key=f"{plan.hash.hex()[:32]}-{subject}")
    return {"methods_withdrawn_of": told}


def _check_others(at: Desk, stored: Stored) -> None:
    begun = store.running(at.connection)
    if begun is not None and begun.hash != stored.hash:
        raise UsageError(
            f"The plan {begun.hash.hex()[:12]} for {begun.plan.document['date']} was begun and is not finished: "
            "run it again first"
        )


def _check_fresh(at: Desk, plan: Plan, day: date) -> None:
    now = make_plan(at, day)
    if now.hash != plan.hash:
        raise StalePlanError(
            f"The plan {plan.hash.hex()[:12]} is stale: what it was made from has changed. "
            "Run `meridian retention plan` again, and have the new plan approved"
        )


def _database(at: Desk, vault: Vault, plan: Plan, name: bytes) -> dict[str, Any]:
    """PostgreSQL and the vault's keys, in one transaction under locked holds, with the record that it was done.

    When a hold has come in between, nothing has happened yet, and the plan is as if it had never been begun.
    """
    try:
        with at.connection.transaction():
            at.connection.execute("LOCK TABLE legal_holds IN SHARE ROW EXCLUSIVE MODE")
            _check_holds(at, plan)
            found = _erase(at, vault, plan)
            store.record(at.connection, name, DATABASE, found)
            faults.reach("retention.before_commit")
    except HeldError:
        store.leave(at.connection, name)
        raise
    return found


def _erase(at: Desk, vault: Vault, plan: Plan) -> dict[str, Any]:
    counts: dict[str, int] = {}
    keys = 0
    for entry in plan.items:
        if is_of_subject(entry):
            _empty_columns(at, entry, counts)
        else:
            _delete_rows(at, entry, counts)
    for subject in plan.whole:
        at.connection.execute(
            "UPDATE data_subjects SET erased_at = clock_timestamp() WHERE id = %s AND erased_at IS NULL", (subject,)
        )
    faults.reach("retention.before_keys")
    for entry in plan.items:
        if entry["action"] == Action.DESTROY_KEY:
            keys += vault.destroy(entry["subject"], entry["data_class"])
    for subject in plan.whole:
        keys += vault.destroy(subject)
    return {"rows": counts, "keys_destroyed": keys, "subjects_erased_whole": plan.whole}


def _check_holds(at: Desk, plan: Plan) -> None:
    """Holds that came after the plan. A subject that goes whole is kept by a hold on any class."""
    going = [
        Holding(entry["data_class"], entry["dataset"], (), entry["subject"], entry["merchant"], {})
        for entry in plan.items
    ]
    whole = at.connection.execute("SELECT id, merchant_id FROM data_subjects WHERE id = ANY(%s)", (plan.whole,))
    going += [Holding("", SUBJECT, (), subject, merchant, {}) for subject, merchant in whole]
    for hold in facts.read_holds(at.connection):
        for holding in going:
            if hold.covers(holding) or (not holding.data_class and replace(hold, data_class=None).covers(holding)):
                raise HeldError(
                    f"The legal hold {hold.id} covers {holding.data_class or 'data'} of "
                    f"{holding.subject_id or holding.dataset}: nothing of this plan is done. Make a new plan"
                )


def _empty_columns(at: Desk, entry: dict[str, Any], counts: dict[str, int]) -> None:
    is_key = entry["action"] == Action.DESTROY_KEY
    statements = tables.drop_sealed(at.found) if is_key else tables.null_tokens(at.found, entry["data_class"])
    planned = {(effect["table"], effect["column"]) for effect in entry["effects"] if effect["store"] == "postgres"}
    parameters = {"subject": entry["subject"], "data_class": entry["data_class"]}
    for statement in statements:
        if (statement.table, statement.column) in planned:
            changed = at.connection.execute(statement.update, parameters).rowcount
            where = f"{statement.table}.{statement.column}"
            counts[where] = counts.get(where, 0) + changed


def _delete_rows(at: Desk, entry: dict[str, Any], counts: dict[str, int]) -> None:
    table = at.found.tables[entry["dataset"]]
    if EXECUTORS[entry["data_class"]].way is Way.MERCHANT:
        for name, statement in tables.forget_merchants():
            changed = at.connection.execute(statement, {"keys": [key[0] for key in entry["keys"]]}).rowcount
            counts[name] = counts.get(name, 0) + changed
        return
    for statement, values in tables.delete_rows(table, entry["keys"]):
        changed = at.connection.execute(statement, values).rowcount
        counts[table.name] = counts.get(table.name, 0) + changed
    if not at.found.followers(table.name, Store.POSTGRES):
        return
    keys = [key[0] for key in entry["keys"]]
    for name, statement in tables.followers(at.found, table.name):
        changed = at.connection.execute(statement, {"keys": keys}).rowcount
        counts[name] = counts.get(name, 0) + changed


def _sweep(at: Desk, plan: Plan) -> dict[str, Any]:
    """VACUUM what was changed: dead rows leave their pages. What page gaps and the log still hold is certified."""
    names = sorted(
        {effect["table"] for entry in plan.items for effect in entry["effects"] if effect["store"] == "postgres"}
        | ({"data_subjects"} if plan.whole else set())
    )
    for name in names:
        at.connection.execute(tables.vacuum(at.found.tables[name]))
    return {"vacuumed": names}


def _summary(found: dict[str, Any]) -> str:
    parts = []
    for name, value in found.items():
        shown = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
        if shown not in ("", [], None):
            parts.append(f"{name.replace('_', ' ')}: {', '.join(shown) if isinstance(shown, list) else shown}")
    return "; ".join(parts) or "nothing to do"
