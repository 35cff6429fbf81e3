"""The simulated bank: what the PSP pays out arrives, balances chain, and planted errors are as the answer key says."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import make_server

from pipelines.recon.fetch import fetch_report, fetch_statement
from pipelines.recon.formats import stripe
from pipelines.recon.formats.inspection import inspect
from pipelines.recon.formats.source import Source
from pipelines.recon.statement import BankEntry, StatementError
from pipelines.recon.statements import parse_statement
from regions.region import load_region
from tests.support.postgres import PostgresServer
from tests.support.sandbox import Psp, running_psp, sandbox_database
from web.sandbox.bank.domain import pay_day


@pytest.fixture
def psp(postgres_server: PostgresServer) -> Iterator[Psp]:
    with sandbox_database(postgres_server.url) as url, running_psp(url) as made:
        yield made


def today() -> date:
    return datetime.now(load_region("eu").tz).date()


def settle(psp: Psp, day: date) -> dict[str, Any]:
    answer = psp.control("settle", {"account": psp.account, "date": day.isoformat()})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def plant(psp: Psp, *names: str) -> list[dict[str, Any]]:
    answer = psp.control("statement", {"account": psp.account, "date": today().isoformat(), "plant": list(names)})
    assert answer.status_code == 200, answer.text
    return list(answer.json["answer_key"])


def fetch(psp: Psp, kind: str = "xml", day: date | None = None) -> bytes:
    answer = psp.get(f"/v1/bank_statements/{day or today()}.{kind}")
    assert answer.status_code == 200, answer.text
    return bytes(answer.data)


def entries(psp: Psp) -> list[BankEntry]:
    return list(parse_statement(fetch(psp), name="statement").entries)


def trade(psp: Psp) -> None:
    for number in range(6):
        for currency in ("EUR", "JPY", "SEK", "PLN", "CZK", "DKK"):
            psp.pay(amount_minor=5000 + number, currency=currency)
    settle(psp, today())


def test_what_is_paid_out_arrives_in_both_formats_with_the_same_balances(psp: Psp) -> None:
    assert psp.get("/v1/bank_statements").json["data"] == []
    assert psp.get(f"/v1/bank_statements/{today()}.xml").status_code == 404
    trade(psp)
    [listed] = psp.get("/v1/bank_statements").json["data"]
    assert listed["camt053_url"] == f"http://psp.example/v1/bank_statements/{today()}.xml"
    xml, swift = (parse_statement(fetch(psp, kind), name=kind) for kind in ("xml", "sta"))
    assert [statement.key for statement in xml.statements] == [statement.key for statement in swift.statements]
    assert len(xml.statements) == 6
    for left, right in zip(xml.statements, swift.statements, strict=True):
        assert (left.opening, left.sum_minor) == (left.opening, right.sum_minor)
        assert left.closing is not None
        assert right.closing is not None
        assert left.closing.amount_minor == right.closing.amount_minor == left.sum_minor
        assert left.difference_minor == right.difference_minor == 0
    assert [(e.currency, e.amount_minor, e.bank_reference) for e in xml.entries] == [
        (e.currency, e.amount_minor, e.bank_reference) for e in swift.entries
    ]
    report = psp.get(f"/v1/settlement_reports/{today()}.csv").data
    paid = {
        (line["currency"], line["paid_out_minor"]) for line in inspect(Source.of_bytes(report, "report"))["batches"]
    }
    arrived = {(e.currency, e.amount_minor) for e in xml.entries if "TX000000001" + e.currency in e.references}
    assert arrived >= paid
    assert fetch(psp) == fetch(psp)


def test_balances_chain_from_day_to_day_and_a_quiet_day_has_a_statement(psp: Psp) -> None:
    yesterday = today() - timedelta(days=1)
    psp.pay(amount_minor=1000)
    with psp.database.transaction() as connection:
        connection.execute("UPDATE captures SET captured_at = captured_at - interval '2 days'")
    settle(psp, today() - timedelta(days=2))
    paid = psp.pay(amount_minor=3000)
    settle(psp, today())
    psp.refund(paid, amount_minor=3000)
    days = [
        parse_statement(fetch(psp, day=day), name="s") for day in (yesterday - timedelta(days=1), yesterday, today())
    ]
    ends = [(one.statements[0].opening, one.statements[0].closing) for one in days]
    assert ends[0][0].amount_minor == 0
    for (_, before), (after, _) in pairwise(ends):
        assert before.amount_minor == after.amount_minor
    assert [len(one.entries) for one in days] == [2, 0, 2]
    assert psp.get(f"/v1/bank_statements/{today() + timedelta(days=1)}.xml").status_code == 404


def test_a_payout_takes_its_banking_days() -> None:
    friday = date(2026, 3, 6)
    assert [pay_day(friday, days) for days in (0, 1, 2, 6)] == [
        friday,
        date(2026, 3, 9),
        date(2026, 3, 10),
        date(2026, 3, 16),
    ]


def test_every_planted_error_is_in_the_statement_as_the_answer_key_says(psp: Psp) -> None:
    trade(psp)
    before = {(e.currency, tuple(e.references)): e.amount_minor for e in entries(psp)}
    names = ["missing_at_bank", "unknown_at_bank", "amount", "duplicate", "split"]
    key = plant(psp, *names)
    assert [entry["class"] for entry in key] == names
    after = entries(psp)
    for entry in key:
        found = [
            e.amount_minor
            for e in after
            if entry["reference"] in e.references and e.transaction_code != "ACMT-MDOP-CHRG"
        ]
        assert sum(found) == entry["reported_minor"], entry
        true = [
            amount for (_, references), amount in before.items() if entry["reference"] in references and amount > 100
        ]
        assert sum(true) == entry["expected_minor"]
        assert len(found) == {"missing_at_bank": 0, "duplicate": 2, "split": 2}.get(entry["class"], 1)
    assert plant(psp) == key
    assert plant(psp, "amount") == key, "the first wish counts"


def test_an_unbalanced_statement_is_refused(psp: Psp) -> None:
    trade(psp)
    plant(psp, "unbalanced")
    for kind in ("xml", "sta"):
        with pytest.raises(StatementError, match="does not foot: .* difference -100"):
            parse_statement(fetch(psp, kind), name="statement")


def test_more_errors_than_payouts_are_refused_and_other_accounts_see_nothing(psp: Psp) -> None:
    psp.pay()
    settle(psp, today())
    body = {"account": psp.account, "date": today().isoformat(), "plant": ["amount", "split"]}
    assert psp.control("statement", body).status_code == 422
    assert plant(psp) == [], "nothing of a wish that cannot be is kept"
    with running_psp(psp.settings.database_url, "us") as other:
        assert other.get(f"/v1/bank_statements/{today()}.xml").status_code == 404
    assert psp.get("/v1/bank_statements/yesterday.xml").status_code == 404
    assert psp.get(f"/v1/bank_statements/{today()}.pdf").status_code == 404


def test_the_stripe_report_says_what_the_adyen_report_says(psp: Psp) -> None:
    paid = psp.pay(amount_minor=10_000)
    psp.pay("5555555555554444", amount_minor=5000, currency="JPY")
    psp.refund(paid, amount_minor=2500)
    settle(psp, today())
    adyen_file, stripe_file = (psp.get(f"/v1/settlement_reports/{today()}{kind}.csv").data for kind in ("", ".stripe"))
    adyen_found, stripe_found = (inspect(Source.of_bytes(one, "report")) for one in (adyen_file, stripe_file))
    assert stripe_found["format"] == stripe.FORMAT
    assert adyen_found["foots"]
    assert stripe_found["foots"]

    def sums(found: dict[str, Any]) -> set[tuple[str, int, int]]:
        return {(one["currency"], one["line_count"], one["paid_out_minor"]) for one in found["batches"]}

    assert sums(adyen_found) == sums(stripe_found)
    lines = stripe.parse_report(
        stripe_file, name="r", gateway="sandbox", account="MeridianEU", report_date=today()
    ).lines
    refund = next(line for line in lines if line.type == "Refunded")
    assert (refund.psp_reference, refund.gross_minor, refund.batch_number) == (paid["id"], -2500, 1)
    assert refund.modification_merchant_reference


def test_reconciliation_fetches_both_files_of_the_day_over_http(psp: Psp) -> None:
    region = load_region("eu")
    server = make_server("127.0.0.1", 0, psp.app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    env = {
        "SANDBOX_URL": f"http://127.0.0.1:{server.port}",
        "SANDBOX_API_KEY_EU": psp.settings.accounts[psp.account].api_key,
    }
    try:
        assert fetch_statement(region, today(), env) is None
        trade(psp)
        statement, report = fetch_statement(region, today(), env), fetch_report(region, today(), env)
    finally:
        server.shutdown()
        thread.join()
    assert statement is not None
    assert report is not None
    assert (statement.content, statement.name) == (fetch(psp), f"bank statement of {today()}")
    assert report.content.startswith(b"Company Account,")
