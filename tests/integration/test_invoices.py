"""Invoices as issued: numbers without gaps, each month once, and nothing changed afterwards but by a credit note."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from typing import Any

import pytest
from flask import Flask
from psycopg.errors import CheckViolation, InsufficientPrivilege, IntegrityConstraintViolation

from regions.billing import totals
from regions.pricing import Fixed, Plan, Tier, Usage, invoice
from tests.support.books import Books
from tests.support.regional import RegionDatabase

PLAN = Plan("standard", (Tier(None, 14_000),), {"EUR": Fixed(25, 10, 0)}, 190_000)
MONTHS = (f"{year}-{month:02}" for year in range(2011, 2025) for month in range(1, 13))


@pytest.fixture
def books(region_app: Flask, region_database: RegionDatabase) -> Books:
    return Books(region_app, region_database)


@pytest.fixture
def actor(books: Books) -> str:
    return books.person()


@pytest.fixture
def months() -> list[str]:
    """Months that no other test bills."""
    return list(islice(MONTHS, 8))


def asked(books: Books, month: str, actor: str, volume: int = 123_456, **more: Any) -> dict[str, Any]:
    lines = [asdict(line) | {"basis": "rows"} for line in invoice(PLAN, "EUR", Usage(7, volume, 1))]
    head = {"merchant_id": books.database.merchant_id, "livemode": False, "currency": "EUR", "month": month}
    return head | {"plan": "standard", "build": 3, "lines": lines, **totals(lines), "actor": actor} | more


def credit(books: Books, number: str, actor: str) -> dict[str, Any]:
    head = {"merchant_id": books.database.merchant_id, "livemode": False}
    return head | {"number": number, "reason": "wrong plan", "actor": actor}


def sequences(database: RegionDatabase) -> list[int]:
    with database.connect("postgres") as admin:
        rows = admin.execute("SELECT sequence FROM invoices WHERE NOT livemode ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def test_a_month_is_invoiced_once_and_the_same_figures_again_issue_nothing(
    books: Books, actor: str, months: list[str]
) -> None:
    first = books.command("invoices", asked(books, months[0], actor))
    assert first.status_code == 201, first.json
    again = books.command("invoices", asked(books, months[0], actor, build=4))
    assert (again.status_code, again.json["number"], again.json["build"]) == (200, first.json["number"], 3)
    other = books.command("invoices", asked(books, months[0], actor, volume=999))
    assert other.status_code == 409
    assert first.json["number"] in other.json["detail"]
    assert first.json["issuer"] == "Meridian Payments Europe GmbH, Berlin"
    assert set(first.json["customer"]) == {"name", "country"}


def test_an_invoice_is_taken_back_whole_once_and_the_month_invoiced_anew(
    books: Books, actor: str, months: list[str]
) -> None:
    first = books.command("invoices", asked(books, months[0], actor)).json
    note = books.command("invoices/credit-notes", credit(books, first["number"], actor))
    assert (note.status_code, note.json["credits"]) == (201, first["number"])
    assert note.json["total_minor"] == -first["total_minor"]
    assert note.json["taxes"] == [
        {name: value if name == "tax_millionths" else -value for name, value in tax.items()} for tax in first["taxes"]
    ]
    again = books.command("invoices/credit-notes", credit(books, first["number"], actor))
    assert (again.status_code, again.json["number"]) == (200, note.json["number"])
    assert books.command("invoices/credit-notes", credit(books, note.json["number"], actor)).status_code == 409
    second = books.command("invoices", asked(books, months[0], actor, volume=999))
    assert second.status_code == 201
    numbers = [int(one["number"].rpartition("-")[2]) for one in (first, note.json, second.json)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_many_at_once_take_numbers_without_gaps_though_some_fail(books: Books, actor: str, months: list[str]) -> None:
    wanted = [asked(books, month, actor) for month in months for _ in range(2)]
    wanted += [one | {"total_minor": one["total_minor"] + 1} for one in wanted[:4]]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: books.command("invoices", body), wanted))
    assert sorted(answer.status_code for answer in answers) == [200] * 8 + [201] * 8 + [422] * 4
    found = sequences(books.database)
    assert found == list(range(1, len(found) + 1))


def test_a_number_that_was_drawn_and_not_committed_is_drawn_again(books: Books, actor: str, months: list[str]) -> None:
    number = books.command("invoices", asked(books, months[0], actor)).json["number"]
    copied = """INSERT INTO invoices (merchant_id, livemode, issuer, year, kind, month, currency, revision, total_minor,
                  document, issued_by, issued_on, issued_at)
                SELECT merchant_id, livemode, issuer, year, kind, %s, currency, 1, total_minor, document, issued_by,
                  issued_on, issued_at FROM invoices WHERE number = %s RETURNING number"""
    with books.database.connect("postgres") as admin:
        admin.execute("BEGIN")
        ((drawn,),) = admin.execute(copied, [f"{months[1]}-01", number]).fetchall()
        admin.execute("ROLLBACK")
        with pytest.raises(CheckViolation, match="was not taken back"):
            admin.execute(copied.replace("currency, 1,", "currency, 2,"), [f"{months[1]}-01", number])
    assert books.command("invoices", asked(books, months[1], actor)).json["number"] == drawn


def test_what_was_issued_cannot_be_changed_and_the_service_cannot_touch_the_numbers(
    books: Books, actor: str, months: list[str]
) -> None:
    number = books.command("invoices", asked(books, months[0], actor)).json["number"]
    with books.database.connect("postgres") as admin:
        for change in ("UPDATE invoices SET total_minor = 1", "DELETE FROM invoices"):
            with pytest.raises(IntegrityConstraintViolation, match="append-only"):
                admin.execute(f"{change} WHERE number = %s", [number])  # type: ignore[arg-type]
    with books.database.connect("web") as web, pytest.raises(InsufficientPrivilege):
        web.execute("UPDATE invoice_series SET last_number = 1")


CREDIT = """
INSERT INTO invoices (merchant_id, livemode, issuer, year, kind, credits, month, currency, revision, total_minor,
                      document, reason, issued_by, issued_on, issued_at)
