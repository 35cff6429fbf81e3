"""Reconciliation at volume: all passes end to end, a bare full outer join, and `pandas.merge` of the same tables.

Each measurement is a process of its own: seconds, CPU seconds, peak memory. Then a day's run upon 1 and upon 100 days
of history. The last line is JSON.

    python tests/bench/recon.py [--rows 5000000] [--days 100] [--payments 3000] [--small]

`--check` runs the same steps once, in one process, and measures nothing that means anything: a test of the benchmark.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402

from pipelines.recon.landing import SETTLEMENT_LINES  # noqa: E402
from tests.bench import recon_day  # noqa: E402
from tests.bench.pipeline_day import Trade, days_before  # noqa: E402
from tests.support.warehouse import bench  # noqa: E402
from warehouse.dbt_plan import Node  # noqa: E402
from warehouse.dbt_runner import make_table, plan_of  # noqa: E402
from warehouse.lake import LAKE_SEQ  # noqa: E402
from warehouse.lake_tables import EVENTS  # noqa: E402

MEMORY_LIMIT = "2600MB"  # of DuckDB's buffers; the process as a whole stays below 4 GB
KEYS = ("livemode", "gateway", "gateway_account", "kind", "movement_reference", "movement_merchant_reference")
SEEDS = ("gateway_terms", "fee_contracts", "fee_terms", "settlement_types", "currencies")
PASSES = (
    "int_settlement_pairs", "int_unpaired_lines", "int_modified_pairs", "int_pair_ranks", "int_leftover_lines",
    "int_leftover_items", "int_grouped_lines", "int_grouped_items", "int_tolerated_lines",
    "int_fee_contracts", "fct_fee_anomalies", "int_line_checks",
    "int_open_items", "fct_recon_matches", "fct_recon_match_items", "fct_recon_breaks", "rpt_recon_suggestions",
    "rpt_recon_bridge",
)  # fmt: skip
HISTORY_DAY = date(2026, 3, 14)
ROUNDS = 3
Measure = Callable[..., dict[str, Any]]


def opened(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET threads = 2; SET preserve_insertion_order = false")
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = '{folder}/spill'")
    connection.execute(f"ATTACH '{folder}/day.duckdb' AS warehouse; ATTACH ':memory:' AS lake")
    connection.execute(
        "CREATE TABLE lake.run AS SELECT 'eu' AS region, 'Europe/Berlin' AS timezone, "
        f"DATE '{recon_day.DAY}' AS business_date; USE warehouse"
    )
    return connection


# ---------------------------------------------------------------------------------------------------- what is measured
def make(folder: Path, rows: int) -> dict[str, Any]:
    """The two tables, and the seeds."""
    with opened(folder) as connection:
        connection.execute("CREATE SCHEMA warehouse.intermediate")
        recon_day.make(connection, rows)
        for node in nodes(folder, SEEDS):
            make_table(connection, node)
    return {}


def passes(folder: Path, rows: int) -> dict[str, Any]:
    """Every pass, breaks and bridge, as a build runs them."""
    with opened(folder) as connection:
        begun, each = time.perf_counter(), {}
        for node in nodes(folder, PASSES):
            at = time.perf_counter()
            if complaint := make_table(connection, node):
                raise SystemExit(f"{node.name}: {complaint}")
            each[node.name] = round(time.perf_counter() - at, 2)
        seconds = time.perf_counter() - begun
        found = dict(connection.execute("SELECT class, count(*) FROM fct_recon_breaks GROUP BY ALL").fetchall())
        [(residual,)] = connection.execute("SELECT sum(abs(residual_minor)) FROM rpt_recon_bridge").fetchall()
    if residual or sum(found.values()) != sum(planted(rows).values()) or found != planted(rows):
        raise SystemExit(f"found {found} and a residual of {residual}, planted {planted(rows)}")
    return {"seconds": seconds, "each": each, "breaks": found}


def join(folder: Path, rows: int) -> dict[str, Any]:
    """DuckDB's bare full outer join of the two tables, into a table."""
    on = " AND ".join(f"i.{key} = l.{key}" for key in KEYS)
    with opened(folder) as connection:
        begun = time.perf_counter()
        connection.execute(
            f"""CREATE TABLE joined AS SELECT COLUMNS(i.*) AS 'i_\\0', COLUMNS(l.*) AS 'l_\\0'
                  FROM intermediate.int_booked_items AS i FULL OUTER JOIN fct_settlement_lines AS l ON {on}"""
        )
        seconds = time.perf_counter() - begun
        [(count,)] = connection.execute("SELECT count(*) FROM joined").fetchall()
    return {"seconds": seconds, "rows": count}


def merge(folder: Path, rows: int) -> dict[str, Any]:
    """`pandas.merge` of the two tables, all columns, an outer join with its indicator; loading them is not counted."""
    with opened(folder) as connection:
        items = connection.sql("FROM intermediate.int_booked_items").df()
        lines = connection.sql("FROM fct_settlement_lines").df()
    begun = time.perf_counter()
    merged = items.merge(lines, how="outer", on=list(KEYS), suffixes=("_i", "_l"), indicator=True)
    return {"seconds": time.perf_counter() - begun, "rows": len(merged)}


