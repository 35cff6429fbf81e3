"""POST /v1/links (key, validation, idempotency, link, event) against a bare Flask + psycopg single-insert endpoint.

Both run under the same gunicorn settings on the same durable PostgreSQL, in turns, loaded by a separate process with a
bounded number of requests. Prints both rates and latencies; the last line is JSON with `ratio` = ours / bare.

    python tests/bench/api.py [--small] [--rounds N] [--requests N] [--clients N]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psycopg  # noqa: E402

from tests.support.postgres import running_postgres  # noqa: E402
from tests.support.regional import region_on  # noqa: E402
from tests.support.serving import serving  # noqa: E402

GUNICORN = ["--workers", "2", "--threads", "4", "--log-level", "error"]
BARE_TABLE = "CREATE TABLE bare_links (id text PRIMARY KEY, amount_minor bigint, currency text, reference text)"


def load(url: str, key: str, requests: int, clients: int) -> list[float]:
    """Send that many POSTs from another process; returns each one's seconds, then the whole wall time as the last."""
    script = str(Path(__file__).with_name("api_load.py"))
    command = [sys.executable, script, url, str(requests), str(clients)]
    done = subprocess.run(command, input=key, capture_output=True, text=True, check=True, timeout=600)
    times: list[float] = json.loads(done.stdout)
    return times


def summary(name: str, runs: list[list[float]]) -> dict[str, float]:
    rate = statistics.median((len(run) - 1) / run[-1] for run in runs)
    latencies = sorted(seconds * 1000 for run in runs for seconds in run[:-1])
    p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    print(f"{name:>6}: {rate:8.0f} requests/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
    return {"rate": round(rate, 1), "p50_ms": round(p50, 2), "p99_ms": round(p99, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few requests, for CI")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--clients", type=int, default=8)
    given = parser.parse_args()
    rounds = given.rounds or (2 if given.small else 5)
    requests = given.requests or (400 if given.small else 3000)
    with tempfile.TemporaryDirectory(), running_postgres(settings={}) as server, region_on(server) as region:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(BARE_TABLE)
        bare_env = {"PATH": os.environ["PATH"], "BARE_DATABASE_URL": server.url}
        with (
            serving("web.wsgi:for_region('eu')", region.env, GUNICORN) as ours,
            serving("tests.bench.api_bare:app", bare_env, GUNICORN) as bare,
        ):
            runs: dict[str, list[list[float]]] = {"ours": [], "bare": []}
            for base in (ours, bare):
                load(f"{base}/v1/links", region.secret_key, requests // 4, given.clients)  # warm up
            for _ in range(rounds):
                runs["bare"].append(load(f"{bare}/v1/links", "none", requests, given.clients))
                runs["ours"].append(load(f"{ours}/v1/links", region.secret_key, requests, given.clients))
        with region.connect("postgres") as connection:
            wanted = rounds * requests + requests // 4
            query = """SELECT (SELECT count(*) FROM links), (SELECT count(*) FROM outbox),
                              (SELECT count(*) FROM idempotency_keys)"""
            counts = connection.execute(query).fetchone()
            if counts != (wanted, wanted, wanted):
                raise SystemExit(f"wrote {counts}, expected {wanted} links, events and idempotency keys")
    print(f"{rounds} rounds of {requests} requests, {given.clients} clients, gunicorn {' '.join(GUNICORN)}")
    report = {name: summary(name, samples) for name, samples in runs.items()}
    print(json.dumps(report | {"ratio": round(report["ours"]["rate"] / report["bare"]["rate"], 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
