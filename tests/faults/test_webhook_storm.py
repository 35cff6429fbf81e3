"""Twenty endpoints of every temper, dispatchers SIGKILLed on the way: each healthy one gets every event, in order."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer
from tests.support.regional import region_on
from tests.support.stream import seeded
from tests.support.webhook_storm import TEMPERS, Storm, temperamental
from tests.support.webhooks import hooks_on

SLICE_EVENTS, CAMPAIGN_EVENTS = 25, 1000  # of which each goes to 20 endpoints


@pytest.fixture
def storm(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Storm]:
    with region_on(postgres_server) as database, hooks_on(database) as make, temperamental() as server:
        storm = Storm(make(), server, tmp_path)
        storm.make_endpoints()
        try:
            yield storm
        finally:
            storm.stop()


def blow(storm: Storm, events: int, kills: int, chance: random.Random, seconds: float) -> None:
    """Route while sending; kill dispatchers at random moments of the way; wait until the healthy have everything."""
    made = storm.route(events // 2, chance)
    for _ in range(2):
        storm.start()
    made += storm.route(events - events // 2, chance)
    assert made == events * len(TEMPERS)
    healthy = storm.pending_of_healthy() or 1
    marks = sorted(chance.uniform(0.1, 0.9) for _ in range(kills))
    deadline = time.monotonic() + seconds
    while (pending := storm.pending_of_healthy()) > 0:
        assert time.monotonic() < deadline, f"{pending} deliveries to healthy endpoints wait: {storm.figures()}"
        if marks and pending <= healthy * (1 - marks[0]):
            marks.pop(0)
            storm.kill_one()
        time.sleep(0.1)
    while marks:
        marks.pop(0)
        storm.kill_one()
    print(json.dumps(storm.figures()))
    assert storm.faults() == []
    assert storm.killed == kills
    assert storm.server.seen["/fast/99"] == 0, "a redirect was followed"
    gone = next(path for path in storm.paths.values() if path.startswith("/gone"))
    assert storm.server.seen[gone] <= 16, "an endpoint that is gone was asked on"


def test_a_storm(storm: Storm) -> None:
    blow(storm, SLICE_EVENTS, 2, seeded(), 60)


@pytest.mark.campaign
def test_a_storm_of_twenty_thousand(storm: Storm) -> None:
    blow(storm, CAMPAIGN_EVENTS, 12, seeded(), 1200)
