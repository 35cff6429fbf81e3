"""POST /v1/links (key, validation, idempotency, link, event) against a bare Flask + psycopg single-insert endpoint.

Both run under the same gunicorn settings on the same durable PostgreSQL, in turns, loaded by a separate process with a
bounded number of requests. Prints rates, latencies and the servers' CPU time per request; the last line is JSON with
`ratio` = our rate / bare rate, and `cpu_ratio`, the same by CPU time, for a machine that others use too.

    python tests/bench/api.py [--small] [--rounds N] [--requests N] [--clients N]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
import psycopg  # noqa: E402

from tests.support.gunicorn_serving import serving  # noqa: E402
from tests.support.postgres import running_postgres  # noqa: E402
from tests.support.regional import region_on  # noqa: E402

GUNICORN = ["--workers", "2", "--threads", "4", "--log-level", "error"]
BARE_TABLE = "CREATE TABLE bare_links (id text PRIMARY KEY, amount_minor bigint, currency text, reference text)"


def load(url: str, key: str, requests: int, clients: int) -> list[float]:
    """Send that many POSTs from another process; returns each one's seconds, then the whole wall time as the last."""
    script = str(Path(__file__).with_name("api_load.py"))
    command = [sys.executable, script, url, str(requests), str(clients)]
    done = subprocess.run(command, input=key, capture_output=True, text=True, check=True, timeout=600)
    times: list[float] = json.loads(done.stdout)
    return times


def server_cpu_seconds() -> float:
    """CPU time that gunicorn and PostgreSQL, our only children, have used. It hardly depends on what else runs here."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(time.user + time.system for time in times)


class Side:
    """One of the two endpoints, and what was measured of it."""

    def __init__(self, name: str, base: str, key: str) -> None:
        self.name, self.url, self.key = name, f"{base}/v1/links", key
        self.rates: list[float] = []
        self.latencies_ms: list[float] = []
        self.cpu_ms: list[float] = []

    def run(self, requests: int, clients: int) -> None:
        before = server_cpu_seconds()
        *latencies, wall = load(self.url, self.key, requests, clients)
        self.cpu_ms.append((server_cpu_seconds() - before) * 1000 / requests)
        self.rates.append(requests / wall)
        self.latencies_ms += [seconds * 1000 for seconds in latencies]

    def report(self) -> dict[str, float]:
        latencies = sorted(self.latencies_ms)
        found = {
            "rate": round(statistics.median(self.rates), 1),
            "p50_ms": round(latencies[len(latencies) // 2], 2),
            "p99_ms": round(latencies[int(len(latencies) * 0.99)], 2),
            "server_cpu_ms": round(statistics.median(self.cpu_ms), 3),
        }
        print(f"{self.name:>5}: " + "   ".join(f"{name} {value}" for name, value in found.items()))
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few requests, for CI")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--clients", type=int, default=8)
    given = parser.parse_args()
    rounds = given.rounds or (2 if given.small else 5)
    requests = given.requests or (400 if given.small else 3000)
    with running_postgres(settings={}) as server, region_on(server) as region:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(BARE_TABLE)
        bare_env = {"PATH": os.environ["PATH"], "BARE_DATABASE_URL": server.url}
        with (
            serving("web.wsgi:for_region('eu')", region.env, GUNICORN) as ours,
            serving("tests.bench.api_bare:app", bare_env, GUNICORN) as bare,
        ):
            sides = [Side("bare", bare, "none"), Side("ours", ours, region.secret_key)]
            for side in sides:
                load(side.url, side.key, requests // 4, given.clients)  # warm up
            for _ in range(rounds):
                for side in sides:
                    side.run(requests, given.clients)
        with region.connect("postgres") as connection:
            wanted = rounds * requests + requests // 4
            query = """SELECT (SELECT count(*) FROM links), (SELECT count(*) FROM outbox),
                              (SELECT count(*) FROM idempotency_keys)"""
            counts = connection.execute(query).fetchone()
            if counts != (wanted, wanted, wanted):
                raise SystemExit(f"wrote {counts}, expected {wanted} links, events and idempotency keys")
    print(f"{rounds} rounds of {requests} requests, {given.clients} clients, gunicorn {' '.join(GUNICORN)}")
    report = {side.name: side.report() for side in sides}
    ratio = round(report["ours"]["rate"] / report["bare"]["rate"], 3)
    cpu_ratio = round(report["bare"]["server_cpu_ms"] / report["ours"]["server_cpu_ms"], 3)
    print(json.dumps(report | {"cpu_ratio": cpu_ratio, "ratio": ratio}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
