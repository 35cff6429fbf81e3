"""The books' commands: postings converge, breaks take two people, closed days stay closed."""

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from psycopg.errors import CheckViolation, IntegrityConstraintViolation, UniqueViolation

from regions.ids import house_id, new_id
from regions.posting import RULE_VERSION
from regions.region import load_region
from tests.support.books import Books, arrived, counts, decide, line, paid_out, payout_id, proposal, settled
from tests.support.regional import RegionDatabase
from web.app import create_app
from web.settings import Settings

HOUSE = house_id("eu")


@pytest.fixture
def books(region_app: Flask, region_database: RegionDatabase) -> Books:
    return Books(region_app, region_database)


def test_a_line_moves_clearing_to_bank_clearing_less_fees_and_frees_the_merchants_money(books: Books) -> None:
    payment, subject = books.pay(1999), line()
    fact = settled(payment, 1999, 59)
    assert counts(books.post((subject, fact))) == (1, 0, 0, 0)
    assert books.balances(payment, subject) == {
        "bank_clearing:sandbox EUR": 1940,
        "gateway_fees:sandbox:commission EUR": 59,
        "merchant_payable_available EUR": -1999,
    }
    assert counts(books.post((subject, fact))) == (0, 0, 1, 0)
    payout, entry = payout_id(), line()
    assert counts(books.post((payout, paid_out(1940)), merchant_id=None)) == (1, 0, 0, 0)
    under_way = books.balances(payment, subject, payout)
    assert ("bank_clearing:sandbox EUR" in under_way, under_way["bank_clearing:sandbox:paid_out EUR"]) == (False, 1940)
    assert counts(books.post((entry, arrived(payout, 1940)), merchant_id=None)) == (1, 0, 0, 0)
    assert not [name for name in books.balances(payment, subject, payout, entry) if name.startswith("bank_clearing")]


def test_a_match_that_changes_is_reversed_and_may_come_back(books: Books) -> None:
    payment, subject = books.pay(1000), line()
    unmatched, matched = settled(None, 1000), settled(payment, 1000)
    assert counts(books.post((subject, unmatched))) == (1, 0, 0, 0)
    assert books.balances(subject)["suspense:sandbox EUR"] == -1000
    assert counts(books.post((subject, matched))) == (1, 1, 0, 0)
    assert "suspense:sandbox EUR" not in books.balances(subject)
    assert counts(books.post((subject, unmatched))) == (1, 1, 0, 0)  # as at first, so under a key that was used before
    assert counts(books.post((subject, None))) == (0, 1, 0, 0)
    assert books.balances(subject) == {}


def test_an_amount_that_differs_waits_in_suspense(books: Books) -> None:
    payment, subject = books.pay(1000), line()
    books.post((subject, settled(payment, 1100)))
    found = books.balances(payment, subject)
    assert (found["suspense:sandbox EUR"], "gateway_clearing:sandbox EUR" in found) == (-100, False)


def test_what_cannot_be_posted_is_refused_whole(books: Books) -> None:
    payment, subject = books.pay(1000), line()
    assert books.post((subject, settled(new_id("payment", "eu"), 1000))).status_code == 409
    assert books.post((subject, settled(payment, 1000)), (line(), settled(payment, 1000))).status_code == 409
    assert books.post((subject, settled(payment, 1000, net_minor=999))).status_code == 422
    body = {"merchant_id": None, "livemode": False, "rule_version": RULE_VERSION}
    wrong = [{"subject_id": subject, "key": "0" * 64, "fact": settled(None, 5)}]
    assert books.command("recon/postings", body | {"postings": wrong}).status_code == 422
    assert books.balances(subject) == {}
    stranger = books.app.test_client().post("/internal/v1/recon/postings", json=body)
    assert stranger.status_code == 401


