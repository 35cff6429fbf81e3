"""Makes reports again by group, in a build upon an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from warehouse.dbt_runner import TransformResult, run_nodes
from warehouse.regrouped import REPORTS, can_regroup, groups_of, in_groups, show

if TYPE_CHECKING:
    import duckdb

    from warehouse.dbt_plan import Node
    from warehouse.parts import Keeper


def make_again(
    connection: duckdb.DuckDBPyConnection, keeper: Keeper, nodes: Sequence[Node], known: Sequence[Node]
) -> tuple[TransformResult, list[Node]]:
    """Make those groups of reports again in which something changed, with the tests that hold by group.

    Returns the others, too. `known` has every model that reports read. Afterwards `warehouse` shows parts of them.
    """
    read = {node.name: node for node in known if not node.is_test}
    result, done = TransformResult(), set()
    for node in filter(can_regroup, nodes):
        report = REPORTS[node.name]
        groups = groups_of(connection, report)
        tests = [test for test in nodes if test.name in report.tests]
        show(connection, report, groups, read)
        result += run_nodes(connection, [node, *tests])
        keeper.regroup(node, in_groups(report.column, report, groups))
        done |= {found.id for found in (node, *tests)}
    return result, [node for node in nodes if node.id not in done]
