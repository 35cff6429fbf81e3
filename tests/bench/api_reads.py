"""Reads and bulk creation beside their bare counterparts, and reads at 10 thousand and at a million links.

    python tests/bench/api_reads.py [--small] [--bulk]

Retrieve, list (20) and the hosted page against a bare Flask endpoint that reads the same row, in turns; bulk creation
by the worker's own step against COPY of the same links; --bulk does that alone. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
import psycopg  # noqa: E402

from regions.region import load_region  # noqa: E402
from tests.support.gunicorn_serving import serving  # noqa: E402
from tests.support.postgres import running_postgres  # noqa: E402
from tests.support.regional import RegionDatabase, region_on  # noqa: E402
from web.bulk import service as bulk  # noqa: E402
from web.settings import Settings  # noqa: E402
from web.worker import wire  # noqa: E402

GUNICORN = ["--workers", "2", "--threads", "4", "--log-level", "error"]
BARE_TABLE = "CREATE TABLE bare_links (id text PRIMARY KEY, amount_minor bigint, currency text, reference text)"
FILL = """
INSERT INTO links (id, merchant_id, livemode, code, amount_minor, currency, reference, created_at)
SELECT 'plink_eu_fill' || n, %(merchant)s, false, md5(n::text), 1999, 'EUR', 'INV-' || n,
       now() - n * interval '1 second'
  FROM generate_series(%(first)s::int, %(last)s::int) AS n
"""
COPIED = "id, merchant_id, livemode, code, amount_minor, currency, reference, metadata, usage, created_at, terms"


def rate(url: str, key: str, requests: int) -> float:
    """Requests a second."""
    script = str(Path(__file__).with_name("api_load.py"))
    command = [sys.executable, script, url, str(requests), "8", "GET"]
    done = subprocess.run(command, input=key, capture_output=True, text=True, check=True, timeout=600)
    return float(requests / json.loads(done.stdout)[-1])


@contextmanager
def worker_of(region: RegionDatabase) -> Iterator[object]:
    eu = load_region("eu")
    wiring = wire(eu, Settings.from_environment(eu, region.env_for("worker")))
    try:
        yield wiring
    finally:
        wiring.database.dispose()


def bulk_rates(base: str, region: RegionDatabase, rows: int, rounds: int) -> dict[str, float]:
    """Links a second, in turns: a job of ours, and COPY of what it made into a table with the same columns and indexes.

    Each round begins with a checkpoint, so that all but the first write into log files that are there already, as a
    server does that has run for a while: a new one first fills every file with zeros.
    """
    ours, bare = [], []
    with worker_of(region) as wiring, region.connect("postgres") as connection:
        for turn in range(rounds):
            connection.execute("CHECKPOINT")
            ours.append(rows / _seconds_of_job(base, region, wiring, rows, f"BULK{turn}"))
            with connection.cursor().copy(
                f"COPY (SELECT {COPIED} FROM links WHERE reference LIKE 'BULK{turn}-%') TO STDOUT"
            ) as out:
                data = b"".join(bytes(part) for part in out)
            connection.execute(f"CREATE TABLE bare_copy{turn} (LIKE links INCLUDING ALL)")
            started = time.perf_counter()
            with connection.cursor().copy(f"COPY bare_copy{turn} ({COPIED}) FROM STDIN") as copying:
                copying.write(data)
            bare.append(rows / (time.perf_counter() - started))
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return {"bulk": round(mine), "copy": round(theirs), "ratio": round(mine / theirs, 3)}


def _seconds_of_job(base: str, region: RegionDatabase, wiring: object, rows: int, prefix: str) -> float:
    body = b"\n".join(
        json.dumps({"amount_minor": 1999, "currency": "EUR", "reference": f"{prefix}-{n}"}).encode()
        for n in range(rows)
    )
    headers = {"Authorization": f"Bearer {region.secret_key}", "Content-Type": "application/x-ndjson"}
    answer = httpx.post(f"{base}/v1/bulk/links", content=body, headers=headers, timeout=60, trust_env=False)
    answer.raise_for_status()
    started = time.perf_counter()
    while bulk.step(wiring):  # type: ignore[arg-type]
        pass
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few requests and no million, for CI")
    parser.add_argument("--bulk", action="store_true", help="bulk creation alone")
    given = parser.parse_args()
    small = given.small
    requests, rounds, bulk_rows = (200, 2, 5_000) if small else (2000, 5, 100_000)
    sizes = () if given.bulk else (1_000, 10_000) if small else (10_000, 1_000_000)
    report: dict[str, object] = {}
    with running_postgres(settings={}) as server, region_on(server) as region:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(BARE_TABLE)
            admin.execute(
                "INSERT INTO bare_links SELECT n::text, 1999, 'EUR', 'INV' FROM generate_series(1, 10000) AS n"
            )
        bare_env = {"PATH": os.environ["PATH"], "BARE_DATABASE_URL": server.url}
        with (
            serving("web.wsgi:for_region('eu')", region.env, GUNICORN) as ours,
            serving("tests.bench.api_bare:app", bare_env, GUNICORN) as bare,
        ):
            filled = 0
            for size in sizes:
                with region.connect("postgres") as connection:
                    connection.execute("SET session_replication_role = replica")  # an audit entry holds no million
                    connection.execute(FILL, {"merchant": region.merchant_id, "first": filled + 1, "last": size})
                    connection.execute("ANALYZE links")
                filled = size
                middle = size // 2
                code = {"text": ""}
                with region.connect("postgres") as connection:
                    row = connection.execute(
                        "SELECT code FROM links WHERE id = %s", [f"plink_eu_fill{middle}"]
                    ).fetchone()
                    code["text"] = row[0] if row else ""
                reads = {
                    "retrieve": (f"/v1/links/plink_eu_fill{middle}", "/v1/links/5000"),
                    "list": (f"/v1/links?starting_after=plink_eu_fill{middle}", "/v1/links"),
                    "filter": (f"/v1/links?reference=INV-{middle}", "/v1/links"),
                    "page": (f"/l/{code['text']}", "/l/5000"),
                }
                for name, (path, bare_path) in reads.items():
                    rates: dict[str, list[float]] = {"ours": [], "bare": []}
                    for _ in range(rounds):
                        rates["bare"].append(rate(bare + bare_path, "none", requests))
                        rates["ours"].append(rate(ours + path, region.secret_key, requests))
                    mine, theirs = statistics.median(rates["ours"]), statistics.median(rates["bare"])
                    found = {"ours": round(mine, 1), "bare": round(theirs, 1), "ratio": round(mine / theirs, 3)}
                    print(f"{name:>9} at {size:>9,} links: {found}")
                    report[f"{name}_{size}"] = found
            report["bulk"] = bulk_rates(ours, region, bulk_rows, rounds)
            print(f"     bulk: {report['bulk']}")
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
