"""Thousands of commits: the last cost what the first did, with maintenance beside them."""

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.ingest.writer import LakeWriter
from regions.region import load_region
from tests.support.lake import PARTITION, intake
from tests.support.regional import RegionDatabase
from warehouse.lake import Lake
from warehouse.lake_maintain import Policy, maintain


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_the_time_of_a_commit_is_flat_over_thousands(new_region_database: Callable[..., RegionDatabase]) -> None:
    commits = int(os.environ.get("MERIDIAN_TEST_COMMITS", "2400"))
    window = commits // 12
    lake = Lake.open(load_region("eu"), new_region_database().env_for("lake"))
    writer = LakeWriter("eu", lake)
    cpu: list[float] = []
    for number in range(1, commits + 1):
        begun = time.process_time()
        writer.commit(intake(number), {PARTITION: number})
        cpu.append(time.process_time() - begun)
        if number % (4 * window) == 0:
            now = datetime.now(UTC) + timedelta(seconds=1)
            maintain(lake, Policy(keep=timedelta(0), settle=timedelta(0)), now, lambda _: None)
            writer = LakeWriter("eu", lake)  # the fence
    first, last = statistics.median(cpu[window : 2 * window]), statistics.median(cpu[-window:])
    print(f"{commits} commits: {first * 1e3:.1f} ms of CPU each at first, {last * 1e3:.1f} ms at last")
    assert last < 1.5 * first
    assert lake.events().scan().count() == commits
    lake.close()
