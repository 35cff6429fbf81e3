"""The relay on a real Apache Kafka: events per second against reading the same rows with psycopg and discarding them.

The backlog is one batch, as after an outage, so that nothing but the relay's own work is measured. The baseline reads
the same rows as the same role through a named cursor, 5,000 at a time, as plain tuples with JSON left as text; it
neither sorts nor judges visibility. Prints what it does; the last line is JSON with `ratio` = relay / read.

    python tests/bench/backbone_relay.py [--events N] [--brokers N] [--rounds N]
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from psycopg import sql  # noqa: E402

from pipelines.broker import ensure_topics  # noqa: E402
from pipelines.foreground import calm_collector  # noqa: E402
from pipelines.leadership import Task, connect, lead  # noqa: E402
from pipelines.relay.producer import BatchProducer  # noqa: E402
from pipelines.relay.service import Relay  # noqa: E402
from regions.events import registry  # noqa: E402
from regions.ids import new_id  # noqa: E402
from tests.support.kafka import KafkaCluster, running_kafka  # noqa: E402
from tests.support.postgres import running_postgres  # noqa: E402
from tests.support.regional import RegionDatabase, region_on  # noqa: E402

# What one paid link writes, in this order; each with its contract's example as data.
STORY = (
    "link.created",
    "checkout.opened",
    "checkout.submitted",
    "risk.assessed",
    "payment.created",
    "payment.attempted",
    "payment.succeeded",
    "journal.posted",
    "checkout.completed",
    "link.completed",
)
SEALED = {"subject": "subj_eu_06p0wz7b4hk53g6qyt8nwc2mse", "retention_class": "payments", "ciphertext": "A" * 220}
TRANSACTION_ROWS = 1_000
COLUMNS = (
    "id::text, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id, "
    "data::text, pii::text, xid::text::bigint"
)


def fill(database: RegionDatabase, events: int, seed: int = 1) -> None:
    """Commit that many events of realistic size, in transactions of 1,000, straight into the outbox."""
    random = Random(seed)
    templates = [
        (kind, found.family, found.version, json.dumps(found.examples[0]), json.dumps(SEALED) if found.pii else None)
        for kind in STORY
        for found in [registry()[kind]]
    ]
    subjects = [new_id("payment", database.region) for _ in range(4096)]
    with database.connect("postgres") as admin:
        admin.execute(
            """CREATE TEMPORARY TABLE template (n serial, type text, family text, version smallint, data jsonb,
                                               pii jsonb)"""
        )
        for template in templates:
            admin.execute(
                "INSERT INTO template (type, family, version, data, pii) VALUES (%s, %s, %s, %s, %s)", template
            )
        admin.execute("CREATE TEMPORARY TABLE subject (n int, id text)")
        with admin.cursor().copy("COPY subject FROM STDIN") as copy:
            for number, subject in enumerate(subjects):
                copy.write_row((number, subject))
        offset = random.randrange(1 << 40)
        for first in range(0, events, TRANSACTION_ROWS):
            admin.execute(
                """INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time,
                                       schema_version, correlation_id, data, pii)
                   SELECT uuidv7(), t.type, t.family, s.id, %(offset)s + g, %(merchant)s, false, clock_timestamp(),
                          t.version, 'req_eu_06p0wz7b4hk53g6qyt8nwc2mse', t.data, t.pii
                     FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g
                     JOIN template AS t ON t.n = 1 + g %% 10 JOIN subject AS s ON s.n = (g / 10) %% 4096""",
                {
                    "offset": offset,
                    "merchant": database.merchant_id,
                    "first": first,
                    "last": min(first + TRANSACTION_ROWS, events) - 1,
                },
            )
        admin.execute("VACUUM ANALYZE outbox")


def read_and_discard(database: RegionDatabase) -> tuple[int, float]:
    """The baseline: rows read and the seconds it took."""
    with database.connect("relay") as connection, connection.transaction(), connection.cursor(name="baseline") as rows:
        count, begun = 0, time.perf_counter()
        rows.execute(sql.SQL("SELECT {} FROM outbox").format(sql.SQL(COLUMNS)))
        while page := rows.fetchmany(5000):
            count += len(page)
        return count, time.perf_counter() - begun


def relay_backlog(database: RegionDatabase, bootstrap: str) -> tuple[int, float]:
    """Send the whole backlog as the relay's process would: events sent and the seconds until the cursor has moved."""
    from regions.region import load_region

    region, stop = load_region(database.region), threading.Event()
    ensure_topics(region, bootstrap, timeout_seconds=30)
    with connect(region, database.role_urls["relay"], "bench relay") as connection:
        if not lead(connection, Task.RELAY, stop):
            raise SystemExit("another relay leads")
        producer = BatchProducer(bootstrap, "bench-relay", stop, lambda: True)
        relay = Relay(region, connection, producer)
        sent, begun = 0, time.perf_counter()
        while step := relay.step():
            sent += step
        seconds = time.perf_counter() - begun
        producer.close()
    return sent, seconds


def measure(database: RegionDatabase, cluster: KafkaCluster, events: int, rounds: int = 3) -> dict[str, float]:
    """Fill, read, relay, read, in turns; each round reads and sends its own rows and those of no other.

    The rate of reading is that before and after the relay together, for on a machine that others use too both change
    from minute to minute.
    """
    read_rates, relay_rates, costs = [], [], []
    for number in range(rounds):
        with database.connect("postgres") as admin:
            admin.execute("TRUNCATE outbox")
        begun = time.perf_counter()
        fill(database, events, seed=number)
        print(f"filled {events:,} events in {time.perf_counter() - begun:.0f} s", flush=True)
        read_and_discard(database)  # all find the rows in memory
        read, read_seconds = read_and_discard(database)
        cpu = psutil.Process().cpu_times()
        sent, relay_seconds = relay_backlog(database, cluster.bootstrap)
        own = psutil.Process().cpu_times()
        again, again_seconds = read_and_discard(database)
        if (read, again, sent) != (events, events, events):
            raise SystemExit(f"read {read} and {again}, and sent {sent} of {events} events")
        read_rates.append((read + again) / (read_seconds + again_seconds))
        relay_rates.append(sent / relay_seconds)
        costs.append((own.user + own.system - cpu.user - cpu.system) / sent * 1e6)
        print(
            f"round {number + 1}: read {read_rates[-1]:,.0f}/s, relay {relay_rates[-1]:,.0f}/s ({costs[-1]:.2f} us of "
            f"CPU an event in the relay, peak memory {psutil.Process().memory_info().rss / 2**20:.0f} MiB)",
            flush=True,
        )
    read_rate, relay_rate = statistics.median(read_rates), statistics.median(relay_rates)
    return {
        "events": events,
        "read_events_per_second": round(read_rate),
        "events_per_second": round(relay_rate),
        "cpu_us_per_event": round(statistics.median(costs), 2),
        "ratio": round(relay_rate / read_rate, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    calm_collector()
    with (
        tempfile.TemporaryDirectory(prefix="meridian-bench-") as folder,
        running_postgres(settings={}) as server,
        region_on(server) as database,
        running_kafka(Path(folder), given.brokers, heap_mb=512) as cluster,
    ):
        found = measure(database, cluster, given.events, given.rounds)
    print(json.dumps(found | {"brokers": given.brokers}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
