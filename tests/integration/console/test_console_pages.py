"""What pages show: the database's rows of whoever asks, the published build's numbers, and honest empty states."""

import hashlib
import html
import json
import re
import threading
from collections import Counter
from datetime import date
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from regions.money import Money
from regions.region import load_region
from tests.integration.console.conftest import Traded
from tests.support.console import BASE, Browser, House, sell
from warehouse.query import open_published
from web.console.view import show_money

DOCUMENT = {
    "format": 1,
    "region": "eu",
    "date": "2026-03-14",
    "items": [
        {
            "action": "destroy_key", "data_class": "payment_record", "dataset": "subject", "subject": "subj_eu_one",
            "merchant": "m", "keys": [["a"]], "why": "request", "by": "ereq_eu_one",
            "rule": {"legal_basis": "GDPR Article 17", "maximum": "P8Y", "trigger": "payment_final"},
            "effects": [{"store": "postgres", "table": "checkout_sessions", "rows": 3, "effect": "cleared"}],
        }
    ],
    "erased_whole": ["subj_eu_one"],
    "staying": [
        {
            "data_class": "accounting_record", "dataset": "ledger_journals", "key": ["k"], "subject": None,
            "why": "minimum", "until": "2034-01-01", "by": None, "rule": None,
        }
    ],
}  # fmt: skip


def text_of(page: str) -> str:
    """What people read: no tags, single spaces."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def money(house: House, amount_minor: int, currency: str = "EUR") -> str:
    with house.app.app_context():
        return re.sub(r"\s+", " ", show_money(amount_minor, currency))


def ask(traded: Traded, statement: str) -> list[tuple[Any, ...]]:
    warehouse = traded.house.app.extensions["meridian-console"].warehouse
    with open_published(warehouse, is_locked=False) as connection:
        return list(connection.execute(statement).fetchall())


def drawn(page: str) -> tuple[int, ...]:
    """The funnel's counts, as the drawing tells them to those who do not see it."""
    found = re.search(r'aria-label="Funnel: (\d+) opened, (\d+) submitted, (\d+) succeeded"', page)
    assert found, "no funnel"
    return tuple(int(count) for count in found.groups())


def test_the_funnel_is_the_warehouses_for_everybody_and_for_one(traded: Traded) -> None:
    [everybody] = ask(traded, "SELECT count(*), count(submitted_at), count_if(is_converted) FROM fct_funnel_sessions")
    assert drawn(traded.house.signed_in("owner").get("/overview").text) == everybody
    for day in (traded.own, traded.other):
        page = traded.house.signed_in("owner", day.merchant_id).get("/overview").text
        assert drawn(page) == (day.expected["sessions"], day.expected["submitted"], day.expected["paid"])


def test_channels_add_up_to_the_funnel(traded: Traded) -> None:
    page = traded.house.signed_in("owner", traded.own.merchant_id).get("/overview").text
    table = page.split('id="channels"')[1].split("</section>")[0]
    rows = [[int(cell) for cell in re.findall(r'<td class="n">(\d+)</td>', row)] for row in table.split("<tr>")[2:]]
    assert tuple(map(sum, zip(*rows, strict=True))) == drawn(page)


def test_links_and_payments_are_the_databases(traded: Traded) -> None:
    reference, house = "INV-<b>7</b>", traded.house
    link_id, payment_id = sell(house.database, traded.own.merchant_id, reference, 123_456)
    _, failed_id = sell(house.database, traded.own.merchant_id, "INV-8", status="failed")
    browser = house.signed_in("support", traded.own.merchant_id)
    links = browser.get("/links")
    assert "INV-&lt;b&gt;7&lt;/b&gt;" in links.text
    assert f"/payments?link={link_id}" in html.unescape(links.text)
    payments = text_of(browser.get("/payments", link=link_id).text)
    assert payment_id in payments
    assert money(house, 123_456) in payments
    assert failed_id not in payments
    failed = browser.get("/payments", status="failed").text
    assert failed_id in failed
    assert payment_id not in failed


def test_a_payment_tells_why_each_attempt_went_where_it_went(traded: Traded) -> None:
    house = traded.house
    _, payment_id = sell(house.database, traded.own.merchant_id, "WHY-1")
    routing = {
        "chosen": "sandbox", "rules": ["a_rule"],
        "candidates": [{"gateway": "sandbox", "rank": 1, "score_bps": 140, "reasons": ["costs <140> bps"]}],
    }  # fmt: skip
    with house.database.connect("postgres") as connection:
        connection.execute("UPDATE attempts SET routing = %s WHERE payment_id = %s", [Jsonb(routing), payment_id])
    browser = house.signed_in("support", traded.own.merchant_id)
    assert f'href="/payments/{payment_id}"' in browser.get("/payments").text
    page = text_of(browser.get(f"/payments/{payment_id}").text)
    assert "Attempt 1 at sandbox" in page
    assert "sandbox chosen 1 140 costs <140> bps" in page
    _, foreign = sell(house.database, traded.other_id, "FOREIGN-2")
    assert browser.get(f"/payments/{foreign}").status_code == 404
    assert house.signed_in("owner").get(f"/payments/{foreign}").status_code == 200


