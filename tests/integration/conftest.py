import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.regional import RegionDatabase


@pytest.fixture
def client(region_app: Flask) -> FlaskClient:
    return region_app.test_client()


@pytest.fixture
def key(region_database: RegionDatabase) -> dict[str, str]:
    """The header that the merchant's requests carry."""
    return {"Authorization": f"Bearer {region_database.secret_key}"}
