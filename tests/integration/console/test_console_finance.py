"""Finance on the console: breaks take two people there too, days are closed, and reports lead to their lines."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
from flask import Flask

from regions.billing import totals
from regions.posting import payout_subject
from regions.pricing import Fixed, Plan, Tier, Usage
from regions.pricing import invoice as priced
from tests.integration.console.conftest import Traded
from tests.integration.console.test_console_pages import ask, money, text_of
from tests.support.books import Books, arrived, paid_out, settled
from tests.support.console import BASE, Browser, commanding
from warehouse.reports.catalogue import REPORTS

PLAN = Plan("standard", (Tier(None, 14_000),), {"EUR": Fixed(25, 10, 0)}, 190_000)
HIDDEN = re.compile(r'name="(csrf|key)" value="([^"]+)"')


@pytest.fixture
def books(traded: Traded, region_app: Flask) -> Iterator[Books]:
    """The console's commands go to the web service of the same region."""
    with commanding(traded.house, region_app):
        yield Books(region_app, traded.house.database)


def hidden(page: str, heading: str) -> dict[str, str]:
    """What the form in a section carries without showing it."""
    return dict(HIDDEN.findall(page.split(f'id="{heading}"')[1]))


def act(browser: Browser, address: str, word: str, **said: str) -> Any:
    """Press the button of the resolution's form that leads to `word`."""
    page = browser.get(address).text
    form = hidden(page, "resolution")
    actions = re.findall(r'(?:action|formaction)="([^"]+)"', page.split('id="resolution"')[1])
    return browser.post(next(one for one in actions if one.endswith(word)), **form, **said)


def test_a_break_is_written_off_by_two_people_and_re_opened(traded: Traded, books: Books) -> None:
    [(break_id, line_id, gross)] = ask(
        traded, "SELECT break_id, line_id, settled_minor FROM fct_recon_breaks WHERE class = 'missing_with_us'"
    )
    address = f"/finance/breaks/{break_id}"
    maker, checker = traded.house.signed_in("finance"), traded.house.signed_in("owner")
    refused = act(maker, address, "resolve", reason="given up")
    assert (refused.status_code, "nothing open of this break" in refused.text) == (409, True)
    books.post((line_id, settled(None, gross)), merchant_id=None)
    assert act(maker, address, "resolve", reason="given up").status_code == 303
    assert "You proposed this" in maker.get(address).text
    own = act(maker, address, "approve", break_id=break_id)
    assert (own.status_code, "cannot approve it" in own.text) == (409, True)
    assert act(checker, address, "approve", break_id=break_id).status_code == 303
    assert "resolved" in text_of(maker.get("/finance/breaks").text)
    assert act(maker, address, "reopen", break_id=break_id).status_code == 303
    assert "Before: write off, reopened" in text_of(maker.get(address).text)
    assert books.balances(line_id)["suspense:sandbox EUR"] == -gross


def test_a_payout_that_never_arrived_and_an_entry_that_nobody_announced_are_matched_by_two_people(
    traded: Traded, books: Books
) -> None:
    [(payout_break, key, paid)] = ask(
        traded, "SELECT break_id, payout_key, -amount_minor FROM fct_bank_breaks WHERE class = 'missing_at_bank'"
    )
    [(entry_break, entry_id, came)] = ask(
        traded, "SELECT break_id, entry_id, amount_minor FROM fct_bank_breaks WHERE class = 'unknown_at_bank'"
    )
    maker, checker = traded.house.signed_in("finance"), traded.house.signed_in("owner")
    payout = payout_subject(key, livemode=False)
    books.post((payout, paid_out(paid)), (entry_id, arrived(None, came)), merchant_id=None)
    address = f"/finance/breaks/{payout_break}"
    assert act(maker, address, "resolve", reason="same money", other=entry_break).status_code == 303
    assert "You proposed this" in maker.get(address).text
    assert act(maker, address, "approve", break_id=payout_break).status_code == 409
    assert act(checker, address, "approve", break_id=payout_break).status_code == 303
    for break_id in (payout_break, entry_break):
        assert "Match: approved" in text_of(maker.get(f"/finance/breaks/{break_id}").text)
    listed = text_of(maker.get("/finance/breaks", leg="bank", status="resolved").text)
    assert "2 breaks" in listed
    assert act(maker, f"/finance/breaks/{entry_break}", "reopen", break_id=entry_break).status_code == 303
    assert books.balances(entry_id)["suspense:bank EUR"] == -came
    assert act(maker, f"/finance/breaks/{entry_break}", "resolve", reason="given up").status_code == 303
    assert act(checker, f"/finance/breaks/{entry_break}", "approve", break_id=entry_break).status_code == 303


