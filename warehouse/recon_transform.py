"""The second stage of a build: reconciliation, for movements and lines that may come out differently than before."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from warehouse import recon_affected
from warehouse.dbt_runner import TransformResult, is_regional, literal, open_desk, plan_of, run_nodes, run_recon_models
from warehouse.increments import Key
from warehouse.parts import Keeper, Part
from warehouse.regrouping import make_again

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from warehouse.dbt_plan import Node
    from warehouse.lake_files import TableFiles
    from warehouse.transform import Base

SCRATCH: Final = "recon.duckdb"
KEPT: Final[Mapping[str, Key]] = {
    "stg_settlement_lines": Key("line", "line_id"),
    "fct_settlement_lines": Key("line", "line_id"),
    "int_booked_items": Key("item", "item_id"),
    "int_settlement_pairs": Key("line", "line_id"),
    "int_unpaired_lines": Key("line", "line_id"),
    "int_modified_pairs": Key("line", "line_id"),
    "int_pair_ranks": Key("line", "line_id"),
    "int_leftover_lines": Key("line", "line_id"),
    "int_leftover_items": Key("item", "item_id"),
    "int_grouped_lines": Key("line", "line_id"),
    "int_grouped_items": Key("item", "item_id"),
    "int_tolerated_lines": Key("line", "line_id"),
    "fct_fee_anomalies": Key("line", "line_id"),
    "int_line_checks": Key("line", "line_id"),
    "int_open_items": Key("item", "item_id"),
    "fct_recon_matches": Key("line", "line_id"),
    "fct_recon_match_items": Key("item", "item_id"),
    "fct_recon_breaks": Key("break", "break_id"),
}
_SMALL: Final = {"int_fee_contracts"}  # made of seeds
# What these tests say holds for some movements and their lines as for all; that of any other may need every row.
_CLOSED_TESTS: Final = (
    "grain_",
    "accepted_values_",
    "items_are_booked",
    "items_classified",
    "lines_classified",
    "groups_add_up",
)
_FROM_OUTSIDE: Final = {
    "source.meridian.lake.run",
    "source.meridian.lake.settlement_lines",
    "model.meridian.int_captures",
    "model.meridian.int_dispute_movements",
    "model.meridian.stg_payment_succeeded",
    "model.meridian.stg_refund_succeeded",
    "model.meridian.int_journal_entries",
    "seed.meridian.currencies",
}


def reconcile(
    build: Path, number: int, work: Path, base: Base | None, lines: TableFiles
) -> tuple[TransformResult, dict[str, tuple[Part, ...]]]:
    """Run and test the models of reconciliation in the file `build`, upon `base` if that was reconciled, else whole.

    `work` holds `lake.duckdb`, whose settlement lines are `lines`. Returns the partition files of every kept model too,
    none where it is a table. Raises TransformError if anything fails.
    """
    plan = plan_of(work)
    first, kept, rest = _sort([node for node in plan.nodes if is_regional(node, recon=True)])
    models = [node for node in kept if not node.is_test]
    if base is None or {node.name for node in models} != set(KEPT):
        return _reconcile_whole(build, number, work, models)
    scratch = work / SCRATCH
    scratch.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, path, mode in (
            ("warehouse", scratch, ""),
            ("build", build, ""),
            ("base", base.path, "(READ_ONLY)"),
            ("whole", work / "lake.duckdb", "(READ_ONLY)"),
        ):
            connection.execute(f"ATTACH {literal(str(path))} AS {name} {mode}")
        connection.execute("ATTACH ':memory:' AS lake")
        connection.execute("USE warehouse")
        recon_affected.find_affected(connection, base.inputs.settlement_lines, lines)
        recon_affected.fill_scratch(connection)
        keeper = Keeper(connection, build.parent, number, base.increment.parts)
        result = run_nodes(connection, first)
        for node in first:
            if not node.is_test:
                keeper.copy(node)
        result += run_nodes(connection, kept)
        connection.execute(
            "INSERT INTO affected_break SELECT break_id FROM warehouse.main.fct_recon_breaks "
            "WHERE break_id NOT IN (SELECT id FROM affected_break)"
        )
        for node in models:
            keeper.replace(node, KEPT[node.name])
        made, rest = make_again(connection, keeper, rest, plan.nodes)
        result += made
        connection.execute("USE memory")
        for name in ("warehouse", "build", "lake", "whole"):
            connection.execute(f"DETACH {name}")
        open_desk(connection, build, work)
        result += run_nodes(connection, rest)
    scratch.unlink()
    return result, keeper.parts


def _reconcile_whole(
    build: Path, number: int, work: Path, models: list[Node]
) -> tuple[TransformResult, dict[str, tuple[Part, ...]]]:
    """Make every table whole; large ones go into partition files at once, or the next day would pay for history."""
    with _keeping(build, number) as keeper:
        for node in models:
            keeper.drop(node)
    result = run_recon_models(build, work)
    with _keeping(build, number) as keeper:
        for node in models:
            keeper.move_out(node)
        return result, dict.fromkeys((node.name for node in models), ()) | keeper.parts


@contextmanager
def _keeping(build: Path, number: int) -> Iterator[Keeper]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH {literal(str(build))} AS build")
        connection.execute("ATTACH ':memory:' AS warehouse")
        yield Keeper(connection, build.parent, number, None)


def _sort(nodes: list[Node]) -> tuple[list[Node], list[Node], list[Node]]:
    """What reads no movement; what is kept from build to build, with tests that hold for a part; all other nodes."""
    first: list[Node] = []
    kept: list[Node] = []
    rest: list[Node] = []
    known = set(_FROM_OUTSIDE)
    for node in nodes:
        is_known = known.issuperset(node.parents)
        if node.kind == "seed" or node.name in _SMALL:
            first.append(node)
        elif is_known and (node.name.startswith(_CLOSED_TESTS) if node.is_test else node.name in KEPT):
            kept.append(node)
        else:
            rest.append(node)
            continue
        if not node.is_test:
            known.add(node.id)
    return first, kept, rest
