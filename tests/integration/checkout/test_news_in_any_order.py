"""Late, repeated and reordered news of a payment ends in the same rows, balances and events, whichever came first.

Each history is how things stand and what is then told of them. A seeded handful of orders here; `make campaign` tries
every order, and every one with each message told twice.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import permutations

import pytest

from tests.support.news import Ground
from tests.support.regional import RegionDatabase
from tests.support.renewed import RENEWALS
from tests.support.told import (
    PRICE,
    News,
    told,
    told_of_capture,
    told_of_dispute,
    told_of_payout,
    told_of_refund,
    told_of_void,
)
from web.gateways.disputes import DisputeStatus
from web.gateways.domain import CaptureMode, Fact, StepFact
from web.payouts.domain import PayoutStatus

WHOLE = PRICE.amount_minor
PART = 700
PENDING, FAILED, SUCCEEDED = StepFact.PENDING, StepFact.FAILED, StepFact.SUCCEEDED
ORDERS_IN_SLICE = 1
Stand = Callable[[Ground], list[News]]
Apart = Callable[[], AbstractContextManager[Ground]]


@pytest.fixture(scope="module")
def apart(region_database: RegionDatabase) -> Iterator[Apart]:
    with Ground.opened(region_database) as opened:
        yield opened


def of_attempt(*facts: tuple[Fact, str | None], mode: CaptureMode = CaptureMode.AUTOMATIC) -> Stand:
    """An attempt that was sent, and what is told of it."""

    def stand(ground: Ground) -> list[News]:
        attempt_id = ground.sent(ground.link("single"), mode, is_single=True)
        return [told(attempt_id, fact, code) for fact, code in facts]

    return stand


def refund_under_way(ground: Ground) -> list[News]:
    _, payment_id = ground.paid(ground.link())
    refund_id = ground.refund(payment_id, WHOLE)
    return [told_of_refund(refund_id, fact, WHOLE) for fact in (PENDING, FAILED, SUCCEEDED)]


def two_refunds(ground: Ground) -> list[News]:
    attempt_id, payment_id = ground.paid(ground.link())
    first, second = ground.refund(payment_id, PART), ground.refund(payment_id, WHOLE - PART)
    return [told_of_refund(first, FAILED, PART), told_of_refund(first, SUCCEEDED, PART),
            told_of_refund(second, SUCCEEDED, WHOLE - PART), told(attempt_id, Fact.CAPTURED)]  # fmt: skip


def refund_that_failed(ground: Ground) -> list[News]:
    attempt_id, payment_id = ground.paid(ground.link())
    refund_id = ground.refund(payment_id, WHOLE)
    return [told_of_refund(refund_id, PENDING, WHOLE), told_of_refund(refund_id, FAILED, WHOLE),
            told(attempt_id, Fact.CAPTURED), told(attempt_id, Fact.PENDING)]  # fmt: skip


def refund_and_chargeback(ground: Ground) -> list[News]:
    attempt_id, payment_id = ground.paid(ground.link())
    refund_id = ground.refund(payment_id, WHOLE)
    return [told_of_refund(refund_id, FAILED, WHOLE), told_of_dispute(attempt_id, DisputeStatus.NEEDS_RESPONSE),
            told_of_refund(refund_id, SUCCEEDED, WHOLE), told_of_dispute(attempt_id, DisputeStatus.LOST)]  # fmt: skip


def contested(*statuses: DisputeStatus) -> Stand:
    """A chargeback of paid money, and what is told of it."""

    def stand(ground: Ground) -> list[News]:
        attempt_id, _ = ground.paid(ground.link())
        return [told_of_dispute(attempt_id, status) for status in statuses]

    return stand


def two_attempts(ground: Ground) -> list[News]:
    """The first one failed and the second was declined; then the first has taken the money after all."""
    first = ground.sent(ground.link("single"), is_single=True)
    second = ground.tried_again(first)
    return [told(second, Fact.PENDING), told(second, Fact.DECLINED, "card_declined"), told(first, Fact.CAPTURED)]


def two_authorisations(ground: Ground) -> list[News]:
    """The first attempt failed, and its money is set aside after all, as the second one's is."""
    first = ground.sent(ground.link("single", capture_method="manual"), CaptureMode.MANUAL, is_single=True)
    second = ground.tried_again(first)
    return [told(second, Fact.AUTHORISED), told(first, Fact.AUTHORISED), told(first, Fact.PENDING)]


