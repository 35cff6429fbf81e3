"""Runs the compiled dbt project on a build: seeds and models become tables under their contracts, data tests must hold.

What `dbt build` would do, on one connection and without dbt's own start; a test compares the two table by table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import duckdb

from warehouse.dbt_plan import Node, Plan, PlannedColumn, TransformError, compiled, load_plan

__all__ = [
    "PROJECT",
    "RECON",
    "TransformError",
    "TransformResult",
    "compiled_sql",
    "run_global_models",
    "run_recon_models",
]

PROJECT = Path(__file__).resolve().parent.parent / "dbt"
RECON: Final = "recon"
GLOBAL: Final = "global"


@dataclass(slots=True)
class TransformResult:
    """What a run did: how many nodes passed, and what only warned."""

    passed: int = 0
    warnings: list[str] = field(default_factory=list)

    def __iadd__(self, other: TransformResult) -> Self:
        self.passed += other.passed
        self.warnings += other.warnings
        return self


def run_recon_models(build: Path, work: Path) -> TransformResult:
    """Build and test the models of reconciliation in the file `build`, which has all others.

    `work` holds `lake.duckdb`, which is only read. Raises TransformError if anything fails.
    """
    return _run(build, work, lambda node: is_regional(node, recon=True))


def is_regional(node: Node, *, recon: bool) -> bool:
    """Whether a node belongs to that stage of a region's build."""
    return (RECON in node.tags) == recon and GLOBAL not in node.tags


def run_global_models(build: Path, work: Path) -> TransformResult:
    """Build and test the models of the global warehouse; otherwise as `run_recon_models`."""
    return _run(build, work, lambda node: GLOBAL in node.tags)


def plan_of(work: Path) -> Plan:
    """The project's plan."""
    return load_plan(PROJECT, work)


def compiled_sql(names: Iterable[str], work: Path) -> dict[str, str]:
    """The compiled SQL of models, by name."""
    plan = plan_of(work)
    return {name: plan.model(name).sql for name in names}


def manifest_path(work: Path) -> Path:
    """The manifest of the compiled project."""
    return compiled(PROJECT, work) / "manifest.json"


def _run(build: Path, work: Path, is_wanted: Callable[[Node], bool]) -> TransformResult:
    plan = plan_of(work)
    with duckdb.connect() as connection:
        open_desk(connection, build, work)
        return run_nodes(connection, [node for node in plan.nodes if is_wanted(node)])


def open_desk(connection: duckdb.DuckDBPyConnection, build: Path, work: Path, inputs: Path | None = None) -> None:
    """Attach the build as `warehouse` and the inputs as `lake`: the names that compiled SQL uses."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET temp_directory = {literal(str(work / 'spill'))}")
    connection.execute(f"ATTACH {literal(str(build))} AS warehouse")
    connection.execute(f"ATTACH {literal(str(inputs or work / 'lake.duckdb'))} AS lake (READ_ONLY)")
    connection.execute("USE warehouse")


def run_nodes(connection: duckdb.DuckDBPyConnection, nodes: Iterable[Node]) -> TransformResult:
    """Run nodes in the order given; the first that fails ends the run. Raises TransformError naming it."""
    result = TransformResult()
    for node in nodes:
        try:
            complaint = _run_test(connection, node) if node.is_test else make_table(connection, node)
        except duckdb.Error as error:
            raise TransformError(f"The build failed its checks: {node.name} ({_first_line(error)})") from error
        if complaint is None:
            result.passed += 1
        elif node.is_warning:
            result.warnings.append(f"{node.name} ({complaint})")
        else:
            raise TransformError(f"The build failed its checks: {node.name} ({complaint})")
    return result


def make_table(connection: duckdb.DuckDBPyConnection, node: Node) -> str | None:
    """Make a seed's or model's table, exactly as its contract declares it; what breaks the contract is the answer."""
    if node.kind == "seed":
        types = ", ".join(f"{literal(column.name)}: {literal(column.data_type)}" for column in node.columns)
        query = f"SELECT * FROM read_csv({literal(node.path)}, header = true, columns = {{{types}}})"  # noqa: S608 - the project's
    else:
        query = node.sql
    if complaint := _breach(connection, node, query):
        return complaint
    # What passes hand on is written once and read once or twice: compressing its ids took half of their time.
    is_handed_on = RECON in node.tags and node.schema == "intermediate"
    connection.execute(f"SET force_compression = '{'uncompressed' if is_handed_on else 'auto'}'")
    table = f'warehouse."{node.schema}"."{node.name}"'
    names = ", ".join(f'"{column.name}"' for column in node.columns)
    connection.execute(f'CREATE SCHEMA IF NOT EXISTS warehouse."{node.schema}"')
    connection.execute(f"CREATE OR REPLACE TABLE {table} ({declared_columns(node)})")
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM (\n{query}\n)")  # noqa: S608 - the project's own SQL
    return None


def _breach(connection: duckdb.DuckDBPyConnection, node: Node, query: str) -> str | None:
    """How the query's columns differ from those of the contract."""
    found = {
        name: kind
        for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM (\n{query}\n)").fetchall()  # noqa: S608 - same
    }
    casts = ", ".join(f'typeof(CAST(NULL AS {column.data_type})) AS "{column.name}"' for column in node.columns)
    row = connection.execute(f"SELECT {casts}").fetchone()
    declared = dict(zip((column.name for column in node.columns), row or (), strict=True))
    if found == declared:
        return None
    wrong = sorted(name for name in found.keys() | declared.keys() if found.get(name) != declared.get(name))
    differences = (f"{name} is {found.get(name, 'missing')}, not {declared.get(name, 'declared')}" for name in wrong)
    return f"its contract is broken: {'; '.join(differences)}"


def declared_columns(node: Node) -> str:
    """The columns of a table, as its contract declares them."""
    return ", ".join(map(_declared, node.columns))


def _declared(column: PlannedColumn) -> str:
    return f'"{column.name}" {column.data_type}' + (" NOT NULL" if column.is_required else "")


def _run_test(connection: duckdb.DuckDBPyConnection, node: Node) -> str | None:
    row = connection.execute(f"SELECT count(*) FROM (\n{node.sql}\n)").fetchone()  # noqa: S608 - the project's own SQL
    found = row[0] if row else 0
    if not found:
        return None
    results, outcome = ("results" if found > 1 else "result"), ("warn" if node.is_warning else "fail")
    return f"Got {found} {results}, configured to {outcome} if != 0"


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: duckdb.Error) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
