"""The bank's leg of the books, and open balances at a period's end."""

from datetime import date
from fractions import Fraction

import pytest
from flask import Flask

from pipelines.books.posting import carry_out, plan_revaluation
from pipelines.books.revaluation import Movement, postings, revalue, subjects_of
from pipelines.fx.ecb import bundled_history
from pipelines.fx.rates import CrossRate, RateTable
from regions.ids import new_id
from regions.region import load_region
from tests.support.books import Books, arrived, counts, decide, line, paid_out, payout_id, proposal
from tests.support.regional import RegionDatabase


@pytest.fixture
def books(region_app: Flask, region_database: RegionDatabase) -> Books:
    return Books(region_app, region_database)


def test_a_payout_that_never_arrives_is_written_off_by_two_and_taken_back_when_it_comes(books: Books) -> None:
    payout, entry, break_id = payout_id(), line(), new_id("break", "eu")
    books.post((payout, paid_out(800)), merchant_id=None)
    body = proposal(books, break_id, break_class="missing_at_bank", line_id=payout, actor=books.person())
    made = books.command("recon/resolutions", body)
    assert (made.status_code, made.json["amount_minor"], made.json["needs_checker"]) == (201, 800, True)
    resolution = made.json["id"]
    assert decide(books, resolution, "approved", books.person()).status_code == 200
    assert books.balances(payout, resolution) == {"bank_clearing:sandbox EUR": -800, "write_offs:sandbox EUR": 800}
    assert counts(books.post((entry, arrived(payout, 800)), merchant_id=None)) == (1, 0, 0, 1)
    found = books.balances(payout, entry, resolution)
    assert found == {"bank_clearing:sandbox EUR": -800, "bank:MeridianEU EUR": 800}


def test_what_arrived_wrong_is_the_difference_of_what_was_paid_out(books: Books) -> None:
    payout, entries = payout_id(), [line(), line()]
    books.post((payout, paid_out(800)), (entries[0], arrived(payout, 500)), merchant_id=None)
    body = proposal(books, new_id("break", "eu"), break_class="amount", line_id=payout, actor=books.person())
    made = books.command("recon/resolutions", body).json
    assert (made["status"], made["amount_minor"]) == ("proposed", 300)
    assert counts(books.post((entries[1], arrived(payout, 300)), merchant_id=None)) == (1, 0, 0, 1)  # the rest came
    refused = books.command("recon/resolutions", body | {"reason": "again"})
    assert (refused.status_code, "add up" in refused.json["detail"]) == (409, True)


def test_an_entry_and_a_payout_are_matched_by_hand_and_come_apart_again(books: Books) -> None:
    payout, entry = payout_id(), line()
    books.post((payout, paid_out(800)), (entry, arrived(None, 800)), merchant_id=None)
    assert books.balances(entry)["suspense:bank EUR"] == -800
    body = proposal(
        books, new_id("break", "eu"), break_class="unknown_at_bank", action="match", line_id=entry, item_id=payout,
        other_break_id=new_id("break", "eu"), actor=books.person(),
    )  # fmt: skip
    made = books.command("recon/resolutions", body).json
    assert (made["status"], made["needs_checker"], made["amount_minor"]) == ("approved", False, 0)
    settled_so = {"bank_clearing:sandbox EUR": -800, "bank:MeridianEU EUR": 800}
    assert books.balances(payout, entry, made["id"]) == settled_so
    assert decide(books, made["id"], "reopened", books.person()).json["status"] == "reopened"
    assert books.balances(payout, entry, made["id"])["suspense:bank EUR"] == -800
    again = books.command("recon/resolutions", body).json
    assert again["status"] == "approved"
    assert counts(books.post((entry, arrived(payout, 800)), merchant_id=None)) == (1, 1, 0, 1)  # found by reference
    assert books.balances(payout, entry, again["id"], made["id"]) == settled_so


BALANCES = """
    SELECT j.accounting_date, e.account, sum(e.amount_minor)::bigint FROM ledger_journals j
      JOIN ledger_entries e ON e.journal_id = j.id
     WHERE j.accounting_date IN ('2024-03-29', '2024-03-30') AND e.account LIKE %s
     GROUP BY 1, 2 HAVING sum(e.amount_minor) <> 0 ORDER BY 1, 2"""


def test_open_dollars_are_worth_the_banks_closing_rate_at_the_periods_end_and_what_they_were_after_it(
    books: Books,
) -> None:
    """At the central bank's real rates of March 2024, through the service, and back on the next period's first day."""
    region, through = load_region("eu"), date(2024, 3, 29)
    table = RateTable(bundled_history())

    def rate(base: str, quote: str, on: date) -> CrossRate:
        return table.cross(base, quote, table.published_on(on))

    def revalued(*balances: tuple[str, int]) -> tuple[int, int, int]:
        moved = [Movement(name, "USD", False, date(2024, 3, 4), amount) for name, amount in balances]
        found, refused = revalue(moved, "EUR", through, rate)
        assert refused == []
        with books.database.connect("reader") as reader:
            todo = plan_revaluation(reader, subjects_of(through), list(postings(region, through, found)))
        done = carry_out(todo, lambda path, body: books.command(path, body).json)
        return done.posted, done.reversed, done.unchanged

    def booked() -> list[tuple[date, str, int]]:
        with books.database.connect("postgres") as admin:
            return admin.execute(BALANCES, ["revaluation:%"]).fetchall()

    assert revalued(("bank:b", 1_000_000), ("suspense:g", -40_000)) == (4, 0, 0)
    # 1 EUR was 1.0846 USD on 4 March and 1.0811 USD on 28 March, the last business day.
    gain = round(Fraction(1_000_000 * 10_000, 10_811)) - round(Fraction(1_000_000 * 10_000, 10_846))
    loss = round(Fraction(-40_000 * 10_000, 10_811)) - round(Fraction(-40_000 * 10_000, 10_846))
    back = date(2024, 3, 30)
    assert booked() == [
        (through, "revaluation:bank_b", gain), (through, "revaluation:suspense_g", loss),
        (back, "revaluation:bank_b", -gain), (back, "revaluation:suspense_g", -loss),
    ]  # fmt: skip
    assert revalued(("bank:b", 1_000_000), ("suspense:g", -40_000)) == (0, 0, 4)
    assert revalued(("bank:b", 1_000_000)) == (0, 2, 2)  # the other is settled by a late item
    assert [row[1] for row in booked()] == ["revaluation:bank_b"] * 2
