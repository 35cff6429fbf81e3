from itertools import product

import pytest

from web.gateways.domain import StepFact
from web.refunds.domain import REFUND_TRANSITIONS, Balance, RefundStatus, next_refund_status


def test_the_refund_table_is_total() -> None:
    assert set(REFUND_TRANSITIONS) == set(product(RefundStatus, StepFact))


def test_only_a_definite_answer_ends_a_refund() -> None:
    for fact in (StepFact.PENDING, StepFact.UNKNOWN, StepFact.NOT_FOUND):
        assert next_refund_status(RefundStatus.PENDING, fact) is RefundStatus.PENDING
    for fact in StepFact:
        assert next_refund_status(RefundStatus.SUCCEEDED, fact) is RefundStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("balance", "left"),
    [
        (Balance(1000, 0, 0, 0), 1000),
        (Balance(1000, 300, 200, 100), 400),
        (Balance(1000, 1000, 0, 0), 0),
        (Balance(0, 0, 0, 0), 0),
    ],
)
def test_refundable_is_what_was_captured_less_all_claims(balance: Balance, left: int) -> None:
    assert balance.refundable_minor == left
    assert balance.covers(left) == (left > 0)
    assert not balance.covers(left + 1)
    assert not balance.covers(0)
    assert not balance.covers(-1)
