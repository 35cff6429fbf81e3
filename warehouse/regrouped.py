"""Reports that sum up kept models by day or by batch: only those groups in which something changed are made again.

A report's SQL stays what it is: it runs on views that show no other group. Its other rows are the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb

from warehouse.affected import rows_of

if TYPE_CHECKING:
    from warehouse.dbt_plan import Node
    from warehouse.increments import Key

_UNITS: Final = {"day": "day", "opened": "day", "opened_month": "month", "created_month": "month", "batch": "batch"}


class Report(NamedTuple):
    """What a report is made of, by day, month or batch."""

    kind: str  # of group; each has its own changed ones
    column: str  # of the report itself
    reads: Mapping[str, tuple[str, ...]]  # by model, the columns of which one says that a row counts in a group
    follows: int = 0  # 1: a group tells of the one before it, too
    tests: tuple[str, ...] = ()  # of these models, that hold for every group by itself


_LINES: Final = {"fct_settlement_lines": ("batch_number",)}
REPORTS: Final[Mapping[str, Report]] = {
    "int_payouts": Report("batch", "batch_number", _LINES, tests=("batches_foot",)),
    "rpt_recon_bridge": Report(
        "batch",
        "batch_number",
        _LINES | {"fct_recon_matches": ("batch_number",), "fct_recon_breaks": ("batch_number",)},
        follows=1,
    ),
    "rpt_recon_summary": Report(
        "day",
        "business_date",
        {
            "int_journal_entries": ("accounting_date",),
            "int_booked_items": ("booked_on",),
            "int_open_items": ("booked_on",),
            "fct_settlement_lines": ("report_date",),
            "fct_recon_matches": ("settled_on", "booked_on"),
            "fct_recon_match_items": ("booked_on",),
            "fct_recon_breaks": ("business_date", "settled_on", "booked_on"),
        },
    ),
    "fct_funnel_daily": Report("opened", "opened_on", {"fct_funnel_sessions": ("opened_on",)}),
    "rpt_funnel_monthly": Report("opened_month", "business_month", {"fct_funnel_sessions": ("opened_on",)}),
    "rpt_volume_monthly": Report("created_month", "business_month", {"fct_payments": ("created_on",)}),
}


def columns_of(model: str) -> list[str]:
    """The columns of a model that say in which groups a row counts."""
    return sorted({column for column, _ in _groupings(model)})


def _groupings(model: str) -> list[tuple[str, str]]:
    return [(column, report.kind) for report in REPORTS.values() for column in report.reads.get(model, ())]


def note_changed(connection: duckdb.DuckDBPyConnection, node: Node, key: Key) -> None:
    """Note the groups of the rows in `changed`: those that are now in `warehouse`, and those in `earlier`."""
    if not (groupings := _groupings(node.name)):
        return
    name, changed = f'"{node.schema}"."{node.name}"', "IN (SELECT id FROM changed)"
    unknown = f'SELECT count(*) FROM (SELECT id AS "{key.column}" FROM changed) WHERE NOT ({rows_of(key)})'  # noqa: S608 - names are the project's
    (beyond,) = connection.execute(unknown).fetchone() or (0,)
    # Beyond: a new row of an object that nobody called affected.
    earlier = f'base.{name} WHERE "{key.column}"' if beyond else "earlier WHERE id"
    connection.execute("CREATE SCHEMA IF NOT EXISTS build.parts")
    for column, kind in groupings:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS build.parts.changed_{kind} (id {'INTEGER' if kind == 'batch' else 'DATE'})"
        )
        both = (
            f'SELECT "{column}" AS id FROM warehouse.{name} WHERE "{key.column}" {changed} '  # noqa: S608 - same
            f'UNION ALL SELECT "{column}" FROM {earlier} {changed}'
        )
        connection.execute(
            f"INSERT INTO build.parts.changed_{kind} "  # noqa: S608 - same
            f"SELECT DISTINCT {_start('id', kind)} FROM ({both}) WHERE id IS NOT NULL"
        )


def can_regroup(node: Node) -> bool:
    """Whether a node is a report that reads what we know that it reads, and nothing else."""
    report = REPORTS.get(node.name)
    return report is not None and {parent.rpartition(".")[2] for parent in node.parents} == set(report.reads)


def groups_of(connection: duckdb.DuckDBPyConnection, report: Report) -> list[int]:
    """The groups of a report that are made again, as whole numbers: (first) days since 1970, or batches."""
    number = "id" if report.kind == "batch" else "date_diff('day', DATE '1970-01-01', id)"
    rows = connection.execute(f"SELECT DISTINCT {number} FROM build.parts.changed_{report.kind}").fetchall()  # noqa: S608 - same
    return sorted({number + after for (number,) in rows for after in range(report.follows + 1)})


def show(
    connection: duckdb.DuckDBPyConnection, report: Report, groups: Sequence[int], nodes: Mapping[str, Node]
) -> None:
    """Let `warehouse` show of the models that a report reads what its groups are made of."""
    read = sorted({number - before for number in groups for before in range(report.follows + 1)})
    for model, columns in report.reads.items():
        node = nodes[model]
        name = f'"{node.schema}"."{node.name}"'
        drop(connection, "warehouse", node)
        # One after the other: where each column lies close together, files and row groups are passed over.
        shown, others = [], ""
        for column in columns:
            shown.append(f"SELECT * FROM build.{name} WHERE {in_groups(column, report, read)}{others}")  # noqa: S608 - same
            others += f" AND ({in_groups(column, report, read)}) IS NOT TRUE"
        connection.execute(f"CREATE VIEW warehouse.{name} AS {' UNION ALL '.join(shown)}")


def in_groups(column: str, report: Report, groups: Sequence[int]) -> str:
    """The condition that a row counts in one of these groups."""
    if not groups:
        return "false"
    wanted = [str(number) if report.kind == "batch" else f"DATE '1970-01-01' + {number}" for number in groups]
    last = f"last_day({wanted[-1]})" if _UNITS[report.kind] == "month" else wanted[-1]
    return f'"{column}" BETWEEN {wanted[0]} AND {last} AND {_start(column, report.kind)} IN ({", ".join(wanted)})'


def _start(column: str, kind: str) -> str:
    return f"CAST(date_trunc('month', \"{column}\") AS DATE)" if _UNITS[kind] == "month" else f'"{column}"'


def drop(connection: duckdb.DuckDBPyConnection, database: str, node: Node) -> None:
    """Drop a node's table or view, if there is one. To ask the catalog first takes ten times as long."""
    name = f'{database}."{node.schema}"."{node.name}"'
    try:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    except duckdb.CatalogException:
        connection.execute(f"DROP VIEW {name}")
