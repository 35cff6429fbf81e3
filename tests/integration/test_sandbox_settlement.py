"""Settlement of the simulated PSP: batches, reports, planted errors, books, dials."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support import settlement_file as file
from tests.support.postgres import PostgresServer
from tests.support.sandbox import Psp, running_psp, sandbox_database
from web.sandbox.settlement.adyen_report import COLUMNS


@pytest.fixture
def psp(postgres_server: PostgresServer) -> Iterator[Psp]:
    with sandbox_database(postgres_server.url) as url, running_psp(url) as running:
        yield running


def today(psp: Psp) -> date:
    return datetime.now(UTC).astimezone(psp.settings.accounts[psp.account].tz).date()


def settle(psp: Psp, *plants: str, day: date | None = None) -> dict[str, Any]:
    body = {"account": psp.account, "date": (day or today(psp)).isoformat(), "plant": list(plants)}
    answer = psp.control("settle", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def report(psp: Psp, day: date | None = None) -> str:
    answer = psp.get(f"/v1/settlement_reports/{(day or today(psp)).isoformat()}.csv")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_day_is_settled_once_and_says_what_happened(psp: Psp) -> None:
    paid = psp.pay(amount_minor=10_000)
    yen = psp.pay("5555555555554444", amount_minor=5000, currency="JPY")
    psp.pay("4000000000000002")
    psp.pay("4000002500003155")
    refund = psp.refund(paid, amount_minor=2500)
    psp.refund(paid, amount_minor=8000)  # fails
    batch = settle(psp)
    assert (batch["batch_number"], batch["answer_key"], batch["left_for_later"]) == (1, [], 0)
    text = report(psp)
    file.assert_foots(text)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    rows = file.rows(text)
    assert batch["line_count"] == len(rows) == 6
    by_type = [(row["Type"], row["Net Currency"]) for row in rows]
    assert by_type == [
        ("Settled", "EUR"),
        ("Settled", "JPY"),
        ("Refunded", "EUR"),
        ("Fee", "EUR"),
        ("MerchantPayout", "EUR"),
        ("MerchantPayout", "JPY"),
    ]
    first, second, third, fee, payout, _ = rows
    assert (first["Psp Reference"], first["Merchant Reference"]) == (paid["id"], paid["reference"])
    assert (first["Gross Credit (GC)"], first["Net Credit (NC)"], first["Interchange (NC)"]) == (
        "100.00",
        "99.40",
        "0.30",
    )
    assert (second["Psp Reference"], second["Gross Credit (GC)"], second["Payment Method"]) == (yen["id"], "5000", "mc")
    assert (third["Psp Reference"], third["Modification Reference"]) == (paid["id"], refund["id"])
    assert (third["Modification Merchant Reference"], third["Gross Debit (GC)"]) == (refund["reference"], "25.00")
    assert (fee["Net Debit (NC)"], payout["Net Debit (NC)"]) == ("0.10", "74.30")
    assert {row["Batch Number"] for row in rows} == {"1"}
    assert {row["Booking Date"] for row in rows} == {f"{today(psp)} 23:59:59"}


def test_settling_again_answers_the_same_batch_and_new_payments_get_a_new_one(psp: Psp) -> None:
    psp.pay()
    first = settle(psp, "amount")
    before = report(psp)
    assert settle(psp, "duplicate") == first
    assert report(psp) == before
    psp.pay()
    second = settle(psp)
    assert second["batch_number"] == 2
    text = report(psp)
    assert text.startswith(before)
    file.assert_foots(text)
    listed = psp.get("/v1/settlement_reports").json["data"]
    assert [entry["batch_number"] for entry in listed] == [1, 2]
    assert {entry["sha256"] for entry in listed} == {hashlib.sha256(text.encode()).hexdigest()}
    assert listed[0]["url"] == f"http://psp.example/v1/settlement_reports/{today(psp)}.csv"
    keys = psp.control("settle", account=psp.account, date=today(psp).isoformat()).json["data"]
    assert [[entry["class"] for entry in batch["answer_key"]] for batch in keys] == [["amount"], []]


def test_what_happens_after_the_day_waits_and_a_quiet_day_has_an_empty_report(psp: Psp) -> None:
    psp.pay()
    yesterday = today(psp) - timedelta(days=1)
    batch = settle(psp, day=yesterday)
    assert (batch["line_count"], batch["left_for_later"]) == (0, 1)
    assert file.rows(report(psp, yesterday)) == []
    assert settle(psp)["left_for_later"] == 0
    assert len(file.rows(report(psp))) == 3


def test_every_planted_error_is_in_the_report_exactly_as_the_answer_key_says(psp: Psp) -> None:
    payments = {payment["id"]: payment for payment in (psp.pay(amount_minor=3000 + n) for n in range(8))}
    plants = ["missing_at_gateway", "missing_with_us", "amount", "duplicate", "fee", "currency"]
    key = settle(psp, *plants)["answer_key"]
    assert [entry["class"] for entry in key] == plants
    file.assert_foots(report(psp))
    lines: dict[str, list[dict[str, str]]] = {}
    for row in file.rows(report(psp)):
        if row["Type"] == "Settled":
            lines.setdefault(row["Psp Reference"], []).append(row)
    touched = {entry["class"]: entry for entry in key}
    missing, invented = touched["missing_at_gateway"]["psp_reference"], touched["missing_with_us"]["psp_reference"]
    assert missing not in lines
    assert invented in lines
    assert invented not in payments
    assert psp.get(f"/v1/payments/{invented}").status_code == 404
    for psp_reference, rows in lines.items():
        if psp_reference == invented:
            continue
        true = Decimal(payments[psp_reference]["amount_minor"]).scaleb(-2)
        doubled = psp_reference == touched["duplicate"]["psp_reference"]
        assert len(rows) == 2 if doubled else 1
        assert rows[0] == rows[-1]
        off = Decimal(1) if psp_reference == touched["amount"]["psp_reference"] else Decimal(0)
        assert file.gross(rows[0]) == true + off
        is_dear = psp_reference == touched["fee"]["psp_reference"]
        assert (file.fees(rows[0]) > 1) == is_dear
        is_foreign = psp_reference == touched["currency"]["psp_reference"]
        assert rows[0]["Gross Currency"] == ("USD" if is_foreign else "EUR")
    assert set(lines) == (set(payments) - {missing}) | {invented}


def test_more_errors_than_payments_are_refused_and_change_nothing(psp: Psp) -> None:
    psp.pay()
    body = {"account": psp.account, "date": today(psp).isoformat(), "plant": ["amount", "fee"]}
    answer = psp.control("settle", body)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/plant")
    assert psp.get("/v1/settlement_reports").json["data"] == []
    assert settle(psp)["batch_number"] == 1


def test_reports_are_the_accounts_own_and_dates_are_checked(psp: Psp) -> None:
    psp.pay()
    settle(psp)
    with running_psp(psp.settings.database_url, "us") as other:
        assert other.get("/v1/settlement_reports").json["data"] == []
        assert other.get(f"/v1/settlement_reports/{today(psp)}.csv").status_code == 404
    assert psp.get("/v1/settlement_reports/yesterday.csv").status_code == 404
    assert psp.control("settle", {"account": "Nobody", "date": "2026-01-01"}).status_code == 422
    assert psp.control("settle", {"account": psp.account, "date": "2026-13-01"}).status_code == 422
    assert psp.control("settle", {"account": psp.account, "date": "2026-01-01", "plant": ["x"]}).status_code == 422


def test_a_batch_of_refunds_alone_is_owed_by_the_merchant(psp: Psp) -> None:
    paid = psp.pay(amount_minor=1000)
    settle(psp)
    psp.refund(paid)
    settle(psp)
    file.assert_foots(report(psp))
    assert file.rows(report(psp))[-1]["Net Credit (NC)"] == "10.00"


def test_the_books_count_what_was_really_done(psp: Psp) -> None:
    paid = psp.pay(amount_minor=1000)
    psp.pay(amount_minor=500, reference="att_same")
    psp.pay(amount_minor=500, reference="att_same")
    psp.pay("4000000000000002")
    psp.refund(paid, amount_minor=300)
    books = psp.control("books", account=psp.account).json
    euros = books["currencies"]["EUR"]
    assert (euros["captured_count"], euros["captured_minor"]) == (3, 2000)
    assert (euros["refunded_count"], euros["refunded_minor"]) == (1, 300)
    assert (euros["declined_count"], euros["unsettled_payment_count"]) == (1, 3)
    assert (books["charged_twice"], books["refunded_twice"]) == (["att_same"], [])
    settle(psp)
    assert psp.control("books", account=psp.account).json["currencies"]["EUR"]["unsettled_payment_count"] == 0


def test_the_dials_need_their_key_and_do_what_they_say(psp: Psp) -> None:
    for headers in ({}, psp.headers):
        assert psp.client.post("/_control/faults", json={}, headers=headers).status_code == 401
        assert psp.client.get("/_control/books", headers=headers).status_code == 401
    psp.control("faults", {"account": psp.account, "down_seconds": 60})
    down = psp.post("/v1/payments", {})
    assert (down.status_code, down.json["code"]) == (503, "service_unavailable")
    assert 1 <= int(down.headers["Retry-After"]) <= 60
    assert psp.client.get("/healthz").status_code == 200
    psp.control("faults", {"account": psp.account, "down_seconds": 0})
    assert psp.pay()["status"] == "captured"
    psp.control("faults", {"timeout_after_charge_next": 1})
    psp.pay()
    left = psp.control("faults").json["data"]
    assert {entry["account"]: entry["timeout_after_charge_next"] for entry in left} == {
        "MeridianEU": 0,
        "MeridianEU2": 1,
        "MeridianIN": 1,
        "MeridianIN2": 1,
        "MeridianUS": 1,
        "MeridianUS2": 1,
    }
    assert psp.control("faults", {"latency_ms": -1}).status_code == 422
    assert psp.control("faults", {"laatency_ms": 1}).status_code == 422
