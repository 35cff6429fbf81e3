"""Merchants with endpoints, on a database of their own: whatever is due there is a test's."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.postgres import PostgresServer
from tests.support.regional import region_on
from tests.support.webhooks import Hooks, hooks_on


@pytest.fixture(scope="session")
def make(postgres_server: PostgresServer) -> Iterator[Callable[[], Hooks]]:
    with region_on(postgres_server) as database, hooks_on(database) as make:
        yield make


@pytest.fixture
def hooks(make: Callable[[], Hooks]) -> Hooks:
    return make()
