"""The first stage of a build: every model but reconciliation, for new data where an earlier build can be built upon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from warehouse.affected import bring_history, bring_sessions_of_links, find_affected
from warehouse.dbt_runner import TransformResult, is_regional, literal, open_desk, plan_of, run_nodes
from warehouse.increments import LINKS, TRADE, Pass, sort_nodes
from warehouse.inputs import Consumed, Inputs, RunParameters, within, write_inputs
from warehouse.parts import FORM, Keeper, Part
from warehouse.pointer import PARTS
from warehouse.regrouping import make_again

if TYPE_CHECKING:
    from warehouse.dbt_plan import Node

SLICE: Final = "slice.duckdb"
SCRATCH: Final = "scratch.duckdb"


@dataclass(frozen=True, slots=True)
class Increment:
    """How a build came about, and what a later one needs to build upon it."""

    base: int | None  # the build that it was built upon; None: whole
    settings: tuple[str, ...]  # what must be the same for both: the plan, time zone, …
    consumed: int  # events
    behind: tuple[str, ...]  # lake files with events behind the cut
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Increment:
        """From what `dataclasses.asdict` made."""
        parts = {name: tuple(Part(**part) for part in found) for name, found in document["parts"].items()}
        return cls(
            document["base"],
            tuple(document["settings"]),
            document["consumed"],
            tuple(document["behind"]),
            parts,
        )

    def files(self, folder: Path) -> set[Path]:
        """The partition files that the build reads."""
        return {folder / PARTS / part.file for found in self.parts.values() for part in found}


@dataclass(frozen=True, slots=True)
class Base:
    """A build to build upon."""

    number: int
    path: Path
    inputs: Inputs
    increment: Increment


class InconsistentSliceError(Exception):
    """What is new, and what was consumed before, do not add up to the lake: the build has to be made whole."""


def settings_of(run: RunParameters, work: Path) -> tuple[str, ...]:
    """What two builds must share for one to be built upon the other."""
    return (plan_of(work).fingerprint, FORM, run.region, run.timezone, run.default_currency)


def is_prefix(base: Inputs, inputs: Inputs) -> bool:
    """Whether everything that `base` holds is in `inputs`, unchanged, so far as their metadata tells."""
    cuts = [(cut.epoch, cut.batch) if cut else None for cut in (base.cut, inputs.cut)]
    is_later = cuts[0] is None or (cuts[1] is not None and cuts[0] <= cuts[1])
    return (
        is_later
        and (base.cut is not None or inputs.cut is None or not base.events.files)
        and base.events.changes == inputs.events.changes
        and base.events.columns == inputs.events.columns
        and base.events.lake_seq <= inputs.events.lake_seq
        and inputs.events.row_count is not None
    )


def transform(
    build: Path, number: int, inputs: Inputs, run: RunParameters, work: Path, base: Base | None
) -> tuple[TransformResult, Increment]:
    """Make and test every table but those of reconciliation in the file `build`, upon `base` or whole.

    Raises TransformError if anything fails, InconsistentSliceError if `base` cannot be built upon.
    """
    plan = plan_of(work)
    passes = sort_nodes(node for node in plan.nodes if is_regional(node, recon=False))
    staged = [node for node in passes.nodes[Pass.STAGED] if not node.is_test]
    after = Consumed(base.inputs.events.lake_seq, base.inputs.cut) if base else None
    sliced = replace(inputs, events=replace(inputs.events, files=_files(inputs, base)))
    write_inputs(work / "lake.duckdb", inputs, run)
    write_inputs(work / SLICE, sliced, run, after)
    scratch = work / SCRATCH
    scratch.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        open_desk(connection, scratch, work, work / SLICE)
        connection.execute(f"ATTACH {literal(str(build))} AS build")
        if base:
            connection.execute(f"ATTACH {literal(str(base.path))} AS base (READ_ONLY)")
        increment = _increment(connection, sliced, settings_of(run, work), base)
        if base and increment.consumed + _count_behind(connection, sliced) != inputs.events.row_count:
            raise InconsistentSliceError
        keeper = Keeper(connection, build.parent, number, base.increment.parts if base else None)
        result = run_nodes(connection, passes.nodes[Pass.FIXED])
        result += run_nodes(connection, [*passes.nodes[Pass.STAGED], *passes.nodes[Pass.STAGED_CHECK]])
        for node in _models(passes.nodes[Pass.FIXED]):
            keeper.copy(node)
        for node in staged:
            keeper.append(node)
        if base:
            find_affected(connection, staged)
            bring_history(connection, staged)
        result += run_nodes(connection, passes.nodes[Pass.TRADE])
        for node in _models(passes.nodes[Pass.TRADE]):
            keeper.replace(node, TRADE[node.name])
        if base:
            bring_sessions_of_links(connection, {node.name: node for node in staged})
            _keep_touched(connection)
        result += run_nodes(connection, passes.nodes[Pass.LINKS])
        for node in _models(passes.nodes[Pass.LINKS]):
            keeper.replace(node, LINKS[node.name])
        rest = list(passes.nodes[Pass.REST])
        if base:
            made, rest = make_again(connection, keeper, rest, plan.nodes)
            result += made
        connection.execute("USE memory; DETACH warehouse; DETACH build; DETACH lake")
        open_desk(connection, build, work)
        result += run_nodes(connection, rest)
    scratch.unlink()
    (work / SLICE).unlink()
    return result, replace(increment, parts={name: parts for name, parts in keeper.parts.items() if parts})


def _files(inputs: Inputs, base: Base | None) -> tuple[str, ...]:
    """The lake files that may hold new events: those that are new, and those that had some behind the cut."""
    if base is None:
        return inputs.events.files
    seen = set(base.inputs.events.files) - set(base.increment.behind)
    return tuple(path for path in inputs.events.files if path not in seen)


def _increment(
    connection: duckdb.DuckDBPyConnection, sliced: Inputs, settings: tuple[str, ...], base: Base | None
) -> Increment:
    row = connection.execute("SELECT count(*) FROM lake.events").fetchone()
    new = int(row[0]) if row else 0
    return Increment(
        base=base.number if base else None,
        settings=settings,
        consumed=new + (base.increment.consumed if base else 0),
        behind=_files_behind(connection, sliced),
    )


def _behind(sliced: Inputs) -> str | None:
    if sliced.cut is None or not sliced.events.files:
        return None
    paths = ", ".join(literal(path) for path in sliced.events.files)
    return f"FROM read_parquet([{paths}], filename = true) WHERE NOT ({within(sliced.cut)})"


def _files_behind(connection: duckdb.DuckDBPyConnection, sliced: Inputs) -> tuple[str, ...]:
    behind = _behind(sliced)
    rows = connection.execute(f"SELECT DISTINCT filename {behind}").fetchall() if behind else []
    return tuple(sorted(name for (name,) in rows))


def _count_behind(connection: duckdb.DuckDBPyConnection, sliced: Inputs) -> int:
    behind = _behind(sliced)
    row = connection.execute(f"SELECT count(*) {behind}").fetchone() if behind else None
    return int(row[0]) if row else 0


def _keep_touched(connection: duckdb.DuckDBPyConnection) -> None:
    """Note for reconciliation, which comes later, whose movements may have changed."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS build.parts")
    connection.execute(
        "CREATE TABLE build.parts.touched AS SELECT id FROM affected_payment UNION SELECT id FROM affected_refund "
        "UNION SELECT id FROM affected_capture UNION SELECT item_id FROM warehouse.intermediate.int_dispute_movements"
    )


def _models(nodes: Iterable[Node]) -> list[Node]:
    return [node for node in nodes if not node.is_test]
