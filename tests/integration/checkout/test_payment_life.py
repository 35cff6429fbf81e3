"""The life of payments as a state machine: whatever happens in which order, the books add up, nothing is taken twice.

A slice here; `make campaign` runs 2,000 sequences. The simulated gateway's own books are the judge.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.support import shop as cards
from tests.support.shop import CONTROL_KEY, Payer, Shop

PRICE = 1999
CARDS = st.sampled_from(
    [cards.SUCCEED] * 4
    + [cards.DECLINE, cards.CAPTURE_LATER, cards.REFUND_LATER, cards.REFUND_FAILS_LATER, cards.TIMEOUT_AFTER_CHARGE]
)
PARTS = st.sampled_from([None, 1, 700, 1999, 2500])
PICK = st.integers(0, 1000)
CAUGHT_UP = 8  # rounds in which everything that is open ends

_ENTRIES = """
SELECT e.currency, e.account, sum(e.amount_minor)::bigint AS n FROM ledger_entries e GROUP BY 1, 2
"""
_PAYMENTS = """
SELECT currency, sum(captured_minor - refunded_minor - disputed_minor)::bigint AS net,
       min(captured_minor - refunded_minor - pending_refund_minor) AS worst FROM payments GROUP BY 1
"""


class Life(RuleBasedStateMachine):
    """Payers, a merchant, a bank and a gateway that is not always well."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self.shop = shop
        self.links: list[dict[str, Any]] = []

    def payments(self) -> list[dict[str, Any]]:
        ids = [link["id"] for link in self.links]
        return self.shop.rows("SELECT * FROM payments WHERE link_id = ANY(%s) ORDER BY id", ids)

    def pick(self, number: int) -> dict[str, Any] | None:
        found = self.payments()
        return found[number % len(found)] if found else None

    @rule(
        usage=st.sampled_from(["single", "multi"]),
        capture_method=st.sampled_from(["automatic", "manual"]),
    )
    def make_a_link(self, usage: str, capture_method: str) -> None:
        self.links.append(self.shop.create_link(PRICE, usage=usage, capture_method=capture_method))

    @precondition(lambda self: self.links)
    @rule(number=PICK, card=CARDS)
    def pay(self, number: int, card: str) -> None:
        link = self.links[number % len(self.links)]
        opened = self.shop.http.post(f"{link['url']}/sessions")
        if opened.status_code != 303:
            return
        payer = Payer(self.shop, link, self.shop.web_url + opened.headers["Location"])
        if payer.page().status_code == 200:
            assert payer.submit(payer.form(card)).status_code in {303, 409, 410}

    @rule(number=PICK, part=PARTS, is_final=st.booleans())
    def capture(self, number: int, part: int | None, is_final: bool) -> None:  # noqa: FBT001
        self.ask(number, "capture", {"is_final": is_final} | ({} if part is None else {"amount_minor": part}))

    @rule(number=PICK)
    def void(self, number: int) -> None:
        self.ask(number, "void", {})

    @rule(number=PICK, part=PARTS)
    def refund(self, number: int, part: int | None) -> None:
        self.ask(number, "refunds", {} if part is None else {"amount_minor": part})

    def ask(self, number: int, what: str, body: dict[str, Any]) -> None:
        payment = self.pick(number)
        if payment is not None:
            answer = self.shop.post(f"/v1/payments/{payment['id']}/{what}", **body)
            assert answer.status_code in {201, 409, 422}, answer.text

    @rule(number=PICK, outcome=st.sampled_from([None, "won", "lost"]))
    def complain(self, number: int, outcome: str | None) -> None:
        payment = self.pick(number)
        known = None if payment is None else self.known(payment)
        if known is None:
            return
        opened = self.control("/disputes", account="MeridianEU", payment_id=known["id"], reason="fraudulent")
        if opened is not None and outcome is not None:
            self.control(f"/disputes/{opened['id']}", account="MeridianEU", outcome=outcome)

    @rule(dials=st.sampled_from([{"timeout_after_charge_next": 1}, {"error_after_charge_next": 1},
                                 {"duplicate_webhooks": 2}, {"reorder_webhooks": 3}]))  # fmt: skip
    def fall_ill(self, dials: dict[str, int]) -> None:
        self.shop.dial(**dials)

    @rule()
    def hear_the_news(self) -> None:
        self.shop.deliver_webhooks()

    @rule()
    def look_up_what_is_open(self) -> None:
        self.shop.resolve()

    @invariant()
    def the_books_add_up(self) -> None:
        held: dict[str, dict[str, int]] = {}
        for row in self.shop.rows(_ENTRIES):
            held.setdefault(row["currency"], {})[row["account"].split(":")[0]] = row["n"] + held.get(
                row["currency"], {}
            ).get(row["account"].split(":")[0], 0)
        for row in self.shop.rows(_PAYMENTS):
            accounts = held.get(row["currency"], {})
            assert sum(accounts.values()) == 0, "debits are credits"
            assert row["worst"] >= 0, "never more refunded than captured"
            owed = sum(accounts.get(name, 0) for name in ("merchant_payable_pending", "payer_refundable"))
            fees = sum(accounts.get(name, 0) for name in ("platform_fees", "tax", "split_clearing"))
            assert -owed == row["net"] + fees, "captured less refunded, disputed and fees is what is payable"
            assert accounts.get("gateway_clearing", 0) == row["net"], "and what the gateway holds for us"
            assert accounts.get("disputes", 0) + accounts.get("reserve", 0) == 0

    def teardown(self) -> None:
        """Everything is well again and time passes: our books and the gateway's agree, and nothing stays open."""
        self.shop.dial(timeout_after_charge_next=0, error_after_charge_next=0, duplicate_webhooks=0, reorder_webhooks=0)
        for _ in range(CAUGHT_UP):
            if not self.shop.deliver_webhooks() + self.shop.resolve():
                break
        self.the_books_add_up()
        for link in self.links:
            self.judge(link)

    def judge(self, link: dict[str, Any]) -> None:
        mine = self.shop.rows("SELECT * FROM payments WHERE link_id = %s", link["id"])
        unrefunded = 0
        for payment in mine:
            known = self.known(payment)
            attempt = self.shop.attempt_of(payment)
            assert attempt["status"] in {"succeeded", "failed", "voided", "authorised", "requires_action"}, attempt
            assert payment["captured_minor"] == (known["captured_minor"] if known else 0), (payment, known)
            if known is not None and attempt["status"] == "authorised":
                assert known["status"] == "authorised"
            kept = payment["captured_minor"] - payment["refunded_minor"] - payment["pending_refund_minor"]
            unrefunded += kept > 0 and payment["status"] != "superseded"
        assert link["usage"] != "single" or unrefunded <= 1

    def known(self, payment: dict[str, Any]) -> dict[str, Any] | None:
        found = self.shop.sandbox_payments(self.shop.attempt_of(payment)["id"])
        assert len(found) <= 1, "charged once"
        return found[0] if found else None

    def control(self, path: str, **body: Any) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {CONTROL_KEY}"}
        answer = self.shop.http.post(f"{self.shop.sandbox_url}/_control{path}", json=body, headers=headers)
        return answer.json() if answer.is_success else None


def live(shop: Shop, sequences: int, *, derandomized: bool) -> None:
    run_state_machine_as_test(
        lambda: Life(shop),
        settings=settings(
            max_examples=sequences,
            stateful_step_count=14,
            deadline=None,
            database=None,
            derandomize=derandomized,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_slice_of_lives_leaves_the_books_in_order(shop: Shop) -> None:
    live(shop, 6, derandomized=True)


@pytest.mark.campaign
def test_two_thousand_lives_leave_the_books_in_order(shop: Shop) -> None:
    live(shop, 2000, derandomized=False)