def test_totals_are_the_databases(traded: Traded) -> None:
    house = traded.house
    merchant_id, _ = house.database.add_merchant("Sums Ltd")
    for amount in (1_00, 20_05):
        sell(house.database, merchant_id, "S", amount)
    sell(house.database, merchant_id, "S", 7_00, status="failed")
    page = text_of(house.signed_in("owner", merchant_id).get("/overview").text)
    assert f"Captured, EUR {money(house, 21_05)} {money(house, 0)} refunded" in page
    assert "Payments 3 2 succeeded" in page
    assert "Active links 3" in page


def test_one_merchant_never_sees_anothers(traded: Traded) -> None:
    house = traded.house
    foreign_link, foreign_payment = sell(house.database, traded.other_id, "FOREIGN-1")
    browser = house.signed_in("owner", traded.own.merchant_id)
    for address in ("/overview", "/links", "/payments"):
        page = browser.get(address).text
        assert not re.search(r"FOREIGN|Other Ltd", page), address
    asked = browser.get("/payments", link=foreign_link).text
    assert foreign_payment not in asked
    assert foreign_payment not in browser.get("/payments", after=foreign_payment).text
    assert foreign_payment in house.signed_in("owner").get("/payments", link=foreign_link).text


def test_links_come_in_pages(house: House) -> None:
    merchant_id, _ = house.database.add_merchant("Many Ltd")
    for number in range(53):
        sell(house.database, merchant_id, f"N-{number:02}")
    browser = house.signed_in("owner", merchant_id)
    seen: Counter[str] = Counter()
    address = "/links"
    for _ in range(2):
        page = browser.client.get(address, base_url=BASE).text
        seen.update(re.findall(r"N-\d\d(?=</td>)", page))
        older = re.search(r'href="([^"]+)">Older links', page)
        address = html.unescape(older[1]) if older else ""
    assert address == ""
    assert len(seen) == 53
    assert set(seen.values()) == {1}


def test_an_expired_link_says_so(house: House) -> None:
    link_id, _ = sell(house.database, house.database.merchant_id, "LATE-1")
    with house.admin() as admin:
        admin.execute("UPDATE links SET expires_at = now() - interval '1 minute' WHERE id = %s", [link_id])
    browser = house.signed_in("owner")
    assert "LATE-1" in browser.get("/links", status="expired").text
    assert "LATE-1" not in browser.get("/links", status="active").text


@pytest.mark.parametrize(
    "address",
    ["/links?status=nothing", "/payments?status=x", "/payments?link=x", "/payments?after=%00", "/overview?mode=both",
     "/finance?date=2001-01-01", "/finance?date=soon", "/finance/breaks/none", "/compliance/plans/abc",
     "/compliance/plans/abc/certificate.json", "/finance/breaks?class=" + "x" * 41],
)  # fmt: skip
def test_a_wrong_filter_is_no_page(traded: Traded, address: str) -> None:
    assert traded.house.signed_in("owner").client.get(address, base_url=BASE).status_code == 404


def test_test_money_is_not_shown_as_live(traded: Traded) -> None:
    sell(traded.house.database, traded.own.merchant_id, "TEST-1")
    browser = traded.house.signed_in("owner")
    assert "TEST-1" in browser.get("/links").text  # nothing is live yet
    assert "TEST-1" not in browser.get("/links", mode="live").text
    assert "Nothing to reconcile in live mode" in browser.get("/finance", mode="live").text


def test_the_summary_is_the_warehouses_and_nothing_is_left_over(traded: Traded) -> None:
    fields = ["captured_minor", "refunded_minor", "timing_minor", "in_transit_minor", "breaks_minor", "settled_minor"]
    rows = ask(traded, f"SELECT currency, unexplained_minor, {', '.join(fields)} FROM rpt_recon_summary")
    page = traded.house.signed_in("finance").get("/finance", date=traded.own.day.isoformat())
    shown = text_of(page.text)
    assert rows
    for currency, unexplained, *amounts in rows:
        assert unexplained == 0
        for amount in amounts:
            assert money(traded.house, amount, currency) in shown
        captured, refunded, timing, transit, breaks, settled = amounts
        assert captured - refunded + timing + transit + breaks == settled
    assert f"Unexplained residual {money(traded.house, 0)}" in shown
    assert "not-zero" not in page.text


def test_breaks_by_class_are_the_warehouses(traded: Traded) -> None:
    rows = ask(
        traded, "SELECT class, currency, count(*), sum(amount_minor) FROM fct_recon_breaks GROUP BY ALL ORDER BY ALL"
    )
    assert {row[0] for row in rows} == {"amount", "missing_with_us", "duplicate"}
    browser = traded.house.signed_in("finance")
    aged = browser.get("/finance").text.split('id="aged"')[1]
    for class_, currency, count, amount in rows:
        row = next(
            part.partition("</tr>")[0] for part in aged.split("<tr>") if f"class={class_}&" in html.unescape(part)
        )
        assert text_of(row).strip().endswith(f"{count} {money(traded.house, int(amount), currency)}")
        listed = browser.get("/finance/breaks", **{"class": class_}).text
        assert listed.count("Both sides</a>") == count


