"""What checkout asks the outbox before an attempt, and what follows."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from regions.features import feature_set
from regions.ids import new_id
from regions.region import load_region
from tests.support.shop import CHALLENGE, DECLINE, EMAIL, SUCCEED, Payer, Shop
from web.db.engine import Database
from web.db.scope import Tenant, tenant_scope
from web.risk import repository
from web.risk.models import Reading, Signals


def stolen_card(number: int) -> str:
    """The n-th number of the PSP's range of stolen cards, with its check digit."""
    body = f"400000999{number:06}"
    digits = [int(digit) for digit in body]
    total = sum(sum(divmod(2 * digit, 10)) if at % 2 == 0 else digit for at, digit in enumerate(digits))
    return f"{body}{-total % 10}"


def attack(shop: Shop, link: dict[str, Any], attempts: int) -> list[tuple[str, str]]:
    """Try stolen cards one after the other; each attempt's decision and failure code."""
    seen = []
    for number in range(attempts):
        payer = Payer(shop, link).open()
        answer = payer.pay(stolen_card(number))
        if "/3ds/" in answer.headers["Location"]:
            payer.challenge(answer, "fail")
        payment = shop.payments(link)[-1]
        [assessed] = assessments(shop, payment["id"])
        seen.append((assessed["decision"], payment["failure_code"]))
    return seen


def assessments(shop: Shop, payment_id: str) -> list[dict[str, Any]]:
    found = shop.rows("SELECT data FROM outbox WHERE subject = %s AND type = 'risk.assessed' ORDER BY id", payment_id)
    return [row["data"] for row in found]


def test_card_testing_is_challenged_then_blocked_and_the_gateway_is_left_alone(shop: Shop) -> None:
    link = shop.create_link(usage="multi")
    seen = attack(shop, link, 8)
    assert [decision for decision, _ in seen[:3]] == ["allow"] * 3
    assert [code for _, code in seen[:3]] == ["card_declined"] * 3
    assert seen[3:5] == [("challenge", "authentication_failed")] * 2
    assert seen[5:] == [("block", "blocked_by_risk")] * 3
    blocked = shop.payments(link)[-1]
    assert shop.events(blocked["id"]) == ["payment.created", "risk.assessed", "payment.failed"], "it was never sent"
    attempt = shop.attempt_of(blocked)
    assert (attempt["status"], attempt["gateway_reference"]) == ("failed", None)
    looked_up = shop.http.get(
        f"{shop.sandbox_url}/v1/payments",
        params={"reference": attempt["id"]},
        headers={"Authorization": f"Bearer {shop.database.env['SANDBOX_API_KEY_EU']}"},
    )
    assert looked_up.json()["data"] == []
    assert assessments(shop, blocked["id"])[0]["reasons"][:2] == ["card_testing", "failing_cards"]


def test_a_blocked_payer_is_told_the_truth_and_others_still_pay(shop: Shop) -> None:
    link = shop.create_link(usage="multi")
    attack(shop, link, 5)
    payer = Payer(shop, link).open()
    payer.pay(stolen_card(9))
    page = payer.come_back()
    assert "We stopped this payment ourselves" in page.text
    assert "Your bank was not asked" in page.text
    other = Payer(shop, shop.create_link()).open()
    other.pay(SUCCEED)
    assert "Thank you" in other.come_back().text


def test_a_blocked_payment_gives_its_link_back(shop: Shop) -> None:
    link = shop.create_link(usage="single")
    attack(shop, link, 6)
    assert shop.rows("SELECT count(*) AS n FROM link_slots WHERE link_id = %s", link["id"])[0]["n"] == 0


def test_the_decision_tells_tokens_and_nothing_plain(shop: Shop) -> None:
    payer = Payer(shop, shop.create_link()).open()
    payer.pay(SUCCEED)
    [told] = assessments(shop, shop.payment(payer.link)["id"])
    assert told["card_token"] == shop.attempt_of(shop.payment(payer.link))["card_token"]
    assert {"email_token", "device_token", "ip_token"} <= set(told)
    text = json.dumps(told)
    assert EMAIL not in text
    assert "127.0.0.1" not in text
    assert "httpx" not in text


