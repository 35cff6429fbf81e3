"""The life of payments as a state machine: whatever happens in which order, the books add up, nothing is taken twice.

The simulated gateway's own books are the judge, after every step.
"""

import re
from collections import Counter
from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support import life
from tests.support import shop as cards
from tests.support.life import World
from tests.support.shop import EMAIL, NAME, Shop
from web.background import capturing, metering, payouts, renewing

PRICE = 1999
ACCOUNT = "MeridianEU"
CARDS = st.sampled_from(
    [cards.SUCCEED] * 5
    + [cards.DECLINE, cards.CAPTURE_LATER, cards.REFUND_LATER, cards.REFUND_FAILS_LATER, cards.CHALLENGE]
    + [cards.TIMEOUT_AFTER_CHARGE]
)
PARTS = st.sampled_from([None, 1, 700, 1999, 2500])
PICK = st.integers(0, 1000)
ILLNESSES = ({"timeout_after_charge_next": 1}, {"error_after_charge_next": 1}, {"duplicate_webhooks": 2},
             {"reorder_webhooks": 3}, {"account": ACCOUNT, "down_seconds": 60})  # fmt: skip
WELL = {"timeout_after_charge_next": 0, "error_after_charge_next": 0, "duplicate_webhooks": 0, "reorder_webhooks": 0,
        "down_seconds": 0}  # fmt: skip
CAUGHT_UP = 10  # rounds in which everything that is open ends
ENDED = {"succeeded", "failed", "voided", "authorised", "requires_action"}


