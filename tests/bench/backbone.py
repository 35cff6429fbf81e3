"""The event backbone on a real Apache Kafka, in one run: relay, ingest, latency, cost upon history.

    python tests/bench/backbone.py [--events N] [--brokers N] [--history 1,5,20] [--rate N] [--seconds N] [--tiny]

The last line is JSON. What a step has measured and no later one needs is deleted before the next, so that the disk
holds about 4 KiB for each event at most, and nothing is begun without so much; memory stays below 4 GiB, which
the making of history takes, however many events there are.
`--tiny` is for a run of half a minute that only shows that everything works. Rates by wall time mean little on a
machine that others use; figures named `cpu` hold there too.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipelines.foreground import calm_collector  # noqa: E402
from regions.region import load_region  # noqa: E402
from tests.bench import backbone_ingest, backbone_relay  # noqa: E402
from tests.support.kafka import running_kafka  # noqa: E402
from tests.support.postgres import running_postgres  # noqa: E402
from tests.support.regional import region_on  # noqa: E402

MILLION = 1_000_000
DISK_BYTES_PER_EVENT = 4096  # the outbox and its log, Kafka's, the lake
SPARE_BYTES = 4 * 1024**3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=MILLION)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--history", default="1,5,20", help="millions of rows")
    parser.add_argument("--rate", type=int, default=500, help="events per second for the latency")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    count, seconds = (20_000, 3.0) if given.tiny else (given.events, given.seconds)
    steps = [] if given.tiny else [round(float(one) * MILLION) for one in given.history.split(",") if one]
    needed, free = count * DISK_BYTES_PER_EVENT + SPARE_BYTES, shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        parser.error(f"{count:,} events need {needed / 2**30:.0f} GiB of disk, and {free / 2**30:.0f} GiB are free")
    calm_collector()
    with (
        tempfile.TemporaryDirectory(prefix="meridian-bench-") as name,
        running_postgres(settings={}) as server,
        region_on(server) as database,
        running_kafka(Path(name), given.brokers, heap_mb=512) as cluster,
    ):
        region, folder = load_region(database.region), Path(name)
        relayed = backbone_relay.measure(database, cluster, count, rounds=1)
        found: dict[str, object] = {f"relay_{key}": value for key, value in relayed.items()}
        with database.connect("postgres") as admin:
            admin.execute("TRUNCATE outbox")  # the relay has had all of it acknowledged
        found |= backbone_ingest.against_bare(region, database, cluster.bootstrap, count)
        found |= backbone_ingest.latency(database, cluster.bootstrap, folder, given.rate, seconds)
    if steps:
        with (
            tempfile.TemporaryDirectory(prefix="meridian-bench-") as name,
            running_postgres(settings={}) as server,
            region_on(server) as database,
        ):
            found |= backbone_ingest.history(load_region(database.region), database, steps, Path(name))
    print(json.dumps(found | {"brokers": given.brokers}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