@pytest.mark.parametrize("dials", [{"down_seconds": 60}, {"latency_ms": 1500}], ids=["down", "slow"])
def test_a_gateway_that_cannot_describe_the_card_blocks_nobody(shop: Shop, dials: dict[str, int]) -> None:
    payer = Payer(shop, shop.create_link()).open()
    form = payer.form(SUCCEED)
    shop.dial(**dials)
    answer = payer.submit(form)
    shop.dial(down_seconds=0, latency_ms=0)
    assert answer.status_code == 303
    [told] = assessments(shop, shop.payment(payer.link)["id"])
    assert "card_token" not in told
    assert told["decision"] == "allow"
    assert "card_attempts_1h" not in told["features"]


@pytest.fixture
def database(shop: Shop) -> Iterator[Database]:
    opened = Database(shop.database.role_urls["web"], application_name="tests", pool_size=2)
    yield opened
    opened.dispose()


def read(shop: Shop, database: Database, merchant_id: str, signals: Signals, *, livemode: bool = False) -> Reading:
    tenant = Tenant("", merchant_id, livemode)
    with tenant_scope(database, load_region("eu"), tenant, correlation_id="req_eu_x", now=datetime.now(UTC)) as scope:
        return repository.read_features(scope, signals, new_id("link", "eu"), "EUR")


def test_another_merchant_and_another_mode_count_for_nothing(shop: Shop, database: Database) -> None:
    payer = Payer(shop, shop.create_link()).open()
    payer.pay(DECLINE)
    [told] = assessments(shop, shop.payment(payer.link)["id"])
    signals = Signals(told["email_token"], told["device_token"], told["ip_token"], told["card_token"])
    other, _ = shop.database.add_merchant()
    own = read(shop, database, shop.database.merchant_id, signals)
    assert own.features["card_attempts_1h"]
    assert own.features["merchant_failures_10m"]
    for foreign in (
        read(shop, database, other, signals),
        read(shop, database, shop.database.merchant_id, signals, livemode=True),
    ):
        assert {value for value in foreign.features.values() if value is not None} == {0}
    assert set(own.features) == set(feature_set().names)


def test_the_service_reads_its_tenants_events_and_never_what_is_sealed(shop: Shop) -> None:
    """What the risk rules see of other merchants comes through the door only, as counts."""
    with shop.database.connect("web") as web:
        assert web.execute("SELECT data FROM outbox").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("SELECT pii FROM outbox")


def test_a_look_up_uses_an_index_and_no_index_holds_a_token(shop: Shop) -> None:
    plans = []
    with shop.database.connect("postgres") as superuser, superuser.transaction():
        superuser.execute("SET LOCAL enable_seqscan = off")
        for token in ("email_token", "card_token", "device_token", "ip_token"):
            plan = superuser.execute(
                f"""EXPLAIN SELECT 1 FROM outbox WHERE type = 'risk.assessed' AND merchant_id = 'm'
                     AND hashtextextended(data->>'{token}', 0) = hashtextextended('v1.aa', 0) AND time > now()"""
            ).fetchall()
            plans.append("\n".join(line for (line,) in plan))
        expressions = superuser.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'outbox' AND indexdef LIKE '%_token%'"
        ).fetchall()
    # Each day has an index of its own, named after it.
    assert all("hashtextextended(" in plan and "Seq Scan" not in plan for plan in plans)
    assert all(plan.count("Index Cond: ((merchant_id") == plan.count("Index Scan") > 1 for plan in plans)
    assert len(expressions) == 4
    assert all("hashtextextended" in definition for (definition,) in expressions)


def test_only_a_trusted_proxy_may_name_the_payers_address(shop: Shop) -> None:
    """The shop trusts no proxy: whatever a payer claims, the address is the connection's."""
    tokens = set()
    for claimed in ("198.51.100.7", "203.0.113.9, 198.51.100.8", "nonsense"):
        payer = Payer(
            replace(shop, http=httpx.Client(headers={"X-Forwarded-For": claimed}, trust_env=False)), shop.create_link()
        )
        payer.open().pay(CHALLENGE)
        tokens.add(assessments(shop, shop.payment(payer.link)["id"])[0]["ip_token"])
        payer.shop.http.close()
    assert len(tokens) == 1
