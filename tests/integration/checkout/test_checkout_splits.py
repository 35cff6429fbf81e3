"""Marketplace splits and the platform's fees: taken at capture, given back with refunds, in the books of both."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop
from web.background import metering

PLAN = """
name = "standard"
tax_percent = "19"
[[rules]]
methods = ["card"]
currency = "EUR"
percent = "1.4"
flat_minor = 25
"""

GROWTH = """
name = "growth"
tax_percent = "19"
[[rules]]
by_volume = "{mode}"
currency = "EUR"
flat_minor = 10
tiers = [{{ up_to_minor = 5000, percent = "2" }}, {{ percent = "1" }}]
"""


@pytest.fixture
def seller(shop: Shop) -> tuple[str, dict[str, str]]:
    merchant_id, key = shop.database.add_merchant("Seller")
    return merchant_id, {"Authorization": f"Bearer {key}"}


def owed(shop: Shop, merchant_id: str, account: str = "merchant_payable_pending") -> int:
    (row,) = shop.rows(
        "SELECT coalesce(sum(amount_minor), 0)::bigint AS n FROM ledger_entries"
        " WHERE merchant_id = %s AND account = %s",
        merchant_id,
        account,
    )
    return -int(row["n"])


def records(shop: Shop, payment: dict[str, Any], headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    answer = shop.http.get(f"{shop.web_url}/v1/splits?payment_id={payment['id']}", headers=headers or shop.api)
    assert answer.status_code == 200, answer.text
    return list(reversed(answer.json()["data"]))


def test_a_seller_gets_its_part_and_gives_back_its_share_of_refunds(
    shop: Shop, seller: tuple[str, dict[str, str]]
) -> None:
    merchant_id, theirs = seller
    payment = shop.paid(splits=[{"merchant_id": merchant_id, "percent": "33.3"}])

    assert owed(shop, merchant_id) == 666
    (mine,), (got,) = records(shop, payment), records(shop, payment, theirs)
    assert (mine["role"], mine["kind"], mine["amount_minor"]) == ("sender", "split", 666)
    assert (got["role"], got["amount_minor"], got["payment_id"]) == ("recipient", 666, payment["id"])
    assert shop.journals(mine["id"]) == [
        ("split", "merchant_payable_pending", 666),
        ("split", "split_clearing", -666),
    ]
    assert shop.journals(got["id"]) == [
        ("split", "merchant_payable_pending", -666),
        ("split", "split_clearing", 666),
    ]
    assert shop.events(mine["id"]) == shop.events(got["id"]) == ["split.created"]
    stranger = shop.http.get(f"{shop.web_url}/v1/splits/{mine['id']}", headers=theirs)
    assert stranger.status_code == 404, "each sees its own record alone"

    shop.refund(payment, amount_minor=1000)
    assert owed(shop, merchant_id) == 333
    shop.refund(payment, amount_minor=1)
    shop.refund(payment)
    assert owed(shop, merchant_id) == 0
    assert owed(shop, merchant_id, "split_clearing") + owed(shop, shop.database.merchant_id, "split_clearing") == 0
    assert records(shop, payment)[0]["reversed_minor"] == records(shop, payment, theirs)[0]["reversed_minor"] == 666
    assert [one["kind"] for one in records(shop, payment, theirs)][:2] == ["split", "reversal"]


def test_each_capture_gives_its_part_until_all_is_given(shop: Shop, seller: tuple[str, dict[str, str]]) -> None:
    merchant_id, _ = seller
    payment = shop.authorised(splits=[{"merchant_id": merchant_id, "amount_minor": 1000}])

    for amount in (1, 998, 1000):
        shop.post(f"/v1/payments/{payment['id']}/capture", amount_minor=amount, is_final=amount == 1000)

    assert owed(shop, merchant_id) == 1000
    assert sum(one["amount_minor"] for one in records(shop, payment)) == 1000


def test_a_part_for_nobody_stays_with_the_sender_and_says_so(shop: Shop) -> None:
    nobody = "merch_eu_00000000000000000000000001"
    before = owed(shop, shop.database.merchant_id)
    payment = shop.paid(splits=[{"merchant_id": nobody, "percent": "10"}])

    (mine,) = records(shop, payment)
    assert (mine["status"], mine["amount_minor"]) == ("refused", 200)
    assert owed(shop, shop.database.merchant_id) - before == 1999
    assert shop.refund(payment).json()["status"] == "succeeded"


def provision(shop: Shop, plan: Path, merchant: str, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        "-m",
        "web.pricing.provision",
        "--region",
        "eu",
        "--merchant",
        merchant,
        "--plan",
        str(plan),
        *more,
    ]
    return subprocess.run(command, env=shop.database.env_for("owner"), capture_output=True, text=True, check=False)


def test_the_platform_takes_its_fee_and_tax_at_each_capture(shop: Shop, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    made = provision(shop, plan, shop.database.merchant_id)
    assert made.returncode == 0, made.stderr
    try:
        payment = shop.paid()
        held = shop.authorised()
        captured = shop.post(f"/v1/payments/{held['id']}/capture", amount_minor=1000).json()
        refund = shop.refund(payment).json()
    finally:
        shop.execute("DELETE FROM pricing_plans")

    assert [one for one in shop.journals(payment["id"]) if one[0] == "platform_fee"] == [
        ("platform_fee", "merchant_payable_pending", 63),
        ("platform_fee", "platform_fees", -53),
        ("platform_fee", "tax", -10),
    ]
    assert [one[2] for one in shop.journals(captured["id"]) if one[0] == "platform_fee"] == [46, -39, -7]
    assert shop.events(payment["id"])[-1] == "fee.charged"
    (fee,) = fees_of(shop, payment)
    (said,) = shop.rows("SELECT data FROM outbox WHERE type = 'fee.charged' AND subject = %s", payment["id"])
    assert (said["data"]["fee_id"], said["data"]["fee_minor"]) == (fee["id"], fee["fee_minor"])
    assert (fee["kind"], fee["method"], fee["amount_minor"], fee["tax_minor"]) == ("charge", "card", 1999, 10)
    assert [(line["kind"], line["amount_minor"], line["percent"]) for line in fee["lines"]] == [
        ("percent", 28, "1.4"),
        ("flat", 25, None),
    ]
    assert shop.get(f"/v1/fees/{fee['id']}") == fee
    (of_capture,) = fees_of(shop, held)
    assert (of_capture["source_id"], of_capture["fee_minor"]) == (captured["id"], 39)
    assert shop.get(f"/v1/fees?limit=1&starting_after={of_capture['id']}")["data"] == [fee]
    _, key = shop.database.add_merchant()
    for path in (f"/v1/fees/{fee['id']}", f"/v1/fees?starting_after={fee['id']}"):
        theirs = shop.http.get(shop.web_url + path, headers={"Authorization": f"Bearer {key}"})
        assert theirs.status_code in {404, 422}, "each sees its own fees alone"
    assert len(shop.journals(refund["id"])) == 2, "a refund does not bring the fee back"
    assert not [one for one in shop.journals(shop.paid()["id"]) if one[0] == "platform_fee"]


def test_a_plan_that_cannot_be_is_refused_in_one_sentence(shop: Shop, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    unknown = provision(shop, plan, "merch_eu_00000000000000000000000001")
    plan.write_text('name = "a"\n[[rules]]\npercent = "101"\n')
    wrong = provision(shop, plan, shop.database.merchant_id)
    plan.write_text(GROWTH.format(mode="slab"))
    within = provision(shop, plan, shop.database.merchant_id, "--valid-from", "2036-11-02T00:00:00+01:00")
    past = provision(shop, plan, shop.database.merchant_id, "--valid-from", "2026-09-30T22:00:00Z")

    assert [one.returncode for one in (unknown, wrong, within, past)] == [2] * 4
    assert "--valid-from must be a month's first moment in Europe/Berlin, such as 20" in within.stderr
    assert "--valid-from has passed" in past.stderr
    assert "has no merchant" in unknown.stderr
    assert "percent" in wrong.stderr


def fees_of(shop: Shop, payment: dict[str, Any], more: str = "") -> list[dict[str, Any]]:
    return list(reversed(shop.get(f"/v1/fees?payment_id={payment['id']}{more}")["data"]))


def of_fees(shop: Shop, payment: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [one for one in shop.journals(payment["id"]) if one[0].startswith("platform_fee")]


@pytest.mark.parametrize(("mode", "adjusted"), [("graduated", 0), ("slab", -40)])
def test_fees_by_the_months_volume_are_priced_one_after_the_other_and_explained(
    shop: Shop, tmp_path: Path, mode: str, adjusted: int
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(GROWTH.format(mode=mode))
    first = shop.worker.region.accounting_date(datetime.now(UTC)).replace(day=1) + timedelta(days=32)
    begins, _ = shop.worker.region.day_bounds(first.replace(day=1))
    made = provision(shop, plan, shop.database.merchant_id, "--valid-from", begins.isoformat())
    assert made.returncode == 0, made.stderr
    shop.execute("UPDATE pricing_plans SET valid_from = now() - interval '1 h'")  # that month has come
    try:
        payments = [shop.paid() for _ in range(3)]
        assert not [one for payment in payments for one in of_fees(shop, payment)], "who pays waits for no sum"
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: metering.step(shop.worker), range(2)))
        while metering.step(shop.worker):
            pass
        shop.refund(payments[0])
        (month,) = shop.rows("SELECT volume_minor, fee_minor, month FROM monthly_volumes")
        said = shop.rows("SELECT data FROM outbox WHERE type = 'fee.charged' AND subject = %s", payments[2]["id"])
        told = shop.rows("SELECT data FROM outbox WHERE type = 'fee.adjusted' AND subject = %s", payments[2]["id"])
        listed = [one for payment in payments for one in fees_of(shop, payment, f"&month={month['month']:%Y-%m}")]
    finally:
        for table in ("metered_captures", "monthly_volumes", "pricing_plans"):
            shop.execute(f"DELETE FROM {table}")

    # 59.97: graduated 50.00 at 2 % and 9.97 at 1 %, in slabs all of it at 1 %. A refund changes nothing of it.
    assert month["volume_minor"] == {"card": 5997}
    assert month["fee_minor"] == 30 + (110 if mode == "graduated" else 60)
    books = [of_fees(shop, payment) for payment in payments]
    earned = [-sum(amount for _, account, amount in one if account == "platform_fees") for one in books]
    assert earned == [50, 50, 40 if mode == "graduated" else -10]
    fee = said[0]["data"]
    assert (fee["volume_before_minor"], fee["flat_minor"], fee["month"]) == (3998, 10, f"{month['month']:%Y-%m}")
    assert sum(part["fee_minor"] for part in fee["tiers"]) + 10 == fee["fee_minor"]
    assert [part["tier"] for part in fee["tiers"]] == ([1, 2] if mode == "graduated" else [2])
    assert [one["data"]["fee_minor"] for one in told] == ([adjusted] if adjusted else [])
    taxes = -sum(amount for one in books for _, account, amount in one if account == "tax")
    assert taxes == round(month["fee_minor"] * 0.19)
    assert sum(amount for one in books for _, _, amount in one) == 0

    assert [sum(line["amount_minor"] for line in one["lines"]) for one in listed] == [
        one["fee_minor"] for one in listed
    ]
    assert sum(one["fee_minor"] for one in listed) == month["fee_minor"]
    assert sum(one["tax_minor"] for one in listed) == taxes
    charged = [one for one in listed if one["kind"] == "charge"][-1]
    assert (charged["id"], charged["volume_before_minor"]) == (fee["fee_id"], 3998)
    rerated = [one for one in listed if one["kind"] == "adjustment"]
    assert [one["id"] for one in rerated] == [one["data"]["fee_id"] for one in told]
    for one in rerated:
        (line,) = one["lines"]
        assert (one["method"], one["amount_minor"], line["previous_percent"], line["percent"]) == (None, 3998, "2", "1")
