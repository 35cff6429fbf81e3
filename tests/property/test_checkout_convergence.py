"""Late, repeated and reordered facts end in the same state, and money is never lost nor taken twice."""

from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.money import Money
from web.captures.domain import STEP, StepStatus, next_step_status
from web.checkout.domain import SESSION
from web.disputes.domain import DISPUTE, next_dispute_status
from web.gateways.disputes import DisputeStatus
from web.gateways.domain import Action, ActionKind, Answer, Fact, StepFact
from web.links.domain import LINK
from web.payments.domain import (
    ATTEMPT,
    ATTEMPT_TRANSITIONS,
    OPEN_ATTEMPTS,
    PAYMENT,
    AttemptStatus,
    Capacity,
    PaymentStatus,
    came_late,
    next_attempt_status,
    next_payment_status,
    place_capture,
    resolve_delay,
    weigh,
)
from web.refunds.domain import REFUND, RefundStatus, next_refund_status
from web.transitions import IllegalTransitionError

PRICE = Money(1999, "EUR")
FACTS = st.lists(st.sampled_from(Fact), max_size=12)
RANK = [
    AttemptStatus.SUBMITTED,
    AttemptStatus.UNKNOWN,
    AttemptStatus.REQUIRES_ACTION,
    AttemptStatus.AUTHORISED,
    AttemptStatus.FAILED,
    AttemptStatus.VOIDED,
    AttemptStatus.SUCCEEDED,
]
SAYS = {
    Fact.PENDING: AttemptStatus.SUBMITTED,
    Fact.AUTHORISED: AttemptStatus.AUTHORISED,
    Fact.VOIDED: AttemptStatus.VOIDED,
    Fact.NOT_FOUND: AttemptStatus.UNKNOWN,
    Fact.UNKNOWN: AttemptStatus.UNKNOWN,
    Fact.REQUIRES_ACTION: AttemptStatus.REQUIRES_ACTION,
    Fact.DECLINED: AttemptStatus.FAILED,
    Fact.CAPTURED: AttemptStatus.SUCCEEDED,
}


def end_of(facts: list[Fact]) -> AttemptStatus:
    status = AttemptStatus.SUBMITTED
    for fact in facts:
        status = next_attempt_status(status, fact)
    return status


def answer(fact: Fact, moved: Money = PRICE) -> Answer:
    action = Action(ActionKind.THREE_DS, "https://psp.example/3ds/1") if fact is Fact.REQUIRES_ACTION else None
    code = "card_declined" if fact is Fact.DECLINED else None
    return Answer(fact, "1234567890123456", code, action, moved=moved)


def test_the_attempt_table_is_total_and_takes_the_higher_state() -> None:
    assert set(ATTEMPT_TRANSITIONS) == set(product(AttemptStatus, Fact))
    for (status, fact), then in ATTEMPT_TRANSITIONS.items():
        assert then is max(status, SAYS[fact], key=RANK.index), (status, fact)


@given(FACTS, st.randoms(use_true_random=False))
def test_any_order_of_facts_ends_the_same(facts: list[Fact], random: object) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert end_of(facts) is end_of(shuffled)


@given(FACTS)
def test_repeating_facts_changes_nothing(facts: list[Fact]) -> None:
    assert end_of(facts + facts) is end_of(facts)


@given(FACTS, FACTS)
def test_a_capture_is_never_forgotten(before: list[Fact], after: list[Fact]) -> None:
    assert end_of([*before, Fact.CAPTURED, *after]) is AttemptStatus.SUCCEEDED


@given(st.lists(st.sampled_from([Fact.UNKNOWN, Fact.NOT_FOUND, Fact.PENDING, Fact.REQUIRES_ACTION]), max_size=12))
def test_answers_that_prove_nothing_leave_the_attempt_open(facts: list[Fact]) -> None:
    assert end_of(facts) in OPEN_ATTEMPTS


@given(FACTS)
def test_a_payment_follows_its_attempt_and_tells_each_state_once(facts: list[Fact]) -> None:
    attempt, payment, told = AttemptStatus.SUBMITTED, PaymentStatus.PROCESSING, []
    for fact in facts:
        attempt = next_attempt_status(attempt, fact)
        then = next_payment_status(payment, attempt)
        if then is not payment:
            told.append(then)
        payment = then

    assert len(told) == len(set(told))
    assert (payment is PaymentStatus.SUCCEEDED) == (Fact.CAPTURED in facts)
    assert (payment is PaymentStatus.VOIDED) == (Fact.VOIDED in facts and Fact.CAPTURED not in facts)
    assert (payment is PaymentStatus.FAILED) == (
        Fact.DECLINED in facts and not {Fact.CAPTURED, Fact.VOIDED} & set(facts)
    )


@given(st.lists(st.sampled_from(Fact), min_size=1, max_size=5))
def test_every_order_of_a_history_ends_in_the_same_attempt_and_payment(facts: list[Fact]) -> None:
    def ends(order: tuple[Fact, ...]) -> tuple[AttemptStatus, PaymentStatus]:
        attempt, payment = AttemptStatus.SUBMITTED, PaymentStatus.PROCESSING
        for fact in order:
            attempt = next_attempt_status(attempt, fact)
            payment = PAYMENT.move(payment, next_payment_status(payment, attempt))
        return attempt, payment

    assert len({ends(order) for order in permutations(facts)}) == 1


