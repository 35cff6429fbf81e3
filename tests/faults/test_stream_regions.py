"""Several regions, each at a loopback address of its own: one is cut off, the others trade, and nothing crosses."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient

from pipelines.broker import client_settings
from tests.support.forwarder import Forwarder, forwarding
from tests.support.regional import RegionDatabase
from tests.support.stream import Broker, Stream, await_that, seeded, stream_on

ADDRESSES = {"eu": "127.0.11.1", "us": "127.0.12.1", "in": "127.0.13.1"}


@dataclass
class Place:
    """A region behind its address: database and broker can be reached through it alone."""

    stream: Stream
    links: list[Forwarder]

    def cut(self) -> None:
        for link in self.links:
            link.cut()

    def mend(self) -> None:
        for link in self.links:
            link.mend()

    def remote_addresses(self) -> set[str]:
        """Where the region's processes are connected to."""
        return {
            connection.raddr.ip
            for process in self.stream.processes
            for connection in psutil.Process(process.pid).net_connections("inet")
            if connection.raddr
        }


@pytest.fixture
def places(
    new_region_database: Callable[..., RegionDatabase], postgres_server: object, tmp_path: Path
) -> Iterator[dict[str, Place]]:
    with ExitStack() as stack:
        found = {}
        for code, address in ADDRESSES.items():
            inside = new_region_database(code)
            port = int(inside.url.rpartition(":")[2].partition("/")[0])
            database_link = stack.enter_context(forwarding(address, port))
            there = f"@{address}:{database_link.port}/"
            urls = {role: url.replace(f"@127.0.0.1:{port}/", there) for role, url in inside.role_urls.items()}
            folder = tmp_path / code
            folder.mkdir()
            broker = Broker(folder / "broker.log")
            broker_link = stack.enter_context(forwarding(address, broker.port))
            broker.advertised = f"{address}:{broker_link.port}"
            broker.start()
            stack.callback(broker.stop)
            database = replace(inside, role_urls=urls)
            stream = stack.enter_context(stream_on(database, broker.advertised, folder))
            found[code] = Place(stream, [database_link, broker_link])
        yield found


def test_one_region_is_cut_off_and_the_others_trade(places: dict[str, Place]) -> None:
    random = seeded()
    ids: dict[str, list[str]] = {}
    for code, place in places.items():
        for name in ("relay", "ingest"):
            place.stream.start(name)
        ids[code] = place.stream.trade(random, 10)
    for code, place in places.items():
        place.stream.await_lake(ids[code])
    cut, *others = (places["eu"], places["us"], places["in"])
    before = dict.fromkeys(ids["eu"])

    for code, place in places.items():
        assert place.remote_addresses() == {ADDRESSES[code]}, "a region's processes know their own address only"
    ids["eu"] += cut.stream.trade(random, 5)  # committed; whether it leaves before the cut is left to chance
    cut.cut()
    await_that("nothing of the region is connected", lambda: not cut.remote_addresses())
    for place in others:
        code = place.stream.region.code
        ids[code] += place.stream.trade(random, 10)
        place.stream.await_lake(ids[code])
    assert all(process.poll() is None for place in places.values() for process in place.stream.processes)

    cut.mend()
    ids["eu"] += cut.stream.trade(random, 5)
    cut.stream.await_lake(ids["eu"])
    assert set(before) < set(ids["eu"])
    for code, place in places.items():
        others_ids = {event for other, found in ids.items() if other != code for event in found}
        assert not others_ids & set(place.stream.in_lake())
        topics = AdminClient(client_settings(place.stream.bootstrap, "test")).list_topics(timeout=10).topics
        assert {topic.partition(".")[0] for topic in topics if not topic.startswith("__")} == {code}
        lake = place.stream.lake()
        assert set(lake.events().scan(selected_fields=("region",)).to_arrow()["region"].to_pylist()) == {code}
        lake.close()