def test_a_break_leads_to_its_line(traded: Traded) -> None:
    browser = traded.house.signed_in("finance")
    [(break_id, line_number, file_hash, gross, booked)] = ask(
        traded,
        """SELECT b.break_id, l.line_number, l.file_hash, l.gross_minor, b.booked_minor
             FROM fct_recon_breaks b JOIN fct_settlement_lines l USING (line_id) WHERE class = 'amount'""",
    )
    page = browser.get(f"/finance/breaks/{break_id}")
    shown = text_of(page.text)
    assert page.status_code == 200
    assert f"line {line_number}" in shown
    assert file_hash in shown
    assert f"The gateway settled {money(traded.house, gross)}" in shown
    assert f"We have booked {money(traded.house, booked)}" in shown
    [(other_id,)] = ask(traded, "SELECT break_id FROM fct_recon_breaks WHERE class = 'missing_with_us'")
    assert "Nothing booked" in browser.get(f"/finance/breaks/{other_id}").text


@pytest.mark.parametrize("address", ["/overview", "/finance", "/finance/breaks"])
def test_before_the_first_report_pages_say_so(empty: House, address: str) -> None:
    page = empty.signed_in("owner").get(address)
    assert page.status_code == 200
    assert "No report has been published yet" in page.text
    assert "meridian warehouse build --region eu" in page.text


def test_a_new_merchant_sees_what_is_missing(house: House) -> None:
    merchant_id, _ = house.database.add_merchant("New Ltd")
    browser = house.signed_in("owner", merchant_id)
    assert "No payment yet" in browser.get("/overview").text
    assert "No link yet" in browser.get("/links").text
    assert "No payment with this status" in browser.get("/payments", status="failed").text


def test_without_a_plan_the_command_is_named(new_house: House) -> None:
    page = text_of(new_house.signed_in("compliance").get("/compliance").text)
    assert "No plan has been made in this region" in page
    assert re.search(r"meridian retention plan --region eu --date \d{4}-\d\d-\d\d", page)
    assert "No hold in force" in page
    assert all(rule.legal_basis in page for rule in load_region("eu").retention)


def test_plans_and_certificates_are_shown_and_given(new_house: House) -> None:
    text = json.dumps(DOCUMENT, sort_keys=True, separators=(",", ":"))
    name = hashlib.sha256(text.encode()).digest()
    certificate = {"certificate": {"plan": name.hex()}, "signature": {"algorithm": "Ed25519", "value": "x"}}
    with new_house.admin() as admin:
        admin.execute(
            """INSERT INTO retention_plans (hash, plan_date, document, status, approved_by, approved_at, started_at,
                                            done_at, certificate)
               VALUES (%s, %s, %s, 'done', 'Grace Hopper', now(), now(), now(), %s)""",
            [name, date(2026, 3, 14), text, Jsonb(certificate)],
        )
        admin.execute(
            "INSERT INTO legal_holds (id, reason, placed_by) VALUES ('hold_eu_one', 'Case 12/26', 'Counsel')",
        )
    browser = new_house.signed_in("compliance")
    page = text_of(browser.get("/compliance").text)
    assert re.search(r"Plans 1 0 to be approved Certificates 1 signed by the region Legal holds in force 1", page)
    assert f"{name.hex()[:12]} done 1 1 Grace Hopper" in page
    assert "Case 12/26" in page
    plan = text_of(browser.get(f"/compliance/plans/{name.hex()}").text)
    assert "destroy key payment record subj_eu_one its subject asked 3 GDPR Article 17" in plan
    assert "accounting record k the law requires it 2034-01-01" in plan
    given = browser.get(f"/compliance/plans/{name.hex()}/certificate.json")
    assert given.json == certificate
    assert "attachment" in given.headers["Content-Disposition"]


def test_readers_at_once_share_a_build_and_a_publish_stops_none(traded: Traded) -> None:
    browsers = [traded.house.signed_in("owner") for _ in range(4)]
    found: list[tuple[int, tuple[int, ...]]] = []

    def read(browser: Browser) -> None:
        for _ in range(5):
            answer = browser.get("/overview")
            found.append((answer.status_code, drawn(answer.text)))

    threads = [threading.Thread(target=read, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    pointer = traded.folder / "current"
    for _ in range(20):  # what `publish` does last
        staged = traded.folder / ".current.new"
        staged.symlink_to(pointer.readlink())
        staged.replace(pointer)
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert found[0][0] == 200


def test_amounts_are_written_as_the_region_writes_them(house: House) -> None:
    with house.app.app_context():
        assert show_money(123_456, "EUR") == "€1,234.56"
        assert show_money(500, "HUF").endswith("5.00")
        assert show_money(-1, "EUR") == "-€0.01"
        assert Money(123_456, "EUR").to_decimal() * 100 == 123_456