@given(st.lists(st.sampled_from(DisputeStatus), min_size=1, max_size=5))
def test_every_order_of_a_disputes_news_ends_in_the_same_state(news: list[DisputeStatus]) -> None:
    def end(order: tuple[DisputeStatus, ...]) -> DisputeStatus:
        status = order[0]
        for said in order[1:]:
            status = DISPUTE.move(status, next_dispute_status(status, said))
        return status

    assert len({end(order) for order in permutations(news)}) == 1


@given(st.lists(st.sampled_from(StepFact), min_size=1, max_size=5))
def test_every_order_of_a_captures_and_a_refunds_news_ends_in_the_same_state(facts: list[StepFact]) -> None:
    ends = set()
    for order in permutations(facts):
        step, refund = StepStatus.PENDING, RefundStatus.PENDING
        for fact in order:
            step = STEP.move(step, next_step_status(step, fact))
            refund = REFUND.move(refund, next_refund_status(refund, fact))
        ends.add((step, refund))
    assert len(ends) == 1


MACHINES = (ATTEMPT, PAYMENT, LINK, SESSION, REFUND, STEP, DISPUTE)


def test_a_state_that_may_not_follow_is_refused_by_name() -> None:
    for machine in MACHINES:
        assert set(machine.moves) == set(type(next(iter(machine.moves)))), f"every state of a {machine.noun} has a row"
        for was, to in product(machine.moves, repeat=2):
            if to is was or to in machine.moves[was]:
                assert machine.move(was, to) is to
            else:
                with pytest.raises(IllegalTransitionError, match=f"that is {was} cannot become {to}"):
                    machine.move(was, to)


def test_no_machine_goes_in_a_circle_but_a_link_that_is_opened_again() -> None:
    for machine in MACHINES:
        if machine is LINK:
            continue
        reached: dict[Any, set[Any]] = {state: set(after) for state, after in machine.moves.items()}
        for _ in machine.moves:
            reached = {state: after.union(*(reached[one] for one in after)) for state, after in reached.items()}
        assert not any(state in after for state, after in reached.items()), machine.noun


@given(st.integers(0, 200), st.integers(0, 200), st.booleans())
def test_not_found_is_a_failure_only_after_the_stated_delay(age: int, delay: int, is_known: bool) -> None:  # noqa: FBT001
    weighed = weigh(
        Answer(Fact.NOT_FOUND),
        PRICE,
        known_reference="1234567890123456" if is_known else None,
        age=timedelta(seconds=age),
        not_found_after=timedelta(seconds=delay),
    )

    assert (weighed.fact is Fact.DECLINED) == (age >= delay and not is_known)
    assert weighed.fact in {Fact.DECLINED, Fact.UNKNOWN}


@given(st.sampled_from(Fact), st.integers(1, 10_000), st.sampled_from(["EUR", "USD"]))
def test_a_capture_of_another_amount_proves_nothing(fact: Fact, amount: int, currency: str) -> None:
    moved = Money(amount, currency)

    weighed = weigh(
        answer(fact, moved), PRICE, known_reference=None, age=timedelta(0), not_found_after=timedelta(seconds=60)
    )

    if fact is Fact.CAPTURED:
        assert weighed.fact is (Fact.CAPTURED if moved == PRICE else Fact.UNKNOWN)


HOLDERS = st.sampled_from([None, "a", "b"])


@given(st.booleans(), HOLDERS, HOLDERS)
def test_captured_money_pays_or_goes_back(is_single_use: bool, holder: str | None, winner: str | None) -> None:  # noqa: FBT001
    placed = place_capture("a", Capacity(not is_single_use or holder in {None, "a"}, winner))

    is_taken = winner == "b" or (is_single_use and holder == "b")
    assert placed is (PaymentStatus.SUPERSEDED if is_taken else PaymentStatus.SUCCEEDED)


def test_money_after_the_end_is_late() -> None:
    end = datetime(2026, 11, 22, tzinfo=UTC)
    assert not came_late(end - timedelta(seconds=1), link_expires_at=end, is_session_expired=False)
    assert came_late(end, link_expires_at=end, is_session_expired=False)
    assert came_late(end, link_expires_at=None, is_session_expired=True)
    assert not came_late(end, link_expires_at=None, is_session_expired=False)


@given(st.integers(0, 1000))
def test_the_resolver_asks_less_and_less_often_but_never_stops(count: int) -> None:
    assert timedelta(seconds=5) <= resolve_delay(count) <= resolve_delay(count + 1) <= timedelta(minutes=10)


@given(st.integers(0, 1000), st.integers(0, 3600))
def test_nobody_waits_past_the_moment_of_certainty(count: int, seconds: int) -> None:
    certain_in = timedelta(seconds=seconds)
    assert resolve_delay(count, certain_in) == min(resolve_delay(count), certain_in)


@given(st.lists(st.sampled_from(StepFact), max_size=12))
def test_refunds_settle_once(facts: list[StepFact]) -> None:
    status, entered = RefundStatus.PENDING, []
    for fact in facts:
        then = next_refund_status(status, fact)
        if then is not status:
            entered.append(then)
        status = then

    assert entered.count(RefundStatus.SUCCEEDED) <= 1
    assert (status is RefundStatus.SUCCEEDED) == (StepFact.SUCCEEDED in facts)