def test_breaks_of_the_bank_are_listed_and_show_payout_and_entries_line_by_line(traded: Traded) -> None:
    browser = traded.house.signed_in("finance")
    [(break_id, reference)] = ask(
        traded, "SELECT break_id, payout_reference FROM fct_bank_breaks WHERE class = 'missing_at_bank'"
    )
    both, bank = (browser.get("/finance/breaks", **leg).text for leg in ({}, {"leg": "bank"}))
    assert both.count("Both sides</a>") == len(traded.planted) + 2
    assert bank.count("Both sides</a>") == 2
    assert "No break like this" in browser.get("/finance/breaks", leg="bank", currency="XXX").text
    assert break_id in html.unescape(bank)
    shown = text_of(browser.get(f"/finance/breaks/{break_id}").text)
    assert reference in shown
    assert "The bank received nothing" in shown
    assert "Report of" in shown
    [(entry_break,)] = ask(traded, "SELECT break_id FROM fct_bank_breaks WHERE class = 'unknown_at_bank'")
    shown = text_of(browser.get(f"/finance/breaks/{entry_break}").text)
    assert "No payout" in shown
    assert "UNK1" in shown
    assert "leg=bank" in html.unescape(browser.get("/finance").text)


@pytest.mark.parametrize("address", ["/finance/breaks/x/resolve", "/finance/resolutions/x/approve", "/finance/close"])
def test_a_decision_needs_our_form_and_the_role(traded: Traded, books: Books, address: str) -> None:
    assert books.app
    assert traded.house.signed_in("finance").post(address, csrf="0" * 64).status_code == 400
    assert traded.house.signed_in("support").post(address).status_code == 403
    assert traded.house.signed_in("finance", traded.own.merchant_id).post(address).status_code == 403


def test_without_a_way_to_the_service_the_console_only_reads(traded: Traded, books: Books) -> None:
    assert books.app
    extensions = traded.house.app.extensions
    extensions["meridian-console"] = replace(extensions["meridian-console"], commands=None)
    browser = traded.house.signed_in("finance")
    form = hidden(browser.get("/finance/close").text, "close")
    answer = browser.post("/finance/close", **form, through="2020-01-31", reason="r")
    assert (answer.status_code, "can only read" in answer.text) == (409, True)


def test_closing_a_day_that_is_not_over_is_refused_in_words(traded: Traded, books: Books) -> None:
    assert books.app
    browser = traded.house.signed_in("finance")
    form = hidden(browser.get("/finance/close").text, "close")
    answer = browser.post("/finance/close", **form, through="2999-12-31", reason="r")
    assert (answer.status_code, "only whole days of the past" in answer.text) == (409, True)


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_a_page_and_files(traded: Traded, name: str) -> None:
    browser = traded.house.signed_in("finance")
    page = browser.get(f"/finance/reports/{name}", since="2026-03-01", until="2026-03-31")
    assert (page.status_code, REPORTS[name].title in html.unescape(page.text)) == (200, True)
    for form in ("csv", "xlsx", "parquet"):
        file = browser.get(f"/finance/reports/{name}/{form}", since="2026-03-01", until="2026-03-31")
        assert file.status_code == 200
        assert f'filename="eu-{name}-2026-03-01-2026-03-31.{form}"' in file.headers["Content-Disposition"]


