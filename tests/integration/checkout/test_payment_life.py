"""Lives of payments: links, payers, captures, refunds, disputes, renewals, settlement, payouts, a gateway that is ill.

One life with everything in it and a slice of drawn ones here; `make campaign` runs 2,000 sequences.
"""

import time
from functools import partial
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support import shop as cards
from tests.support.lives import ACCOUNT, Life
from tests.support.shop import Shop

KINDS = ("payment", "capture", "refund", "platform_fee", "split", "split_reversal", "dispute", "dispute_won",
         "dispute_lost", "settlement", "payout", "payout_paid", "payout_failed", "payout_reserve")  # fmt: skip
JOURNALS = {f"{kind} EUR" for kind in KINDS} | {"payment SEK", "platform_fee SEK"}


def test_one_life_with_everything_in_it_leaves_the_books_in_order(shop: Shop) -> None:
    life = Life(shop)
    link = partial(life.make_a_link, currency="EUR", is_split=False)
    pay = partial(life.pay, is_saved=False, is_back=False)
    for step in (
        lambda: life.open_for_business(is_free=False, minimum=1),
        lambda: link(usage="multi", capture_method="automatic", is_split=True),
        lambda: pay(0, cards.SUCCEED, is_saved=True),
        life.look_up_what_is_open,
        lambda: life.refund(0, 700),
        lambda: life.subscribe("SEK"),
        life.let_a_month_pass_for_renewals,  # charged in SEK, whose fee is by the month's volume
        lambda: life.settle(is_at_bank=False),  # of what our books have not heard of, too
        lambda: life.fall_ill({"error_after_charge_next": 1}),
        lambda: pay(0, cards.SUCCEED),
        lambda: life.settle(is_at_bank=True),
        life.look_up_what_is_open,
        lambda: life.complain(0, 1000, None),
        life.hear_the_news,
        lambda: life.decide(0, "won"),
        lambda: life.complain(2, 1000, "lost"),
        life.hear_the_news,
        lambda: life.settle(is_at_bank=True),
        lambda: life.pay_out("EUR", (300, 1000)),
        life.send_payouts_to_the_bank,
        lambda: life.end_a_payout(0, "paid"),
        lambda: life.end_a_payout(0, "failed"),
        lambda: link(usage="single", capture_method="manual"),
        lambda: pay(1, cards.SUCCEED),
        life.look_up_what_is_open,
        lambda: life.capture(3, 700, is_final=False),
        lambda: life.fall_ill({"account": ACCOUNT, "down_seconds": 60}),
        lambda: life.refund(3, None),
        lambda: life.void(3),
        lambda: life.pay_out("EUR", None),
    ):
        step()
        life.the_books_add_up()
        life.nobody_has_paid_twice()
    life.teardown()
    assert JOURNALS - life.world.journals() == set(), "not in this life"


def test_a_renewal_that_its_gateway_never_saw_is_known_to_have_failed_in_the_end(shop: Shop) -> None:
    life = Life(shop)
    life.open_for_business(is_free=True, minimum=1)
    life.make_a_link("multi", "automatic", "EUR", is_split=False)
    life.pay(0, cards.SUCCEED, is_saved=True, is_back=False)
    life.subscribe("EUR")
    life.fall_ill({"account": ACCOUNT, "down_seconds": 60})
    life.let_a_month_pass_for_renewals()
    assert [one["status"] for one in life.world.tries()] == ["succeeded", "unknown"]
    life.teardown()
    assert [one["status"] for one in life.world.tries()] == ["succeeded", "failed"]


def live(shop: Shop, sequences: int, *, steps: int, derandomized: bool) -> None:
    begun = count(1)

    def begin() -> Life:
        if (number := next(begun)) % 50 == 0:
            print(f"{number} lives begun, {time.process_time():.0f} s of CPU", flush=True)
        return Life(shop)

    run_state_machine_as_test(
        begin,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=derandomized,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_slice_of_lives_leaves_the_books_in_order(shop: Shop) -> None:
    live(shop, 2, steps=15, derandomized=True)


@pytest.mark.campaign
def test_two_thousand_lives_leave_the_books_in_order(shop: Shop) -> None:
    live(shop, 2000, steps=25, derandomized=False)
