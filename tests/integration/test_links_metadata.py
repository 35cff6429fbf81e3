"""Lists by a filter: as fast among many links as among few, under row-level security, and right after every change."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from regions.region import load_region
from tests.support.regional import RegionDatabase
from web.clock import utc_now
from web.db.engine import Database
from web.db.scope import Scope, enter_tenant
from web.links import repository
from web.links.schemas import ListLinks

LINKS = 50_000  # half of them share a key and a value: what an index on the JSON would have to sort
LIVE = 5_000  # beside them: others' references and campaigns, in the other mode
BUFFERS_MAX = 400
SORTED_MAX = 20
PASSED_OVER_MAX = 100
FILL = """
INSERT INTO links (id, merchant_id, livemode, code, amount_minor, currency, reference, created_at, campaign, status,
                   expires_at, expired_at, metadata)
SELECT 'plink_eu_' || %(merchant)s || n, %(merchant)s, n > %(links)s, md5(%(merchant)s || n), 1999, 'EUR',
       CASE WHEN n > %(links)s THEN 'LIVE' WHEN n %% 3 = 0 THEN 'SAME' ELSE 'INV-' || n END,
       now() - n * interval '1 second', CASE WHEN n > %(links)s THEN 'live' ELSE 'spring' END,
       CASE WHEN n %% 25000 = 0 THEN 'deactivated' ELSE 'active' END,
       now() + CASE WHEN n %% 10000 = 1 THEN -1 ELSE 1 END * interval '1 day',
       CASE WHEN n %% 20000 = 1 THEN now() END,
       CASE WHEN n %% 2 = 0 THEN jsonb_build_object('shop', 'berlin', 'order', n::text)
            ELSE jsonb_build_object('n', '1') END
  FROM generate_series(1, %(links)s::int + %(live)s) AS n
"""
FIND = """
INSERT INTO link_metadata SELECT l.id, l.merchant_id, l.livemode, m.key, md5(m.value)::uuid, l.created_at
  FROM links AS l, jsonb_each_text(l.metadata) AS m WHERE l.merchant_id = %s
"""


@pytest.fixture(scope="module")
def many(region_database: RegionDatabase) -> Iterator[str]:
    """A merchant with many links; gone in the end, because others count what is in the database."""
    merchant_id, _ = region_database.add_merchant()
    with region_database.connect("postgres") as connection:
        connection.execute("SET session_replication_role = replica")  # no audit entries, and no triggers
        connection.execute(FILL, {"merchant": merchant_id, "links": LINKS, "live": LIVE})
        connection.execute(FIND, [merchant_id])
        connection.execute("ANALYZE links")
        connection.execute("ANALYZE link_metadata")
        yield merchant_id
        for table in ("link_metadata", "links"):
            connection.execute(f"DELETE FROM {table} WHERE merchant_id = %s", [merchant_id])


@pytest.mark.parametrize(
    ("asked", "livemode", "found"),
    [
        (ListLinks(status="deactivated"), False, 2),
        (ListLinks(status="completed"), False, 0),
        (ListLinks(status="expired"), False, 5),
        (ListLinks(status="expired", campaign="spring"), False, 5),
        (ListLinks(status="expired", campaign="live"), False, 0),
        (ListLinks(status="expired", metadata_key="n"), False, 5),
        (ListLinks(reference=f"INV-{LINKS - 1}"), False, 1),
        (ListLinks(reference="SAME"), False, 20),
        (ListLinks(reference="SAME"), True, 0),
        (ListLinks(campaign="spring"), False, 20),
        (ListLinks(campaign="spring"), True, 0),
        (ListLinks(campaign="spring", status="deactivated"), False, 2),
        (ListLinks(metadata_key="shop"), False, 20),
        (ListLinks(metadata_key="shop", metadata_value="berlin"), False, 20),
        (ListLinks(metadata_key="shop", metadata_value="berlin", status="active"), False, 20),
        (ListLinks(metadata_key="order", metadata_value=str(LINKS)), False, 1),
        (ListLinks(metadata_key="order", metadata_value="nowhere"), False, 0),
        (ListLinks(metadata_key="nowhere"), False, 0),
    ],
)
def test_a_page_reads_what_it_shows_and_little_more(
    region_database: RegionDatabase,
    many: str,
    asked: ListLinks,
    livemode: bool,  # noqa: FBT001 - a parameter of the test
    found: int,
) -> None:
    database = Database(region_database.role_urls["web"], application_name="tests", pool_size=1)
    statements: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
    with database.transaction() as connection:
        enter_tenant(connection, many)
        scope = Scope(connection, load_region("eu"), many, livemode, "req", utc_now())
        links, _ = repository.page(scope, asked)
        statement, values = statements[-1]
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values).scalar_one()
    database.dispose()
    assert len(links) == found
    assert links == sorted(links, key=lambda link: (link.created_at, link.id), reverse=True)
    root = plan[0]["Plan"]
    assert root["Shared Hit Blocks"] + root["Shared Read Blocks"] < BUFFERS_MAX, json.dumps(plan, indent=1)
    passed_over = sum(node.get("Rows Removed by Filter", 0) for node in nodes(root))
    assert passed_over <= PASSED_OVER_MAX, json.dumps(plan, indent=1)
    into_sorts = [node["Plans"][0]["Actual Rows"] for node in nodes(root) if node["Node Type"].endswith("Sort")]
    assert all(rows <= SORTED_MAX for rows in into_sorts), json.dumps(plan, indent=1)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def test_filters_follow_the_metadata(client: FlaskClient, region_database: RegionDatabase) -> None:
    headers, foreign = ({"Authorization": f"Bearer {region_database.add_merchant()[1]}"} for _ in range(2))
    body = {"amount_minor": 100, "currency": "EUR", "reference": "R", "metadata": {"a": "1", "b": "ü"}}
    ids = [client.post("/v1/links", json=body, headers=headers).get_json()["id"] for _ in range(3)]
    client.post("/v1/links", json=body, headers=foreign)

    def ids_by(query: str) -> list[str]:
        answer = client.get(f"/v1/links?metadata_key={query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [link["id"] for link in answer.get_json()["data"]]

    assert ids_by("a") == ids_by("a&metadata_value=1") == ids_by("b&metadata_value=ü") == ids[::-1]
    assert ids_by("a&metadata_value=2") == ids_by("c") == []
    assert ids_by(f"a&starting_after={ids[1]}") == [ids[0]]
    assert ids_by(f"a&ending_before={ids[1]}") == [ids[2]]
    assert ids_by("a&created_before=2020-01-01T00:00:00Z") == []
    changed = client.patch(f"/v1/links/{ids[1]}", json={"metadata": {"a": "2"}}, headers=headers)
    assert changed.status_code == 200, changed.text
    assert ids_by("a&metadata_value=1") == [ids[2], ids[0]]
    assert ids_by("a&metadata_value=2") == [ids[1]]
    assert ids_by("b") == [ids[2], ids[0]]
