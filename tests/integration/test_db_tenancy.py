"""Row-level security, as the serving roles see it."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from regions.ids import new_code, new_id
from tests.support.regional import RegionDatabase

TENANT_TABLES = (
    "merchants",
    "api_keys",
    "idempotency_keys",
    "links",
    "data_subjects",
    "checkout_sessions",
    "payments",
    "link_slots",
    "link_metadata",
    "attempts",
    "refunds",
    "routing_preferences",
    "payout_settings",
    "payouts",
    "saved_methods",
    "saved_method_settings",
    "renewals",
    "renewal_periods",
    "bulk_jobs",
    "bulk_chunks",
    "ledger_journals",
    "ledger_entries",
    "invoices",
    "recon_postings",
    "recon_resolutions",
    "recon_decisions",
    "object_sequences",
    "outbox",
    "captures",
    "disputes",
    "erasure_requests",
    "fees",
    "metered_captures",
    "monthly_volumes",
    "pricing_plans",
    "splits",
    "voids",
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_endpoints",
    "webhook_events",
    "webhook_health",
    "webhook_secrets",
)


@pytest.fixture
def web(region_database: RegionDatabase) -> Iterator[psycopg.Connection]:
    with region_database.connect("web") as connection:
        yield connection


@pytest.fixture
def foreign_link(region_database: RegionDatabase) -> tuple[str, str]:
    """Another merchant, and a link of theirs."""
    merchant_id, _ = region_database.add_merchant()
    return merchant_id, insert_link(region_database, merchant_id)


def insert_link(region_database: RegionDatabase, merchant_id: str, code: str | None = None) -> str:
    link_id = new_id("link", "eu")
    with region_database.connect("worker") as connection:
        connection.execute(
            """INSERT INTO links (id, merchant_id, livemode, code, amount_minor, currency, reference)
               VALUES (%s, %s, false, %s, 100, 'EUR', 'R')""",
            [link_id, merchant_id, code or new_code()],
        )
    return link_id


def become(connection: psycopg.Connection, merchant_id: str) -> None:
    connection.execute("SELECT set_config('meridian.merchant_id', %s, false)", [merchant_id])


def visible(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


def test_every_table_with_a_merchant_is_forced_or_out_of_the_services_reach(region_database: RegionDatabase) -> None:
    """What web or worker can touch is forced. A table of another role's alone may do without (legal holds)."""
    with region_database.connect("postgres") as connection:
        tables = connection.execute(
            """SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
                      EXISTS (SELECT FROM unnest(ARRAY['web', 'worker']) AS role,
                                          unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS privilege
                               WHERE has_any_column_privilege(role, c.oid, privilege)
                                  OR has_table_privilege(role, c.oid, 'DELETE')),
                      has_any_column_privilege('web', c.oid, 'SELECT')
                 FROM pg_class AS c
                WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
                  AND (c.relname = 'merchants' OR EXISTS (
                    SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'merchant_id'))"""
        ).fetchall()
    assert {name for name, is_forced, _, is_read in tables if is_forced and is_read} == set(TENANT_TABLES)
    assert [name for name, is_forced, is_reachable, _ in tables if is_reachable and not is_forced] == []


def test_no_role_bypasses_row_security(region_database: RegionDatabase) -> None:
    with region_database.connect("postgres") as connection:
        roles = connection.execute(
            "SELECT rolname FROM pg_roles WHERE (rolbypassrls OR rolsuper) AND rolname <> 'postgres'"
        ).fetchall()
    assert roles == []


# api_keys and outbox are not readable whole: their own tests are below.
@pytest.mark.parametrize("table", sorted(set(TENANT_TABLES) - {"api_keys", "outbox"}))
@pytest.mark.parametrize("setting", [None, ""])
def test_without_a_tenant_no_row_is_seen(
    web: psycopg.Connection, region_app: object, table: str, setting: str | None
) -> None:
    if setting is not None:
        become(web, setting)
    assert visible(web, table) == 0


def test_a_tenant_sees_own_rows_only(
    web: psycopg.Connection, region_database: RegionDatabase, foreign_link: tuple[str, str]
) -> None:
    own = insert_link(region_database, region_database.merchant_id)
    become(web, region_database.merchant_id)
    seen = {row[0] for row in web.execute("SELECT id FROM links").fetchall()}
    assert own in seen
    assert foreign_link[1] not in seen
    alone = web.execute("SELECT id FROM merchants WHERE parent_id IS NULL").fetchall()  # others may have made accounts
    assert alone == [(region_database.merchant_id,)]
    assert web.execute("UPDATE links SET reference = 'mine' WHERE id = %s", [foreign_link[1]]).rowcount == 0


