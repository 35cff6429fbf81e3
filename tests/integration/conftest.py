from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pipelines.recon.second.build import check_build
from tests.support.regional import RegionDatabase
from warehouse.build_record import BuildRecord
from warehouse.builds import Warehouse


@pytest.fixture
def client(region_app: Flask) -> FlaskClient:
    return region_app.test_client()


@pytest.fixture
def key(region_database: RegionDatabase) -> dict[str, str]:
    """The header that the merchant's requests carry."""
    return {"Authorization": f"Bearer {region_database.secret_key}"}


@pytest.fixture(scope="session", autouse=True)
def second_implementation() -> Iterator[None]:
    """Every build that any test reconciles is held against the second implementation of reconciliation."""
    first = Warehouse.reconcile

    def reconcile(self: Warehouse, record: BuildRecord, *rest: Any) -> BuildRecord:
        made = first(self, record, *rest)
        assert check_build(self.path(made.number), self.region, made.business_date) == []
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Warehouse, "reconcile", reconcile)
        yield