def history(folder: Path, days: int, payments: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """A day's reconciliation upon `days` of history, built whole, and a day upon them: the best of some runs.

    The first build upon a whole one turns large tables into partition files, once; the day that is measured does not.
    """
    place_folder = folder / f"history-{days}"
    place_folder.mkdir()
    with bench(place_folder) as place, duckdb.connect() as connection:
        before = days_before(HISTORY_DAY, days + 1)
        trade = Trade(connection, place.region, "mer_eu_06p0wz7b4hk53g6qyt8nwc2mse", payments, before[0])
        for number, day in enumerate([*before, HISTORY_DAY], 1):
            count = trade.make_events(day)
            for definition, rows in (
                (EVENTS, trade.lake_rows(number, 0, count)),
                (SETTLEMENT_LINES, trade.settlement_rows(day, number)),
            ):
                with place.lake.ensure_table(definition).transaction() as transaction:
                    transaction.append(rows)
                    transaction.set_properties({LAKE_SEQ: str(number)})
            if day in before[-2:]:
                place.build(day)
        inputs, times = place.inputs(), []
        with place.warehouse.lock():
            record = place.warehouse.build(HISTORY_DAY, inputs)
            for _ in range(rounds):
                begun = time.perf_counter(), time.process_time()
                record = place.warehouse.reconcile(record, inputs, {})
                times.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        assert record.increment is not None
        is_incremental = record.increment.base is not None
        matched = record.table_rows["fct_recon_matches"]
    seconds, cpu = min(times)
    return {"seconds": seconds, "cpu": cpu, "is_incremental": is_incremental, "matches": matched}


# ---------------------------------------------------------------------------------------------------- around it
def nodes(folder: Path, names: tuple[str, ...]) -> list[Node]:
    """Nodes of the compiled project, in the order in which they run."""
    found = {node.name: node for node in plan_of(folder).nodes if not node.is_test}
    return [found[name] for name in found if name in names]


def planted(rows: int) -> dict[str, int]:
    """How many breaks of each class are in the tables."""
    kinds = [n // recon_day.BREAK_EVERY % 5 for n in range(0, rows, recon_day.BREAK_EVERY)]
    names = {0: ("missing_at_gateway",), 1: ("missing_with_us",), 2: ("amount",), 3: ("duplicate",), 4: ("split",)}
    counts: dict[str, int] = {}
    for kind in kinds:
        for name in names[kind]:
            counts[name] = counts.get(name, 0) + 1
    return counts


def measured(step: str, folder: Path, *arguments: int) -> dict[str, Any]:
    """Run a step as a process of its own, and add what it cost."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder), *map(str, arguments)]
    process, peak_kib, ended, status = subprocess.Popen(command, stdout=subprocess.PIPE, text=True), 0, 0, 0
    while not ended:
        try:
            told = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            peak_kib = max(peak_kib, int(told[1]) if told else 0)
        except OSError:
            pass
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0.0 if ended else 0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{step} ended with {process.returncode}\n{output}")
    found = json.loads(output.splitlines()[-1])
    cost: dict[str, Any] = {"cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1), "peak_mib": peak_kib // 1024}
    told = f"{found.get('seconds', 0):>8.2f} s  {cost['cpu_seconds']:>7.1f} s CPU  {cost['peak_mib']:>6} MiB"
    print(f"  {step:<8} {told}  (load {os.getloadavg()[0]:.1f})", flush=True)
    return found | cost


def checked(step: str, folder: Path, *arguments: int) -> dict[str, Any]:
    """Run a step here and now, once."""
    return STEPS[step](folder, *arguments, *((1,) if step == "history" else ()))


def run(rows: int, days: int, payments: int, measured: Measure) -> dict[str, Any]:
    report: dict[str, Any] = {"rows": rows, "days": days, "payments": payments, "load": os.getloadavg()[0]}
    folder = Path(tempfile.mkdtemp(prefix="meridian-recon-"))
    try:
        print(f"{rows:,} items against as many lines", flush=True)
        measured("make", folder, rows)
        for step in ("join", "passes", "merge"):
            shutil.copyfile(folder / "day.duckdb", folder / "kept.duckdb")
            report[step] = measured(step, folder, rows)
            (folder / "kept.duckdb").replace(folder / "day.duckdb")
        report["to_join"] = round(report["passes"]["seconds"] / report["join"]["seconds"], 2)
        report["pandas_to_us"] = round(report["merge"]["seconds"] / report["passes"]["seconds"], 2)
        print(f"a day of {payments:,} payments upon 1 and upon {days} days", flush=True)
        for count in sorted({1, days}):
            report[f"upon_{count}"] = measured("history", folder, count, payments)
        report["history_ratio"] = round(report[f"upon_{days}"]["cpu"] / report["upon_1"]["cpu"], 3)
        report["history_seconds_ratio"] = round(report[f"upon_{days}"]["seconds"] / report["upon_1"]["seconds"], 3)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report


STEPS: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {
    "make": make,
    "join": join,
    "passes": passes,
    "merge": merge,
    "history": history,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--payments", type=int, default=3_000)
    parser.add_argument("--small", action="store_true", help="20,000 rows, 3 days of 60 payments")
    parser.add_argument("--check", action="store_true", help="each step once, in this process")
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(STEPS[given.step](given.folder, *given.arguments)))
        return 0
    sizes = (20_000, 3, 60) if given.small else (given.rows, given.days, given.payments)
    print(json.dumps(run(*sizes, checked if given.check else measured)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