SELECT merchant_id, livemode, issuer, year, 'credit_note', number, month, currency, revision + %s, %s - total_minor,
       document, 'wrong', issued_by, issued_on, issued_at FROM invoices WHERE number = %s
"""


@pytest.mark.parametrize(("revision", "minor"), [(0, 1), (0, -1), (1, 0)])
def test_the_database_itself_takes_back_an_invoice_whole_or_not_at_all(
    books: Books, actor: str, months: list[str], revision: int, minor: int
) -> None:
    number = books.command("invoices", asked(books, months[0], actor)).json["number"]
    with books.database.connect("postgres") as admin, pytest.raises(CheckViolation, match="does not take back"):
        admin.execute(CREDIT, [revision, minor, number])
    assert books.command("invoices/credit-notes", credit(books, number, actor)).status_code == 201


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"total_minor": 1}, 422),
        ({"lines": []}, 422),
        ({"month": "2026-13"}, 422),
        ({"month": "2099-01"}, 409),
        ({"actor": "nobody@example.com"}, 403),
        ({"merchant_id": "merch_us_06p0wz3q4hk53g6qyt8nwc2mse"}, 421),
    ],
)
def test_what_cannot_be_issued_is_refused_and_takes_no_number(
    books: Books, actor: str, more: dict[str, Any], status: int
) -> None:
    before = sequences(books.database)
    assert books.command("invoices", asked(books, "2010-01", actor) | more).status_code == status
    assert sequences(books.database) == before


def test_another_merchants_invoice_is_not_found(books: Books, actor: str, months: list[str]) -> None:
    number = books.command("invoices", asked(books, months[0], actor)).json["number"]
    other, _ = books.database.add_merchant()
    body = credit(books, number, actor) | {"merchant_id": other}
    assert books.command("invoices/credit-notes", body).status_code == 404
    stranger = books.app.test_client().post("/internal/v1/invoices", json=asked(books, months[0], actor))
    assert stranger.status_code == 401