def money_and_chargeback(ground: Ground) -> list[News]:
    """The chargeback is told before the money that it takes back."""
    attempt_id = ground.sent(ground.link())
    return [told(attempt_id, Fact.PENDING), told(attempt_id, Fact.CAPTURED),
            told_of_dispute(attempt_id, DisputeStatus.NEEDS_RESPONSE, PART),
            told_of_dispute(attempt_id, DisputeStatus.WON, PART)]  # fmt: skip


def captured_whole(ground: Ground) -> list[News]:
    attempt_id, payment_id = ground.set_aside(ground.link(capture_method="manual"))
    capture_id = ground.capture(payment_id, WHOLE, is_final=True)
    return [told(attempt_id, Fact.AUTHORISED), told_of_capture(capture_id, PENDING, WHOLE),
            told_of_capture(capture_id, SUCCEEDED, WHOLE), told(attempt_id, Fact.CAPTURED)]  # fmt: skip


def captured_after_all(ground: Ground) -> list[News]:
    _, payment_id = ground.set_aside(ground.link(capture_method="manual", capture_after_hours=24))
    capture_id = ground.capture(payment_id, PART, is_final=False)
    return [told_of_capture(capture_id, fact, PART) for fact in (PENDING, FAILED, SUCCEEDED)]


def last_part_captured(ground: Ground) -> list[News]:
    """Two captures, one after the other; the rest is let go by the final one."""
    attempt_id, payment_id = ground.set_aside(ground.link(capture_method="manual"))
    first = ground.capture(payment_id, PART, is_final=False)
    told_of_capture(first, SUCCEEDED, PART)(ground.scope)
    second = ground.capture(payment_id, PART, is_final=True)
    return [told_of_capture(first, SUCCEEDED, PART), told_of_capture(second, SUCCEEDED, PART),
            told(attempt_id, Fact.CAPTURED), told(attempt_id, Fact.DECLINED, "voided")]  # fmt: skip


def captured_while_it_ran_out(ground: Ground) -> list[News]:
    attempt_id, payment_id = ground.set_aside(ground.link(capture_method="manual"))
    capture_id = ground.capture(payment_id, PART, is_final=False)
    return [told_of_capture(capture_id, SUCCEEDED, PART), told(attempt_id, Fact.DECLINED, "authorisation_expired"),
            told(attempt_id, Fact.AUTHORISED), told_of_capture(capture_id, PENDING, PART)]  # fmt: skip


def let_go(ground: Ground) -> list[News]:
    attempt_id, payment_id = ground.set_aside(ground.link("single", capture_method="manual"))
    void_id = ground.void(payment_id)
    return [told_of_void(void_id, PENDING), told_of_void(void_id, SUCCEEDED),
            told(attempt_id, Fact.DECLINED, "voided"), told(attempt_id, Fact.AUTHORISED)]  # fmt: skip


def let_go_after_all(ground: Ground) -> list[News]:
    attempt_id, payment_id = ground.set_aside(ground.link("single", capture_method="manual"))
    void_id = ground.void(payment_id)
    return [told_of_void(void_id, FAILED), told_of_void(void_id, SUCCEEDED),
            told(attempt_id, Fact.DECLINED, "voided")]  # fmt: skip


def payout_that_came_back(ground: Ground) -> list[News]:
    payout_id = ground.payout(5000)
    return [told_of_payout(payout_id, PayoutStatus.PAID), told_of_payout(payout_id, PayoutStatus.FAILED)]


