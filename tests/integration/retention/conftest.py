from collections.abc import Iterator

import pytest

from tests.support.erasure import Bureau, open_bureau
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def bureau(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bureau]:
    with open_bureau(postgres_server, tmp_path_factory.mktemp("bureau")) as opened:
        yield opened
