"""A day of payments from the outbox to the published warehouse, alone and on top of days of history.

Fills the region's outbox, then runs each step as its own process, as operators do: relay, ingest, `warehouse build`,
`recon run`, `warehouse publish`. Prints seconds, CPU seconds and peak memory per step; history goes into the lake by
the ingest's own append, unmeasured. The last line is JSON; `ratio` and `cpu_ratio` compare the day on top of history
with the day alone. CPU time hardly depends on what else the machine does.

    python tests/bench/pipeline.py [--payments 100000] [--days 30] [--history-build whole|daily]
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402
import psycopg  # noqa: E402

from pipelines.builds.service import take_inputs  # noqa: E402
from pipelines.recon.landing import SETTLEMENT_LINES  # noqa: E402
from regions.region import load_region  # noqa: E402
from tests.bench.pipeline_day import Trade, days_before  # noqa: E402
from tests.support.postgres import PostgresServer, running_postgres  # noqa: E402
from tests.support.regional import region_on  # noqa: E402
from tests.support.stream import Stream, await_that, row_count, running_broker, stream_on  # noqa: E402
from warehouse.builds import Warehouse  # noqa: E402
from warehouse.lake import LAKE_SEQ  # noqa: E402
from warehouse.lake_writer import stage_append  # noqa: E402
from web.sandbox.settlement import adyen_report  # noqa: E402
from web.sandbox.settlement.domain import Item, booking_time, closing_lines, line_of  # noqa: E402

DAY = date(2026, 3, 14)
COMMIT_ROWS = 200_000  # of one ingest commit of history
TRANSACTION_ROWS = 20_000
STEP_SECONDS_MAX = 3600.0
OUTBOX = "id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id, data, pii"


@dataclass
class Step:
    """What one step cost."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass
class Bench:
    """One region's stream, lake and warehouse, and the steps that were measured in it."""

    stream: Stream
    trade: Trade
    connection: duckdb.DuckDBPyConnection
    steps: dict[str, Step] = field(default_factory=dict)

    def env(self, role: str) -> dict[str, str]:
        folder = self.stream.folder
        return self.stream.env(role) | {
            f"WAREHOUSE_URI_{self.stream.region.code.upper()}": f"file://{folder}/warehouse"
        }

    # ------------------------------------------------------------------------------------------------ history
    def live(self, days: int, builds: str) -> None:
        """Days of history: lake, settlement, one build of it all or one a day, all of it published."""
        lake_seq = 0
        for number, day in enumerate(before := days_before(DAY, days), 1):
            count = self.trade.make_events(day)
            lake = self.stream.lake()
            lake.ensure_tables()
            for first in range(0, count, COMMIT_ROWS):
                lake_seq += 1
                rows = self.trade.lake_rows(lake_seq, first, COMMIT_ROWS)
                stage_append(lake, lake.events(), rows, {LAKE_SEQ: str(lake_seq)}).commit()
            lines = lake.ensure_table(SETTLEMENT_LINES)
            stage_append(lake, lines, self.trade.settlement_rows(day, number), {LAKE_SEQ: str(number)}).commit()
            lake.close()
            if builds == "daily" or day == before[-1]:
                self.build_history(day)

    def build_history(self, day: date) -> None:
        """Build, reconcile with what has landed, and publish."""
        begun, env = time.perf_counter(), self.env("lake")
        warehouse = Warehouse.open(self.stream.region, env)
        with warehouse.lock():
            inputs = take_inputs(self.stream.region, env)
            warehouse.reconcile(warehouse.build(day, inputs), inputs, {})
            warehouse.publish()
        print(f"  history up to {day}: built in {time.perf_counter() - begun:.1f} s", flush=True)

    # ------------------------------------------------------------------------------------------------ the day
    def measure(self) -> dict[str, int]:
        """Run the day's steps one after the other; returns what came out."""
        before = self.lake_rows()
        events = self.trade.make_events(DAY)
        begun = time.perf_counter()
        self.fill()
        self.note("outbox", Step(time.perf_counter() - begun, 0.0, 0.0))
        self.note("relay", self.worker("relay", lambda: self.stream.unsent() == 0))
        self.note("ingest", self.worker("ingest", lambda: self.lake_rows() >= before + events))
        if self.lake_rows() != before + events or self.stream.quarantined():
            raise SystemExit(f"the lake has {self.lake_rows()} events, not {before} + {events}")
        report = self.stream.folder / "settlement.csv"
        report.write_text(self.settlement())
        day = ("--date", str(DAY))
        self.note("build", self.command("warehouse", "build", *day))
        self.note("recon", self.command("recon", "run", *day, "--settlement", str(report), "--no-post"))
        self.note("publish", self.command("warehouse", "publish"))
        return self.outcome(events)

    def outcome(self, events: int) -> dict[str, int]:
        with duckdb.connect(str((self.stream.folder / "warehouse/current").resolve()), read_only=True) as build:
            row = build.execute(
                "SELECT count(*), count(*) FILTER (WHERE created_on = ?), sum(captured_minor)::BIGINT, "
                "(SELECT count(*) FROM fct_recon_breaks), (SELECT count(*) FROM fct_recon_matches) FROM fct_payments",
                [DAY],
            ).fetchone()
        found = dict(
            zip(("payments", "payments_of_day", "captured_minor", "breaks", "matches"), row or (), strict=True)
        )
        if found["breaks"]:
            raise SystemExit(f"{found['breaks']} breaks in a day without errors")
        return {"events_of_day": events, **found}

    def is_incremental(self) -> bool:
        """Whether the published build was built upon an earlier one."""
        pointer = (self.stream.folder / "warehouse/current").resolve()
        record = json.loads(pointer.with_suffix(".json").read_text())
        return record["increment"]["base"] is not None

    def fill(self) -> None:
        """Commit the day's events in the outbox, in transactions of 20,000."""
        path = self.stream.folder / "events.csv"
        self.connection.execute(
            f"COPY (SELECT {OUTBOX} FROM events) TO '{path}' (FORMAT csv, HEADER false, NULLSTR '')"
        )
        with psycopg.connect(self.stream.database.url, autocommit=True) as admin, path.open("rb") as file:
            while lines := [line for _, line in zip(range(TRANSACTION_ROWS), file, strict=False)]:
                with admin.cursor().copy(f"COPY outbox ({OUTBOX}) FROM STDIN (FORMAT csv)") as copy:
                    copy.write(b"".join(lines))
            admin.execute("ANALYZE outbox")
        path.unlink()

    def settlement(self) -> str:
        """The gateway's report of the day."""
        region = self.stream.region
        account, booked_at = region.gateways[0].account, booking_time(DAY, region.tz)
        items = [
            Item(reference, "", attempt, "visa", currency, amount, moment, refund_reference, refund)
            for reference, attempt, refund, refund_reference, currency, amount, moment in self.trade.items(DAY)
        ]
        lines = [line_of(item, booked_at) for item in items]
        lines += closing_lines(lines, account, 1000, DAY, booked_at)
        return adyen_report.render(account, region.tz, [(1000, lines)])

    def lake_rows(self) -> int:
        with closing(self.stream.lake()) as lake:
            lake.ensure_tables()
            return row_count(lake)

    def note(self, name: str, step: Step) -> None:
        self.steps[name] = step
        cost = f"{step.seconds:>8.1f} s   {step.cpu_seconds:>8.1f} s CPU   {step.peak_mib:>7.0f} MiB"
        print(f"  {name:<8} {cost}", flush=True)

    # ------------------------------------------------------------------------------------------------ processes
    def command(self, *arguments: str) -> Step:
        log = self.stream.folder / "command.log"
        with log.open("wb") as out:
            process = self._start("lake", arguments, out.fileno())
            code, step = _finish(process)
        if code:
            raise SystemExit(f"{' '.join(arguments)}: exit code {code}\n{log.read_text()[-2000:]}")
        return step

    def worker(self, name: str, is_done: Callable[[], bool]) -> Step:
        """Run the relay or the ingest until its work is done."""
        with (self.stream.folder / f"{name}.log").open("wb") as out:
            begun = time.perf_counter()
            process = self._start({"relay": "relay", "ingest": "lake"}[name], [name, "run"], out.fileno())
            try:
                await_that(f"the {name} is done", is_done, STEP_SECONDS_MAX)
                seconds = time.perf_counter() - begun
            finally:
                process.send_signal(signal.SIGTERM)
                _, step = _finish(process)
        return Step(seconds, step.cpu_seconds, step.peak_mib)

    def _start(self, role: str, arguments: list[str] | tuple[str, ...], out: int) -> subprocess.Popen[bytes]:
        code = "from pipelines.cli import main; main()"
        command = [sys.executable, "-c", code, *arguments, "--region", self.stream.region.code]
        return subprocess.Popen(command, cwd=ROOT, env=self.env(role), stdout=out, stderr=out)


