"""What a search of whole columns finds is what a search of each value finds."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.retention.search.needles import Needles

TEXTS = st.lists(st.one_of(st.none(), st.text("abç", max_size=4)), max_size=8)


@settings(deadline=None)  # the first cast loads Arrow's kernels
@given(TEXTS, st.lists(st.text("abç", min_size=1, max_size=3), max_size=3), st.integers(0, 8), st.integers(0, 8))
def test_a_column_is_searched_as_each_of_its_values(
    values: list[str | None], needles: list[str], begin: int, length: int
) -> None:
    expected = any(needle in value for needle in needles for value in values[begin : begin + length] if value)
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        column = pa.array(values, kind).slice(begin, length)
        assert Needles([needle.encode() for needle in needles]).are_in_column(column) == expected


@pytest.mark.parametrize(
    ("values", "kind", "needle"),
    [
        ([b"\xffabc\xff", None], pa.binary(), b"abc\xff"),
        ([7, 123456], pa.int64(), b"2345"),
        ([Decimal("12.3400")], pa.decimal128(10, 4), b"12.34"),
        ([datetime(2026, 3, 14, 15, tzinfo=UTC)], pa.timestamp("us", "UTC"), b"2026-03-14 15"),
        ([["abc", "def"], None], pa.list_(pa.string()), b"def"),
        ([{"name": "Jane"}], pa.struct([("name", pa.string())]), b"Jane"),
        (["abc", "def"], pa.dictionary(pa.int8(), pa.string()), b"def"),
    ],
)
def test_columns_of_every_kind_are_searched_as_text(values: list[Any], kind: pa.DataType, needle: bytes) -> None:
    column = pa.array(values, kind)
    assert Needles([needle]).are_in_column(column)
    assert not Needles([needle + b"!"]).are_in_column(column)
    assert not Needles([needle]).are_in_column(column.slice(len(values)))


def test_what_lies_across_two_values_is_in_neither() -> None:
    assert not Needles([b"4242"]).are_in_column(pa.array(["x42", "42x"]))
