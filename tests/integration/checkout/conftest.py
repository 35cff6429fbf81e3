from collections.abc import Iterator

import pytest

from tests.support.opened import open_shop
from tests.support.postgres import PostgresServer
from tests.support.shop import Shop


@pytest.fixture(scope="session")
def open_for_business(postgres_server: PostgresServer) -> Iterator[Shop]:
    with open_shop(postgres_server) as shop:
        yield shop


@pytest.fixture
def shop(open_for_business: Shop) -> Iterator[Shop]:
    """The session's shop. The PSP behaves, and nothing that an earlier test left open is found."""
    open_for_business.dial(latency_ms=0, timeout_after_charge_next=0, duplicate_webhooks=0, down_seconds=0)
    open_for_business.forget_calls()
    open_for_business.put_open_work_away()
    yield open_for_business
    while open_for_business.deliver_webhooks():
        pass