def test_a_write_off_takes_two_people_and_can_be_taken_back(books: Books) -> None:
    subject, break_id = line(), new_id("break", "eu")
    maker, checker = books.person(), books.person("owner")
    books.post((subject, settled(None, 700)), merchant_id=None)
    body, key = proposal(books, break_id, line_id=subject, actor=maker), secrets.token_hex(8)
    made = books.command("recon/resolutions", body, key)
    assert (made.status_code, made.json["status"], made.json["amount_minor"]) == (201, "proposed", -700)
    assert books.command("recon/resolutions", body, key).json["id"] == made.json["id"]
    assert books.command("recon/resolutions", body | {"reason": "other"}, key).status_code == 422
    assert books.command("recon/resolutions", body).status_code == 409  # it is being resolved
    resolution = made.json["id"]
    assert decide(books, resolution, "approved", maker).status_code == 403
    assert decide(books, resolution, "approved", books.person("developer")).status_code == 403
    assert decide(books, resolution, "approved", checker).json["status"] == "approved"
    assert decide(books, resolution, "approved", checker).status_code == 200  # and nothing more is booked
    assert books.balances(subject, resolution) == {"bank_clearing:sandbox EUR": 700, "write_offs:sandbox EUR": -700}
    assert decide(books, resolution, "reopened", maker).json["status"] == "reopened"
    assert books.balances(subject, resolution)["suspense:sandbox EUR"] == -700
    again = books.command("recon/resolutions", body)
    assert decide(books, again.json["id"], "rejected", checker).json["status"] == "rejected"


def test_the_database_itself_refuses_a_maker_as_checker(books: Books, region_database: RegionDatabase) -> None:
    subject, maker = line(), books.person()
    books.post((subject, settled(None, 10)), merchant_id=None)
    body = proposal(books, new_id("break", "eu"), line_id=subject, actor=maker)
    made = books.command("recon/resolutions", body).json
    approve = """INSERT INTO recon_decisions (resolution_id, merchant_id, decision, proposed_by, needs_checker,
                   decided_by, decided_at, journal_id)
                 SELECT id, merchant_id, 'approved', proposed_by, needs_checker, proposed_by, now(),
                        (SELECT journal_id FROM recon_postings WHERE subject_id = %s)
                   FROM recon_resolutions WHERE id = %s"""
    with region_database.connect("postgres") as admin:
        with pytest.raises(CheckViolation, match="maker_is_not_checker"):
            admin.execute(approve, [subject, made["id"]])
        with pytest.raises(IntegrityConstraintViolation, match="append-only"):
            admin.execute("UPDATE recon_resolutions SET reason = 'x' WHERE id = %s", [made["id"]])


def test_a_line_and_an_item_are_matched_by_hand_and_a_match_that_is_found_later_takes_over(books: Books) -> None:
    payment, subject, person = books.pay(900), line(), books.person()
    books.post((subject, settled(None, 900)), merchant_id=None)
    body = proposal(
        books, new_id("break", "eu"), merchant_id=books.database.merchant_id, action="match", line_id=subject,
        item_id=payment, other_break_id=new_id("break", "eu"), actor=person,
    )  # fmt: skip
    made = books.command("recon/resolutions", body)
    assert (made.status_code, made.json["status"], made.json["needs_checker"]) == (201, "approved", False)
    settled_so = {"bank_clearing:sandbox EUR": 900, "merchant_payable_available EUR": -900}
    assert books.balances(payment, subject, made.json["id"]) == settled_so
    assert counts(books.post((subject, None), merchant_id=None)) == (0, 1, 0, 1)  # the hand's match is taken back
    assert counts(books.post((subject, settled(payment, 900)))) == (1, 0, 0, 0)
    assert books.balances(payment, subject, made.json["id"]) == settled_so


def test_a_match_that_leaves_something_over_needs_a_checker(books: Books) -> None:
    payment, subject = books.pay(900), line()
    books.post((subject, settled(None, 880)), merchant_id=None)
    body = proposal(
        books, new_id("break", "eu"), merchant_id=books.database.merchant_id, action="match", line_id=subject,
        item_id=payment, other_break_id=new_id("break", "eu"), actor=books.person(),
    )  # fmt: skip
    made = books.command("recon/resolutions", body).json
    assert (made["status"], made["amount_minor"]) == ("proposed", 20)
    decide(books, made["id"], "approved", books.person())
    assert books.balances(payment, subject, made["id"])["write_offs:sandbox EUR"] == 20


def test_an_item_that_never_settles_is_written_off_and_its_merchant_paid(books: Books) -> None:
    payment, maker = books.pay(900), books.person()
    body = proposal(
        books, new_id("break", "eu"), merchant_id=books.database.merchant_id, break_class="missing_at_gateway",
        item_id=payment, actor=maker,
    )  # fmt: skip
    made = books.command("recon/resolutions", body).json
    assert decide(books, made["id"], "approved", books.person()).status_code == 200
    assert books.balances(payment, made["id"]) == {
        "merchant_payable_available EUR": -900,
        "write_offs:sandbox EUR": 900,
    }
    subject = line()
    assert counts(books.post((subject, settled(payment, 900)))) == (1, 0, 0, 1)
    assert "write_offs:sandbox EUR" not in books.balances(payment, subject, made["id"])


