"""Fixtures that every integration test shares. With pytest-xdist each worker has a server of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask import Flask

from regions.region import load_region
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.regional import RegionDatabase, region_on
from web.settings import Settings

LONGEST = ("stack", "kafka", "kill")  # groups that start whole stacks, the longest first


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests on one worker: what a module sets up is set up once. A file may name another group.

    The longest groups begin first: a run ends with whoever began last.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """When an item's group begins; groups of the same turn keep their order."""
    marker = item.get_closest_marker("xdist_group")
    group = marker.args[0] if marker else ""
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this test session, not durable, on a free port."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def region_database(postgres_server: PostgresServer) -> Iterator[RegionDatabase]:
    """Region `eu`, with a merchant and a key, shared by the whole session: leave no global state behind."""
    with region_on(postgres_server, "eu") as database:
        yield database


@pytest.fixture
def new_region_database(postgres_server: PostgresServer) -> Iterator[Callable[..., RegionDatabase]]:
    """Make empty provisioned databases for one test: `new_region_database("us")`."""
    with ExitStack() as stack:
        yield lambda region="eu": stack.enter_context(region_on(postgres_server, region))


@pytest.fixture(scope="session")
def region_app(region_database: RegionDatabase) -> Flask:
    """The web service of `region_database`'s region; a gateway that it calls does not answer."""
    from web.app import create_app

    region = load_region(region_database.region)
    return create_app(region, Settings.from_environment(region, region_database.env))