def test_a_tenant_cannot_write_for_another(
    web: psycopg.Connection, region_database: RegionDatabase, foreign_link: tuple[str, str]
) -> None:
    become(web, region_database.merchant_id)
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        web.execute(
            """INSERT INTO links (id, merchant_id, livemode, code, amount_minor, currency, reference)
               VALUES (%s, %s, false, %s, 100, 'EUR', 'R')""",
            [new_id("link", "eu"), foreign_link[0], new_code()],
        )
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        web.execute(
            "SELECT append_event('link.created', 'links', %s, %s, false, 1::smallint, NULL, '{}', NULL)",
            [new_id("link", "eu"), foreign_link[0]],
        )


def test_an_event_cannot_take_a_number_of_anothers_object(
    web: psycopg.Connection, region_database: RegionDatabase, foreign_link: tuple[str, str]
) -> None:
    append = "SELECT append_event('link.created', 'links', %s, %s, false, 1::smallint, NULL, '{}', NULL)"
    with region_database.connect("worker") as worker:
        worker.execute(append, [foreign_link[1], foreign_link[0]])
    become(web, region_database.merchant_id)
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        web.execute(append, [foreign_link[1], region_database.merchant_id])


def test_the_owner_sees_no_business_row(region_database: RegionDatabase) -> None:
    insert_link(region_database, region_database.merchant_id)
    with region_database.connect("owner") as owner:
        assert visible(owner, "links") == 0
        assert visible(owner, "outbox") == 0


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("web", "SELECT hash FROM api_keys"),
        ("web", "SELECT * FROM outbox"),
        ("web", "UPDATE outbox SET type = type"),
        ("web", "DELETE FROM outbox"),
        ("worker", "DELETE FROM outbox"),
        ("web", "SELECT body FROM gateway_webhooks"),
        ("web", "DELETE FROM links"),
        ("web", "UPDATE ledger_entries SET amount_minor = 1"),
        ("worker", "DELETE FROM ledger_journals"),
        ("web", "SET ROLE tenant_lookup"),
        ("web", "SET ROLE owner"),
        ("web", "CREATE TABLE mine (id int)"),
        ("reader", "SELECT hash FROM api_keys"),
        ("reader", "SELECT * FROM idempotency_keys"),
        ("reader", "INSERT INTO merchants VALUES ('m', 'n', 'DE')"),
        ("relay", "SELECT * FROM links"),
        ("lake", "SELECT * FROM outbox"),
        ("dispatcher", "SELECT * FROM links"),
        ("retention", "UPDATE ledger_entries SET amount_minor = 1"),
        ("worker", "SELECT * FROM tenant_of_link_code('x')"),
    ],
)
def test_least_privilege(region_database: RegionDatabase, role: str, statement: str) -> None:
    with region_database.connect(role) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


def test_a_link_code_finds_its_tenant_and_nothing_else(
    web: psycopg.Connection, region_database: RegionDatabase
) -> None:
    code = new_code()
    link_id = insert_link(region_database, region_database.merchant_id, code)
    found = web.execute("SELECT * FROM tenant_of_link_code(%s)", [code]).fetchall()
    assert found == [(link_id, region_database.merchant_id, False)]
    assert web.execute("SELECT * FROM tenant_of_link_code(%s)", [new_code()]).fetchall() == []
    assert visible(web, "links") == 0


def test_a_revoked_key_finds_no_tenant(web: psycopg.Connection, region_database: RegionDatabase) -> None:
    merchant_id, _ = region_database.add_merchant()
    with region_database.connect("postgres") as admin:
        row = admin.execute("SELECT hash FROM api_keys WHERE merchant_id = %s", [merchant_id]).fetchone()
        assert row is not None
        assert web.execute("SELECT merchant_id FROM tenant_of_key(%s)", row).fetchall() == [(merchant_id,)]
        admin.execute("UPDATE api_keys SET revoked_at = now() WHERE merchant_id = %s", [merchant_id])
    assert web.execute("SELECT merchant_id FROM tenant_of_key(%s)", row).fetchall() == []
