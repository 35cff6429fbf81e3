"""The ledger's rules, where nobody can go round them: in the database."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, IntegrityConstraintViolation, UniqueViolation

from regions.ids import new_id
from tests.support.regional import RegionDatabase

JOURNAL = """INSERT INTO ledger_journals (id, merchant_id, livemode, kind, source_id, occurred_at, accounting_date)
             VALUES (%s, %s, false, 'payment', %s, now(), current_date)"""
ENTRY = """INSERT INTO ledger_entries (journal_id, line, merchant_id, account, currency, amount_minor)
           VALUES (%s, %s, %s, 'a', %s, %s)"""


@pytest.fixture
def web(region_database: RegionDatabase) -> Iterator[psycopg.Connection]:
    with region_database.connect("web") as connection:
        connection.execute("SELECT set_config('meridian.merchant_id', %s, false)", [region_database.merchant_id])
        yield connection


def post(web: psycopg.Connection, merchant_id: str, *entries: tuple[str, int]) -> str:
    journal_id = new_id("journal", "eu")
    with web.transaction():
        web.execute(JOURNAL, [journal_id, merchant_id, new_id("payment", "eu")])
        for line, (currency, amount_minor) in enumerate(entries, start=1):
            web.execute(ENTRY, [journal_id, line, merchant_id, currency, amount_minor])
    return journal_id


def test_a_balanced_journal_is_kept(web: psycopg.Connection, region_database: RegionDatabase) -> None:
    journal_id = post(web, region_database.merchant_id, ("EUR", 5), ("EUR", -5), ("SEK", 7), ("SEK", -7))
    count = web.execute("SELECT count(*) FROM ledger_entries WHERE journal_id = %s", [journal_id]).fetchone()
    assert count == (4,)


@pytest.mark.parametrize(
    "entries",
    [
        [("EUR", 5), ("EUR", -4)],
        [("EUR", 5), ("SEK", -5)],
        [("EUR", 5), ("EUR", -5), ("SEK", 1), ("SEK", -2)],
        [("EUR", 5)],
        [],
    ],
)
def test_an_unbalanced_journal_does_not_commit(
    web: psycopg.Connection, region_database: RegionDatabase, entries: list[tuple[str, int]]
) -> None:
    with pytest.raises(CheckViolation):
        post(web, region_database.merchant_id, *entries)


def hide_entries(web: psycopg.Connection, merchant_id: str) -> None:
    journal_id = new_id("journal", "eu")
    with web.transaction():
        web.execute(JOURNAL, [journal_id, merchant_id, new_id("payment", "eu")])
        web.execute(ENTRY, [journal_id, 1, merchant_id, "EUR", 5])
        web.execute("SELECT set_config('meridian.merchant_id', 'merch_eu_other', true)")


def add_entries(web: psycopg.Connection, merchant_id: str, journal_id: str) -> None:
    with web.transaction():
        web.execute(ENTRY, [journal_id, 3, merchant_id, "EUR", 1])
        web.execute(ENTRY, [journal_id, 4, merchant_id, "EUR", -1])


def test_hiding_the_entries_does_not_pass_for_balance(web: psycopg.Connection, region_database: RegionDatabase) -> None:
    with pytest.raises(CheckViolation):
        hide_entries(web, region_database.merchant_id)


def test_entries_cannot_join_later_even_balanced(web: psycopg.Connection, region_database: RegionDatabase) -> None:
    journal_id = post(web, region_database.merchant_id, ("EUR", 5), ("EUR", -5))
    with pytest.raises(IntegrityConstraintViolation, match="was not posted in this transaction"):
        add_entries(web, region_database.merchant_id, journal_id)


def test_entries_belong_to_their_journals_merchant(region_database: RegionDatabase) -> None:
    other, _ = region_database.add_merchant()
    journal_id = new_id("journal", "eu")
    with region_database.connect("worker") as worker, worker.transaction(force_rollback=True):
        worker.execute(JOURNAL, [journal_id, region_database.merchant_id, new_id("payment", "eu")])
        with pytest.raises(ForeignKeyViolation):
            worker.execute(ENTRY, [journal_id, 1, other, "EUR", 5])


@pytest.mark.parametrize("table", ["ledger_journals", "ledger_entries"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET merchant_id = merchant_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_nobody_edits_the_ledger(region_database: RegionDatabase, table: str, statement: str) -> None:
    with (
        region_database.connect("postgres") as superuser,
        pytest.raises(IntegrityConstraintViolation, match="append-only"),
    ):
        superuser.execute(statement.format(table))


def test_a_source_is_booked_once_per_kind(web: psycopg.Connection, region_database: RegionDatabase) -> None:
    source = new_id("payment", "eu")
    with web.transaction(force_rollback=True):
        web.execute(JOURNAL, [new_id("journal", "eu"), region_database.merchant_id, source])
        with pytest.raises(UniqueViolation):
            web.execute(JOURNAL, [new_id("journal", "eu"), region_database.merchant_id, source])