def _finish(process: subprocess.Popen[bytes]) -> tuple[int, Step]:
    """Wait for a process: its exit code, and what it cost.

    Memory is the kernel's high-water mark, read until the end: `ru_maxrss` would begin with our own.
    """
    begun, peak_kib, ended = time.perf_counter(), 0, 0
    while not ended:
        peak_kib = max(peak_kib, _peak_kib(process.pid))
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0.0 if ended else 0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    step = Step(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, peak_kib / 1024)
    return process.returncode, step


def _peak_kib(pid: int) -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0  # a process that has ended has no memory


@contextmanager
def benching(server: PostgresServer, folder: Path, payments: int, days: int) -> Iterator[Bench]:
    folder.mkdir()
    with (
        region_on(server) as database,
        running_broker(folder) as broker,
        duckdb.connect() as connection,
        stream_on(database, broker.bootstrap, folder) as stream,
    ):
        since = days_before(DAY, days)[0] if days else DAY
        trade = Trade(connection, load_region(database.region), database.merchant_id, payments, since)
        yield Bench(stream, trade, connection)
    shutil.rmtree(folder, ignore_errors=True)


def run(payments: int, days: int, builds: str) -> Mapping[str, Any]:
    report: dict[str, Any] = {"payments": payments, "days": days}
    totals: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="meridian-bench-") as folder, running_postgres(settings={}) as server:
        for name, history in (("alone", 0), ("on_history", days)):
            print(f"a day of {payments:,} payments on {history} days of history", flush=True)
            with benching(server, Path(folder) / name, payments, history) as bench:
                if history:
                    bench.live(history, builds)
                outcome = bench.measure()
                measured = bench.steps.values()
                totals[name] = (sum(s.seconds for s in measured), sum(s.cpu_seconds for s in measured))
                steps = {step: {k: round(v, 2) for k, v in vars(cost).items()} for step, cost in bench.steps.items()}
                report[name] = {"steps": steps, "seconds": round(totals[name][0], 1), **outcome}
                report[name]["is_incremental"] = bench.is_incremental()
                print(f"  all      {totals[name][0]:>8.1f} s   {totals[name][1]:>8.1f} s CPU", flush=True)
    alone, on_history = totals["alone"], totals["on_history"]
    return report | {
        "ratio": round(on_history[0] / alone[0], 3),
        "cpu_ratio": round(on_history[1] / alone[1], 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--history-build", choices=("whole", "daily"), default="whole")
    given = parser.parse_args()
    print(json.dumps(run(given.payments, given.days, given.history_build)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
