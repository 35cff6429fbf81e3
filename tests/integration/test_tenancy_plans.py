"""Statements that name their tenant themselves see the tenant's rows whatever plan PostgreSQL makes of them.

Row-level security reads a setting which such a statement makes: read first, it hides every row.
"""

from collections.abc import Iterator
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from psycopg import sql

from regions.region import load_region
from tests.support.api import BODY
from tests.support.regional import RegionDatabase
from web.app import create_app
from web.settings import Settings

INDEXES = ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")
PLANS = [INDEXES, ("enable_nestloop",), (*INDEXES, "enable_nestloop"), (*INDEXES, "enable_nestloop", "enable_hashjoin")]


@pytest.fixture(params=PLANS, ids=" ".join)
def planned(request: pytest.FixtureRequest, region_database: RegionDatabase) -> Iterator[FlaskClient]:
    """The web service on connections whose planner is denied something."""
    settings = [f"ALTER ROLE web IN DATABASE {{}} SET {name} = off" for name in request.param]
    region = load_region(region_database.region)
    with region_database.connect("postgres") as admin:
        database = sql.Identifier(admin.info.dbname)
        try:
            for setting in settings:
                admin.execute(sql.SQL(setting).format(database))
            yield create_app(region, Settings.from_environment(region, region_database.env)).test_client()
        finally:
            admin.execute(sql.SQL("ALTER ROLE web IN DATABASE {} RESET ALL").format(database))


def test_a_merchant_sees_its_rows_under_any_plan(planned: FlaskClient, region_database: RegionDatabase) -> None:
    merchant_id, secret = region_database.add_merchant()
    region_database.add_merchant()  # so that the one looked for is not the first, nor the last
    key = {"Authorization": f"Bearer {secret}"}
    once = key | {"Idempotency-Key": "one"}
    made = planned.post("/v1/links", json=BODY, headers=once)
    assert made.status_code == 201
    again = planned.post("/v1/links", json=BODY, headers=once)
    assert (again.get_json(), again.headers["Idempotency-Replayed"]) == (made.get_json(), "true")
    link_id = made.get_json()["id"]
    assert planned.get(f"/v1/links/{link_id}", headers=key).get_json() == made.get_json()
    assert [link["id"] for link in planned.get("/v1/links", headers=key).get_json()["data"]] == [link_id]
    assert planned.get("/v1/events", headers=key).get_json()["data"] != []
    assert planned.post(f"/v1/links/{link_id}/deactivate", headers=key).get_json()["status"] == "deactivated"
    assert last_use(region_database, merchant_id) is not None


@pytest.mark.parametrize("planned", [("enable_seqscan",)], indirect=True)
def test_last_use_is_noted_whichever_index_finds_the_key(planned: FlaskClient, region_database: RegionDatabase) -> None:
    """While every merchant has one key, the index by merchant promises as much as the one by id."""
    merchant_id, secret = region_database.add_merchant()
    hide = "UPDATE pg_index SET indisvalid = %s WHERE indexrelid = 'api_keys_pkey'::regclass"
    with region_database.connect("postgres") as admin:
        try:
            admin.execute(hide, [False])
            made = planned.post("/v1/links", json=BODY, headers={"Authorization": f"Bearer {secret}"})
        finally:
            admin.execute(hide, [True])
    assert made.status_code == 201
    assert last_use(region_database, merchant_id) is not None


def last_use(region_database: RegionDatabase, merchant_id: str) -> datetime | None:
    with region_database.connect("postgres") as connection:
        [row] = connection.execute("SELECT last_used_at FROM api_keys WHERE merchant_id = %s", [merchant_id])
    used: datetime | None = row[0]
    return used