HISTORIES: dict[str, Stand] = {
    "paid": of_attempt((Fact.PENDING, None), (Fact.UNKNOWN, None), (Fact.CAPTURED, None)),
    "asked at the bank and paid": of_attempt((Fact.REQUIRES_ACTION, None), (Fact.PENDING, None), (Fact.CAPTURED, None)),
    "authorised and captured by the gateway": of_attempt(
        (Fact.REQUIRES_ACTION, None), (Fact.AUTHORISED, None), (Fact.CAPTURED, None)
    ),
    "declined": of_attempt((Fact.PENDING, None), (Fact.REQUIRES_ACTION, None), (Fact.DECLINED, "card_declined")),
    "asked and never answered": of_attempt(
        (Fact.REQUIRES_ACTION, None), (Fact.DECLINED, "action_expired"), (Fact.PENDING, None)
    ),
    "declined, and paid after all": of_attempt(
        (Fact.DECLINED, "card_declined"), (Fact.CAPTURED, None), (Fact.PENDING, None), (Fact.REQUIRES_ACTION, None)
    ),
    "not found, and paid after all": of_attempt((Fact.NOT_FOUND, None), (Fact.UNKNOWN, None), (Fact.CAPTURED, None)),
    "set aside and run out": of_attempt(
        (Fact.REQUIRES_ACTION, None), (Fact.AUTHORISED, None), (Fact.DECLINED, "authorisation_expired"),
        mode=CaptureMode.MANUAL,
    ),
    "set aside, let go, and declined": of_attempt(
        (Fact.AUTHORISED, None), (Fact.DECLINED, "voided"), (Fact.DECLINED, "card_declined"), mode=CaptureMode.MANUAL
    ),
    "declined, and set aside after all": of_attempt(
        (Fact.DECLINED, "card_declined"), (Fact.AUTHORISED, None), (Fact.PENDING, None), mode=CaptureMode.MANUAL
    ),
    "declined, set aside, and paid after all": of_attempt(
        (Fact.DECLINED, "card_declined"), (Fact.AUTHORISED, None), (Fact.CAPTURED, None)
    ),
    "refund that went after all": refund_under_way,
    "two refunds": two_refunds,
    "refund that failed": refund_that_failed,
    "refund and chargeback": refund_and_chargeback,
    "money and chargeback": money_and_chargeback,
    "chargeback that is won": contested(
        DisputeStatus.INQUIRY, DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.WON
    ),
    "chargeback that is won and lost": contested(
        DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.WON, DisputeStatus.LOST
    ),
    "two attempts": two_attempts,
    "two authorisations": two_authorisations,
    "captured whole": captured_whole,
    "captured after all": captured_after_all,
    "captured in two parts": last_part_captured,
    "captured while it ran out": captured_while_it_ran_out,
    "let go": let_go,
    "let go after all": let_go_after_all,
    "payout that came back": payout_that_came_back,
    **RENEWALS,
}  # fmt: skip
HELD, OWED = "gateway_clearing:sandbox", "merchant_payable_pending"
ENDS: dict[str, dict[str, int]] = {  # where the money is, where it is not plain from the name
    "paid": {HELD: WHOLE, OWED: -WHOLE},
    "declined": {},
    "declined, and paid after all": {HELD: WHOLE, OWED: -WHOLE},
    "set aside, let go, and declined": {},
    "refund that went after all": {},
    "refund that failed": {HELD: WHOLE, OWED: -WHOLE},
    "refund and chargeback": {HELD: -WHOLE, OWED: WHOLE},
    "money and chargeback": {HELD: WHOLE, OWED: -WHOLE},
    "chargeback that is won": {HELD: WHOLE, OWED: -WHOLE},
    "chargeback that is won and lost": {},
    "two attempts": {HELD: WHOLE, OWED: -WHOLE},
    "captured in two parts": {HELD: 2 * PART, OWED: -2 * PART},
    "captured while it ran out": {HELD: PART, OWED: -PART},
    "renewal that is charged": {HELD: 2 * WHOLE, OWED: -2 * WHOLE},  # the method was saved by paying
    "renewal declined for good": {HELD: WHOLE, OWED: -WHOLE},
    "renewal declined for good, and charged after all": {HELD: 2 * WHOLE, OWED: -2 * WHOLE},
    "renewal charged at the second try": {HELD: 2 * WHOLE, OWED: -2 * WHOLE},
    "payout that came back": {HELD: 5000, "merchant_payable_available": -5000},
}


@pytest.mark.parametrize("name", HISTORIES)
def test_news_in_a_few_orders_ends_the_same(apart: Apart, name: str) -> None:
    draw = random.Random(name)

    def some(news: Sequence[News]) -> Iterator[Sequence[News]]:
        for _ in range(ORDERS_IN_SLICE):
            order = [*news, draw.choice(news)]
            draw.shuffle(order)
            yield order
        yield list(reversed(news))

    ends_the_same(apart, name, some)


@pytest.mark.campaign
@pytest.mark.parametrize("name", HISTORIES)
def test_news_in_every_order_ends_the_same(apart: Apart, name: str) -> None:
    def every(news: Sequence[News]) -> Iterator[Sequence[News]]:
        for order in permutations(news):
            yield order
            yield [*order, *order]
            for at, again in enumerate(order):
                yield [*order[: at + 1], again, *order[at + 1 :]]

    ends_the_same(apart, name, every)


def ends_the_same(apart: Apart, name: str, orders: Callable[[Sequence[News]], Iterator[Sequence[News]]]) -> None:
    with apart() as history:
        news = HISTORIES[name](history)
        first = history.end_of(news)
        assert first["balances"] == ENDS.get(name, first["balances"])
        for order in orders(news):
            end = history.end_of(order)
            told_as = [news.index(one) for one in order]
            for part, found in end.items():
                assert found == first[part], f"{part} after the order {told_as}"