def test_a_figure_leads_to_its_lines_and_a_file_is_in_the_readers_locale(traded: Traded) -> None:
    browser = traded.house.signed_in("finance")
    page = browser.get("/finance/reports/settlement-statement", since="2026-03-01", until="2026-03-31").text
    address = html.unescape(re.findall(r'<a href="(/finance/reports/settlement-lines[^"]+)">', page)[0])
    lines = browser.client.get(address, base_url=BASE).text
    [(count,)] = ask(traded, "SELECT count(*) FROM fct_settlement_lines WHERE net_currency = 'EUR'")
    assert f"{count} rows" in text_of(lines)
    german = {"Accept-Language": "de-DE,de;q=0.9"}
    csv = browser.client.get("/finance/reports/bridge/csv", base_url=BASE, headers=german).text
    assert csv.startswith("report_date;gateway;")


@pytest.mark.parametrize(
    "address",
    ["/finance/reports/profits", "/finance/reports/bridge/pdf", "/finance/reports/bridge?since=soon",
     "/finance/reports/bridge?since=2030-01-01&until=2029-01-01", "/finance/reports/bridge?currency=" + "x" * 121],
)  # fmt: skip
def test_a_wrong_report_is_no_page(traded: Traded, address: str) -> None:
    assert traded.house.signed_in("finance").client.get(address, base_url=BASE).status_code == 404


@pytest.fixture
def invoice(books: Books) -> dict[str, Any]:
    """An invoice that was issued, of a month that no other test bills."""
    lines = [asdict(line) | {"basis": "rows"} for line in priced(PLAN, "EUR", Usage(7, 123_456, 1))]
    head = {"merchant_id": books.database.merchant_id, "livemode": False, "currency": "EUR", "month": "2010-05"}
    body = head | {"plan": "standard", "build": 3, "lines": lines, **totals(lines), "actor": books.person()}
    answer = books.command("invoices", body)
    assert answer.status_code in {200, 201}, answer.json
    return dict(answer.json)


def test_an_issued_invoice_is_listed_opened_and_taken_as_every_file(traded: Traded, invoice: dict[str, Any]) -> None:
    browser, number = traded.house.signed_in("finance"), invoice["number"]
    listed = text_of(browser.get("/finance/invoices", month="2010-05").text)
    assert number in listed
    assert money(traded.house, invoice["total_minor"]) in listed
    other = browser.get("/finance/invoices", month="2010-05", merchant=traded.other_id).text
    assert "Nothing was issued like this" in other
    shown = text_of(browser.get(f"/finance/invoices/{number}").text)
    for amount in (invoice["amount_minor"], invoice["tax_minor"], *(line["amount_minor"] for line in invoice["lines"])):
        assert money(traded.house, amount) in shown
    for form, beginning in (("json", b"["), ("csv", b"number"), ("xlsx", b"PK"), ("html", b"<!doctype html>")):
        file = browser.get(f"/finance/invoices/{number}/{form}")
        assert (file.status_code, file.data.startswith(beginning)) == (200, True)
        assert f'filename="{number}.{form}"' in file.headers["Content-Disposition"]
    assert json.loads(browser.get(f"/finance/invoices/{number}/json").data)[0]["total_minor"] == invoice["total_minor"]
    for address in (f"{number}/pdf", "EU-TEST-1999-000001", "EU-TEST-1999-000001/csv"):
        assert browser.get(f"/finance/invoices/{address}").status_code == 404
    assert browser.get("/finance/invoices", month="1999-01").status_code == 404
    assert traded.house.signed_in("support").get("/finance/invoices").status_code == 403


def test_an_invoice_is_taken_back_on_the_console_once_by_our_form(traded: Traded, invoice: dict[str, Any]) -> None:
    browser, address = traded.house.signed_in("finance"), f"/finance/invoices/{invoice['number']}"
    assert browser.post(f"{address}/credit", csrf="0" * 64, reason="wrong plan").status_code == 400
    form = hidden(browser.get(address).text, "credit")
    assert browser.post(f"{address}/credit", **form, reason=" ").status_code == 409
    made = browser.post(f"{address}/credit", **form, reason="wrong plan")
    assert made.status_code == 303
    note = text_of(browser.get(made.location).text)
    assert f"Takes back {invoice['number']} : wrong plan" in note
    assert money(traded.house, -invoice["total_minor"]) in note
    again = browser.get(address).text
    assert "Taken back by" in text_of(again)
    assert 'id="credit"' not in again
    assert "taken back by" in text_of(browser.get("/finance/invoices").text)
