import pytest

from pipelines.builds.cut import NoWholeBatchError, find_cut
from warehouse.inputs import StreamCut

ENDS = [
    (StreamCut(1, 3), {"eu.payments.v1/0": "1:3:4", "eu.ledger.v1/0": "1:3:5"}),
    (StreamCut(1, 2), {"eu.payments.v1/0": "1:2:1", "eu.ledger.v1/0": "1:2:2"}),
    (StreamCut(1, 1), {"eu.payments.v1/0": "1:1:9"}),
    (StreamCut(1, 0), {}),
]


def test_the_latest_batch_counts_when_the_lake_has_all_of_it() -> None:
    assert find_cut(ENDS, {"eu.payments.v1/0": "1:3:4", "eu.ledger.v1/0": "1:3:5"}) == StreamCut(1, 3)


def test_a_batch_that_is_there_in_part_does_not_count() -> None:
    assert find_cut(ENDS, {"eu.payments.v1/0": "1:3:4", "eu.ledger.v1/0": "1:2:2"}) == StreamCut(1, 2)


def test_the_lake_may_be_ahead_of_the_relays_cursor() -> None:
    assert find_cut(ENDS, {"eu.payments.v1/0": "1:4:1", "eu.ledger.v1/0": "1:3:5"}) == StreamCut(1, 3)


def test_positions_are_compared_as_numbers() -> None:
    ends = [(StreamCut(1, 10), {"p/0": "1:10:1"}), (StreamCut(1, 9), {"p/0": "1:9:1"})]
    assert find_cut(ends, {"p/0": "1:9:7"}) == StreamCut(1, 9)


def test_an_empty_lake_has_the_stream_before_its_first_batch() -> None:
    assert find_cut(ENDS, {}) == StreamCut(1, 0)


def test_a_lake_behind_all_that_is_remembered_is_an_error() -> None:
    with pytest.raises(NoWholeBatchError, match="meridian lake status"):
        find_cut(ENDS[:2], {"eu.payments.v1/0": "1:1:1"})
