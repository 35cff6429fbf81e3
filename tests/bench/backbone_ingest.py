"""The ingest on a real Apache Kafka, against consuming the same records with librdkafka and discarding them.

What it measures, each by wall time and by CPU time (for a machine that others use too):

- Kafka to committed snapshot, for a backlog that the relay has sent
- from the commit in PostgreSQL to queryable in the lake, at a steady rate through real relay and ingest processes
- one commit of 100,000 events upon 1, 5 and 20 million rows of history

`tests/bench/backbone.py` runs it.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, TopicPartition

from pipelines.broker import client_settings, topic_partitions
from pipelines.ingest import parse
from pipelines.ingest.bulk import BulkParser
from pipelines.ingest.domain import Chains
from pipelines.ingest.reader import PartitionReader
from pipelines.ingest.records import Record, chunks_of
from pipelines.ingest.service import Ingest
from pipelines.ingest.writer import Intake, LakeWriter
from pipelines.leadership import connect
from pipelines.positions import Position, partition_key
from regions import events
from tests.support.stream import stream_on
from warehouse.lake import Lake, read_lake_seq
from warehouse.lake_writer import stage_append

if TYPE_CHECKING:
    from regions.region import Region
    from tests.support.regional import RegionDatabase

IDLE_SECONDS = 20.0
HISTORY_ROWS_PER_COMMIT = 500_000
BATCH = 100_000


def timed(work: Callable[[], int]) -> tuple[int, float, float]:
    """What was counted, wall seconds, CPU seconds of this process."""
    cpu = psutil.Process().cpu_times()
    begun = time.perf_counter()
    count = work()
    wall = time.perf_counter() - begun
    now = psutil.Process().cpu_times()
    return count, wall, now.user + now.system - cpu.user - cpu.system


def partitions_of(region: Region) -> list[tuple[str, int]]:
    return [(topic, number) for topic, count in topic_partitions(region).items() for number in range(count)]


def consume_and_discard(region: Region, bootstrap: str, expected: int) -> int:
    """The baseline: every record once, its value never looked at."""
    consumer = Consumer(
        client_settings(bootstrap, "bench-bare")
        | {"group.id": "bench-bare", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, number, 0) for topic, number in partitions_of(region)])
    count, last = 0, time.monotonic()
    while count < expected and time.monotonic() - last < IDLE_SECONDS:
        messages = consumer.consume(10_000, 0.5)
        if messages:
            count, last = count + len(messages), time.monotonic()
    consumer.close()
    return count


def ingest_backlog(region: Region, database: RegionDatabase, bootstrap: str, expected: int) -> int:
    """The ingest as its process runs it, until the lake holds everything; counts the rows in the lake."""
    lake = Lake.open(region, database.env_for("lake"))
    with connect(region, database.role_urls["lake"], "bench ingest") as connection:
        writer = LakeWriter(region.code, lake)
        keys = [partition_key(*place) for place in partitions_of(region)]
        reader = PartitionReader(bootstrap, "bench-ingest", keys, writer.offsets)
        ingest = Ingest(connection, writer, reader)
        count, last = 0, time.monotonic()
        while count < expected and time.monotonic() - last < IDLE_SECONDS:
            if found := ingest.step(0.5):
                count, last = count + found, time.monotonic()
        ingest.close()
        reader.close()
    snapshot = lake.events().current_snapshot()
    lake.close()
    if snapshot is None or snapshot.summary is None:
        return 0
    return int(snapshot.summary.additional_properties["total-records"])


def against_bare(region: Region, database: RegionDatabase, bootstrap: str, expected: int) -> dict[str, float]:
    """Both sides, on the same records."""
    bare, bare_wall, bare_cpu = timed(lambda: consume_and_discard(region, bootstrap, expected))
    ingested, wall, cpu = timed(lambda: ingest_backlog(region, database, bootstrap, expected))
    if (bare, ingested) != (expected, expected):
        raise SystemExit(f"consumed {bare} and ingested {ingested} of {expected} events")
    print(f"bare consume {bare / bare_wall:,.0f}/s ({bare_cpu / bare * 1e6:.2f} us of CPU an event)", flush=True)
    print(f"ingest {ingested / wall:,.0f}/s ({cpu / ingested * 1e6:.2f} us of CPU an event)", flush=True)
    return {
        "ingest_events": ingested,
        "bare_events_per_second": round(bare / bare_wall),
        "ingest_events_per_second": round(ingested / wall),
        "ingest_cpu_us_per_event": round(cpu / ingested * 1e6, 2),
        "ingest_events_per_cpu_second": round(ingested / cpu),
        "ingest_ratio": round(bare_wall / wall, 3),
    }


def latency(database: RegionDatabase, bootstrap: str, folder: Path, rate: int, seconds: float) -> dict[str, float]:
    """Commit to queryable at a steady rate, through the real processes; an event is there when its snapshot is."""
    kind = events.registry()["payment.created"]
    seen: dict[int, float] = {}
    stop = threading.Event()
    with stream_on(database, bootstrap, folder) as stream:
        lake = stream.lake()
        lake.ensure_tables()
        base = read_lake_seq(lake.events())
        stream.start("relay")
        stream.start("ingest")

        def watch() -> None:
            while not stop.is_set():
                number = read_lake_seq(lake.events())
                now = time.time()
                for one in range(max(seen, default=base) + 1, number + 1):
                    seen[one] = now
                time.sleep(0.02)

        watcher = threading.Thread(target=watch)
        watcher.start()
        committed: dict[str, float] = {}
        try:
            with database.connect("worker") as worker:
                begun = time.time()
                for tick in range(int(seconds * 10)):
                    time.sleep(max(0.0, begun + tick / 10 - time.time()))
                    with worker.transaction():
                        subjects = (f"pay_bench_{tick}_{number}" for number in range(rate // 10))
                        ids = [stream.append(worker, kind.name, subject) for subject in subjects]
                    committed |= dict.fromkeys(ids, time.time())
                elapsed = time.time() - begun
            deadline = time.time() + 60
            rows: dict[str, int] = {}
            while time.time() < deadline and not committed.keys() <= rows.keys():
                time.sleep(0.5)
                table = lake.events().scan(row_filter=f"lake_seq > {base}", selected_fields=("event_id", "lake_seq"))
                found = table.to_arrow()
                rows = dict(zip(found["event_id"].to_pylist(), found["lake_seq"].to_pylist(), strict=True))
        finally:
            stop.set()
            watcher.join()
            lake.close()
    waits = sorted(seen[rows[event_id]] - at for event_id, at in committed.items())
    p50, p99 = statistics.median(waits), waits[int(len(waits) * 0.99)]
    print(
        f"{len(waits)} events at {len(waits) / elapsed:,.0f}/s: queryable after p50 {p50:.2f} s, p99 {p99:.2f} s",
        flush=True,
    )
    return {"latency_rate": round(len(waits) / elapsed), "latency_p50_s": round(p50, 3), "latency_p99_s": round(p99, 3)}


def history(region: Region, database: RegionDatabase, steps: list[int], folder: Path) -> dict[str, object]:
    """CPU time of the same commit upon ever more rows of history, in a lake of its own."""
    env = database.env_for("lake") | {f"LAKE_URI_{region.code.upper()}": (folder / "history").as_uri()}
    (folder / "history").mkdir()
    lake = Lake.open(region, env)
    writer = LakeWriter(region.code, lake)
    template = BulkParser(region.code).prove(chunks_of(_records(BATCH, 0))).events
    costs: dict[str, float] = {}
    walls: dict[str, float] = {}
    rows, number = 0, 1
    for step in steps:
        while rows < step:
            size = min(HISTORY_ROWS_PER_COMMIT, step - rows)
            copies = pa.concat_tables([template] * -(-size // BATCH)).slice(0, size)
            block = parse.with_commit(_older(copies, rows), 1, parse.now())
            stage_append(lake, lake.events(), block, {}).commit()
            rows += size
        samples = []
        for _ in range(4):
            records = _records(BATCH, number)
            writer = LakeWriter(region.code, lake)
            intake = Intake(Chains({"eu.payments.v1/0": Position(1, number, BATCH)}), chunks_of(records))
            samples.append(timed(lambda writer=writer, intake=intake: _commit(writer, intake)))  # type: ignore[misc]
            number += 1
            rows += BATCH
        costs[str(step)] = round(min(cpu for _, _, cpu in samples) / BATCH * 1e6, 2)
        walls[str(step)] = round(min(wall for _, wall, _ in samples) / BATCH * 1e6, 2)
        print(
            f"upon {step:,} rows: {costs[str(step)]} us of CPU an event ({walls[str(step)]} us of wall time)",
            flush=True,
        )
    lake.close()
    spread = max(costs.values()) / min(costs.values()) - 1
    return {
        "cpu_us_per_event_by_history": costs,
        "wall_us_per_event_by_history": walls,
        "history_spread": round(spread, 3),
    }


def _commit(writer: LakeWriter, intake: Intake) -> int:
    writer.commit(intake, {})
    return BATCH


def _older(rows: pa.Table, shift: int) -> pa.Table:
    """History lies on earlier days, one after the other."""
    days = pa.scalar(-(1 + shift // HISTORY_ROWS_PER_COMMIT) * 86_400_000_000, pa.duration("us"))
    place = rows.schema.get_field_index("time")
    return rows.set_column(place, "time", pc.add(rows["time"], days))


def _records(count: int, batch: int) -> list[Record]:
    kind = events.registry()["payment.succeeded"]
    example = kind.examples[0]
    data = json.dumps({name: example[name] for name in sorted(example, key=lambda name: (len(name), name))})
    found = []
    for number in range(count):
        subject = f"pay_eu_06p0wz7b4hk53g6q{number % 4096:04d}0000"
        value = events.envelope_json(
            event_id=f"{batch:08d}-0000-7000-8000-{number:012d}",
            type=kind.name,
            region="eu",
            subject=subject,
            time=parse.now(),
            merchant_id="merch_eu_06p0wz7b4hk53g6qyt8nwc2mse",
            livemode=False,
            sequence=number + 1,
            schema_version=kind.version,
            correlation_id="req_eu_06p0wz7b4hk53g6qyt8nwc2mse",
            data=data,
            pii=None,
            xid=batch + 1,
        )
        found.append(Record("eu.payments.v1", 0, number, f"1:{batch}:{number + 1}", subject.encode(), value))
    return found