def test_a_chargeback_line_settles_the_dispute_that_we_booked_and_no_other_takes_it_twice(books: Books) -> None:
    (dispute, moved), subject = books.dispute(600), line()
    fact = settled(moved, -600, kind="chargeback")
    assert counts(books.post((subject, fact))) == (1, 0, 0, 0)
    assert books.balances(dispute, subject) == {
        "bank_clearing:sandbox EUR": -600,
        "disputes EUR": 600,
        "reserve:disputes EUR": -600,
        "merchant_payable_available EUR": 600,
    }
    assert books.post((line(), fact)).status_code == 409
    alone = line()
    books.post((alone, settled(None, -600, kind="chargeback")), merchant_id=None)
    assert books.balances(alone) == {"bank_clearing:sandbox EUR": -600, "disputes:sandbox EUR": 600}


JOURNAL = """INSERT INTO ledger_journals (id, merchant_id, livemode, kind, source_id, occurred_at, accounting_date)
             VALUES (%s, %s, false, 'payment', %s, now(), %s)"""
ENTRY = "INSERT INTO ledger_entries VALUES (%s, %s, %s, 'a', 'EUR', %s)"


def test_a_closed_period_takes_nothing_and_what_is_late_is_booked_on_the_first_open_day(
    new_region_database: Callable[..., RegionDatabase],
) -> None:
    database, region = new_region_database(), load_region("eu")
    books = Books(create_app(region, Settings.from_environment(region, database.env)), database)
    actor, through, at = books.person(), date(2026, 3, 31), datetime(2026, 3, 14, 12, tzinfo=UTC)
    before, subject = books.pay(500, at=at), line()
    close = {"through": through.isoformat(), "actor": actor, "reason": "March is done"}
    future = close | {"through": (datetime.now(UTC).date() + timedelta(days=1)).isoformat()}
    assert books.command("ledger/closes", future).status_code == 409
    assert books.command("ledger/closes", close | {"actor": books.person("support")}).status_code == 403
    assert [books.command("ledger/closes", close).status_code for _ in range(2)] == [201, 200]
    assert books.command("ledger/closes", close | {"through": "2026-02-28"}).status_code == 409
    late = books.pay(700, at=at)
    books.post((subject, settled(before, 500)))
    with database.connect("postgres") as admin:
        days = dict(admin.execute("SELECT source_id, accounting_date FROM ledger_journals").fetchall())
        assert (days[before], days[late]) == (at.date(), date(2026, 4, 1))
        assert set(days.values()) == {at.date(), date(2026, 4, 1)}
        for day in (at.date(), through):
            with pytest.raises(IntegrityConstraintViolation, match="closed period"):
                admin.execute(JOURNAL, [new_id("journal", "eu"), database.merchant_id, new_id("payment", "eu"), day])
        with pytest.raises(IntegrityConstraintViolation, match="append-only"):
            admin.execute("DELETE FROM ledger_closes")


def test_a_reversal_takes_back_all_of_a_journal_once(books: Books, region_database: RegionDatabase) -> None:
    reverse = JOURNAL.replace("accounting_date)", "accounting_date, reverses_id)").replace("now(), %s", "now(), %s, %s")
    subject = line()
    books.post((subject, settled(None, 700)))
    merchant_id, today = region_database.merchant_id, datetime.now(UTC).date()
    with region_database.connect("postgres") as admin:
        row = admin.execute("SELECT journal_id FROM recon_postings WHERE subject_id = %s", [subject]).fetchone()
        assert row is not None
        reversal = new_id("journal", "eu")
        admin.execute("BEGIN")
        admin.execute(reverse, [reversal, merchant_id, row[0], today, row[0]])
        for number, amount in enumerate((5, -5), start=1):
            admin.execute(ENTRY, [reversal, number, merchant_id, amount])
        with pytest.raises(CheckViolation, match="does not take back"):
            admin.execute("COMMIT")
    books.post((subject, None))
    with region_database.connect("postgres") as admin, pytest.raises(UniqueViolation):
        admin.execute(reverse, [new_id("journal", "eu"), merchant_id, "another", today, row[0]])