class Life(RuleBasedStateMachine):
    """Payers, a merchant, a bank and a gateway that is not always well."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self.world = World.new(shop)
        self.shop = self.world.shop
        self.links: list[dict[str, Any]] = []
        self.visits: list[str] = []

    @initialize(is_free=st.booleans(), minimum=st.sampled_from([1, 1500]))
    def open_for_business(self, is_free: bool, minimum: int) -> None:  # noqa: FBT001
        if not is_free:
            self.world.be_charged_fees()
        for currency in life.CURRENCIES:
            self.world.be_paid_out(currency, minimum)
        assert self.shop.post("/v1/payment_method_settings", is_offered=True).status_code == 200

    @rule(
        usage=st.sampled_from(["single", "multi"]),
        capture_method=st.sampled_from(["automatic", "manual"]),
        currency=st.sampled_from(["EUR", "EUR", "SEK"]),
        is_split=st.sampled_from([False, False, True]),
    )
    def make_a_link(self, usage: str, capture_method: str, currency: str, is_split: bool) -> None:  # noqa: FBT001
        more = {"splits": [{"merchant_id": self.world.partner(), "percent": "33.3"}]} if is_split else {}
        fields = {"usage": usage, "capture_method": capture_method, "currency": currency}
        self.links.append(self.shop.create_link(PRICE, **fields, **more))

    @precondition(lambda self: self.links)
    @rule(number=PICK, card=CARDS, is_saved=st.booleans(), is_back=st.booleans())
    def pay(self, number: int, card: str, is_saved: bool, is_back: bool) -> None:  # noqa: FBT001
        if is_back and self.visits:
            session_url = self.visits[number % len(self.visits)]
        else:
            opened = self.shop.http.post(f"{self.links[number % len(self.links)]['url']}/sessions")
            if opened.status_code != 303:
                return
            session_url = self.shop.web_url + opened.headers["Location"]
            self.visits.append(session_url)
        answer = self.visit(session_url, card, is_saved=is_saved)
        assert answer is None or answer.status_code in {303, 409, 410, 503}, (answer.status_code, answer.text)

    def visit(self, session_url: str, card: str, *, is_saved: bool) -> httpx.Response | None:
        """Submit a session's page with a card; None if it has nothing to submit."""
        page = self.shop.http.get(session_url)
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
        if page.status_code != 200 or csrf is None:
            return None
        asked = re.search(r'name="gateway" value="(\w+)"', page.text)  # whose card fields the page shows
        gateway = asked[1] if asked else "sandbox"
        account = next(one.account for one in self.shop.worker.region.gateways if one.name == gateway)
        given = {"account": account, "number": card, "exp_month": "12", "exp_year": "34", "cvc": "123"}
        made = self.shop.http.post(f"{self.shop.sandbox_url}/frame/tokens", json=given)
        if made.status_code != httpx.codes.CREATED:
            return None  # the gateway is down, and its card fields with it
        token = made.json()["token"]
        form = {"csrf": csrf[1], "email": EMAIL, "name": NAME, "payment_token": token, "gateway": gateway}
        return self.shop.http.post(f"{session_url}/pay", data=form | ({"save": "yes"} if is_saved else {}))

    @precondition(lambda self: self.visits)
    @rule(number=PICK, outcome=st.sampled_from(["approve", "reject"]), is_back=st.booleans())
    def answer_the_bank(self, number: int, outcome: str, is_back: bool) -> None:  # noqa: FBT001
        waiting = [one for one in self.world.known(self.world.tries()).values() if one["status"] == "requires_action"]
        if waiting:
            action = waiting[number % len(waiting)]["action_id"]
            done = self.shop.http.post(f"{self.shop.sandbox_url}/3ds/{action}", data={"outcome": outcome})
            if is_back and done.status_code == 303:
                self.shop.http.get(done.headers["Location"])

    @precondition(lambda self: self.links)
    @rule(number=PICK)
    def end_a_link(self, number: int) -> None:
        self.shop.post(f"/v1/links/{self.links[number % len(self.links)]['id']}/deactivate")

    @precondition(lambda self: self.visits)
    @rule(number=PICK, part=PARTS, is_final=st.booleans())
    def capture(self, number: int, part: int | None, is_final: bool) -> None:  # noqa: FBT001
        self.ask(number, "capture", {"is_final": is_final} | ({} if part is None else {"amount_minor": part}))

    @precondition(lambda self: self.visits)
    @rule(number=PICK)
    def void(self, number: int) -> None:
        self.ask(number, "void", {})

    @precondition(lambda self: self.visits)
    @rule(number=PICK, part=PARTS)
    def refund(self, number: int, part: int | None) -> None:
        self.ask(number, "refunds", {} if part is None else {"amount_minor": part})

    def ask(self, number: int, what: str, body: dict[str, Any]) -> None:
        if tries := self.world.tries():
            payment_id = tries[number % len(tries)]["payment_id"]
            answer = self.shop.post(f"/v1/payments/{payment_id}/{what}", **body)
            assert answer.status_code in {201, 409, 422}, answer.text

    @precondition(lambda self: self.visits)
    @rule(number=PICK, part=st.sampled_from([None, 1000]), outcome=st.sampled_from([None, "won", "lost"]))
    def complain(self, number: int, part: int | None, outcome: str | None) -> None:
        known = list(self.world.known(self.world.tries()).values())
        if known:
            of = known[number % len(known)]
            body = {"account": of["account"], "payment_id": of["id"], "reason": "fraudulent", "amount_minor": part}
            opened = self.world.control("/disputes", **body)
            if opened is not None and outcome is not None:
                self.world.control(f"/disputes/{opened['id']}", account=of["account"], outcome=outcome)

    @precondition(lambda self: self.visits)
    @rule(number=PICK, outcome=st.sampled_from(["won", "lost"]))
    def decide(self, number: int, outcome: str) -> None:
        if disputes := self.world.disputes():
            of = disputes[number % len(disputes)]
            self.world.control(f"/disputes/{of['id']}", account=of["account"], outcome=outcome)

    @rule(illness=st.sampled_from(ILLNESSES))
    def fall_ill(self, illness: dict[str, Any]) -> None:
        self.shop.dial(**illness)

    @rule()
    def get_well(self) -> None:
        self.shop.dial(**WELL)
        self.shop.forget_calls()

    @rule()
    def hear_the_news(self) -> None:
        self.shop.deliver_webhooks()
        while metering.step(self.shop.worker):
            pass

    @rule()
    def look_up_what_is_open(self) -> None:
        self.shop.resolve()

    @precondition(lambda self: self.visits)
    @rule(is_ours_first=st.booleans())
    def let_authorisations_run_out(self, is_ours_first: bool) -> None:  # noqa: FBT001
        if is_ours_first:
            mine = self.world.merchants[0]
            self.shop.execute("UPDATE payments SET authorised_until = now() WHERE merchant_id = %s", mine)
            while capturing.step_due(self.shop.worker):
                pass
        else:
            references = [one["id"] for one in self.world.tries()]
            with self.shop.sandbox_database.transaction() as connection:
                statement = "UPDATE payments SET due_at = now() WHERE status = 'authorised' AND reference = ANY(%s)"
                connection.execute(statement, [references])

    @precondition(lambda self: self.visits)
    @rule(currency=st.sampled_from(["EUR", "SEK"]))
    def subscribe(self, currency: str) -> None:
        mine = "SELECT id FROM saved_methods WHERE merchant_id = %s AND status = 'active' LIMIT 1"
        for row in self.shop.rows(mine, self.world.merchants[0]):
            body = {"amount_minor": 2500, "currency": currency, "reference": "SUB", "payment_method_id": row["id"]}
            assert self.shop.post("/v1/renewals", **body).status_code == 201

    @precondition(lambda self: self.visits)
    @rule()
    def let_a_month_pass_for_renewals(self) -> None:
        mine = self.world.merchants[0]
        self.shop.execute(
            "UPDATE renewals SET starts_at = starts_at - interval '1 month', next_opens_at = next_opens_at -"
            " interval '1 month' WHERE merchant_id = %s", mine,
        )  # fmt: skip
        self.shop.execute(
            "UPDATE renewal_periods SET due_at = due_at - interval '1 month',"
            " try_after = try_after - interval '1 month' WHERE merchant_id = %s AND status = 'due'", mine,
        )  # fmt: skip
        for step in (renewing.step_open, renewing.step_charge, renewing.step_unpaid):
            while step(self.shop.worker):
                pass

    @precondition(lambda self: self.visits)
    @rule(is_at_bank=st.booleans())
    def settle(self, is_at_bank: bool) -> None:  # noqa: FBT001
        self.world.close_batches()
        if is_at_bank:
            self.world.read_statements()
        self.world.reconcile()

    @precondition(lambda self: self.world.lines)
    @rule(currency=st.sampled_from(["EUR", "EUR", "SEK"]), reserve=st.sampled_from([None, (0, 0), (300, 1000)]))
    def pay_out(self, currency: str, reserve: tuple[int, int] | None) -> None:
        if reserve is not None:
            body = {"merchant_id": self.world.merchants[0], "livemode": False, "currency": currency,
                    "reserve_minor": reserve[0], "reserve_bps": reserve[1]}  # fmt: skip
            assert self.world.call("payout_reserves", **body).status_code == 200
        assert self.shop.post("/v1/payouts", currency=currency).status_code in {201, 409}

    @precondition(lambda self: self.world.lines)
    @rule()
    def send_payouts_to_the_bank(self) -> None:
        while payouts.step_files(self.shop.worker):
            pass

    @precondition(lambda self: self.world.lines)
    @rule(number=PICK, outcome=st.sampled_from(["paid", "failed"]))
    def end_a_payout(self, number: int, outcome: str) -> None:
        made = self.shop.rows("SELECT id FROM payouts WHERE merchant_id = %s ORDER BY id", self.world.merchants[0])
        if made:
            ended = self.world.call(f"payouts/{made[number % len(made)]['id']}/end", outcome=outcome)
            assert ended.status_code in {200, 409}, ended.text

    @invariant()
    def the_books_add_up(self) -> None:
        books, moved = self.world.books(), self.world.moved()
        assert self.world.lopsided() == []
        for currency in books:
            held, of = books[currency], moved.get(currency, Counter())
            sums = {names: sum(held.pop(name, 0) for name in names) for names in life.GROUPS}
            assert not held, f"accounts that nobody expected: {dict(held)}"
            assert sum(sums.values()) == 0, "debits are credits"
            assert of["worst"] >= 0, "never more refunded than captured"
            assert sums[life.NOTHING] == 0, "what passes between merchants has two sides"
            assert sums[life.UNEXPLAINED] == self.world.unexplained[currency], (currency, sums)
            net = of["captured"] - of["refunded"] - of["disputed"] - of["paid_out"]
            assert -sums[life.PAYABLE] == net + sums[life.PLATFORM_FEES], (currency, of, sums)
            assert sums[life.CLEARING] == net - sums[life.COSTS] - sums[life.UNEXPLAINED], (currency, of, sums)

    @invariant()
    def nobody_has_paid_twice(self) -> None:
        tries = self.world.tries()
        known = self.world.known(tries)
        kept: Counter[str] = Counter()
        for one in tries:
            there = known.get(one["id"])
            if there is not None:
                assert there["captured_minor"] <= there["amount_minor"]
                assert there["refunded_minor"] <= there["captured_minor"]
                kept[one["link_id"]] += one["usage"] == "single" and there["captured_minor"] > there["refunded_minor"]
        assert all(count <= 1 for count in kept.values()), "a link for one payment has one success that is not refunded"

    def teardown(self) -> None:
        """Everything is well again and time passes: our books, the gateway's and the bank's agree; nothing is open."""
        self.get_well()
        # A charge that a gateway never saw is known to have failed once its stated delay is over.
        waited = (
            "UPDATE attempts SET created_at = created_at - interval '1 h' WHERE status = 'unknown' AND merchant_id = %s"
        )
        self.shop.execute(waited, self.world.merchants[0])
        for _ in range(CAUGHT_UP):
            if not self.shop.deliver_webhooks() + self.shop.resolve():
                break
        self.settle(is_at_bank=True)
        self.the_books_add_up()
        self.nobody_has_paid_twice()
        for currency, held in self.world.books().items():
            left = {
                name: n for name, n in held.items() if n and name in ("gateway_clearing", "bank_clearing", "suspense")
            }
            assert not left, f"what is settled is in clearing no more: {currency} {left}"
        tries = self.world.tries()
        known = self.world.known(tries)
        for payment_id in {one["payment_id"] for one in tries}:
            mine = [one for one in tries if one["payment_id"] == payment_id]
            there = [known[one["id"]] for one in mine if one["id"] in known]
            assert {one["status"] for one in mine} <= ENDED, mine
            for name in ("captured_minor", "refunded_minor"):
                assert mine[0][name] == sum(one[name] for one in there), (name, mine, there)
        ended = "UPDATE renewals SET status = 'ended', ended_at = now() WHERE status = 'active' AND merchant_id = %s"
        self.shop.execute(ended, self.world.merchants[0])
        self.send_payouts_to_the_bank()
        self.shop.execute("DELETE FROM payout_settings WHERE merchant_id = %s", self.world.merchants[0])
        self.shop.put_open_work_away()  # else each later life would look up the payers of all earlier ones
