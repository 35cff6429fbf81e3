"""A date that a command cannot read is told by the option that gave it."""

from datetime import date

import pytest

from pipelines.books.ledger_commands import _in_month
from pipelines.builds.commands import parse_date
from regions.errors import UsageError


@pytest.mark.parametrize("text", ["2026-11", "2026-11-31", "yesterday", ""])
def test_what_is_no_date_is_one_sentence_that_names_the_option(text: str) -> None:
    with pytest.raises(UsageError, match=f"^--until '{text}' is no date: write YYYY-MM-DD$"):
        parse_date(text, "--until")


@pytest.mark.parametrize(("text", "day"), [("2026-11", date(2026, 11, 1)), ("2026-11-23", date(2026, 11, 23))])
def test_a_month_is_given_by_itself_or_by_any_of_its_days(text: str, day: date) -> None:
    assert _in_month(text) == day


@pytest.mark.parametrize("text", ["2026-13", "November", "2026"])
def test_what_is_no_month_names_its_option(text: str) -> None:
    with pytest.raises(UsageError, match="^--month "):
        _in_month(text)
