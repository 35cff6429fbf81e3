import json

import pytest
from typer.testing import CliRunner

from pipelines.fx.commands import app
from regions.errors import MeridianError

RUN = CliRunner()


def test_a_sunday_takes_fridays_rate() -> None:
    result = RUN.invoke(app, ["convert", "12.34", "USD", "JPY", "--on", "2026-03-01"])
    assert result.exit_code == 0
    assert "12.34 USD = 1925 JPY" in result.stdout
    assert "rate date 2026-02-27, source ecb" in result.stdout


def test_the_hour_of_publication_decides_when_a_moment_is_given() -> None:
    dates = {}
    for hour in ("15:59:59", "16:00:00"):
        result = RUN.invoke(app, ["convert", "1", "EUR", "USD", "--at", f"2026-03-02T{hour}+01:00", "--format", "json"])
        dates[hour] = json.loads(result.stdout)["rate_date"]
    assert dates == {"15:59:59": "2026-02-27", "16:00:00": "2026-03-02"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1", "EUR", "USD"], "either --on DATE or --at TIMESTAMP"),
        (["1", "EUR", "USD", "--on", "1 March"], "--on '1 March' is no date: write YYYY-MM-DD"),
        (["x", "EUR", "USD", "--on", "2026-03-01"], "is not an amount"),
        (["1.234", "EUR", "USD", "--on", "2026-03-01"], "not a whole number of minor units"),
        (["1", "RUB", "EUR", "--on", "2024-01-02"], "last quoted on 2022-03-01"),
        (["1", "EUR", "USD", "--on", "2040-01-01"], "days old"),
        (["1", "EUR", "USD", "--on", "1998-12-31"], "no rate was published"),
        (["1", "EUR", "ZZZ", "--on", "2026-03-01"], "ISO 4217"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], message: str) -> None:
    result = RUN.invoke(app, ["convert", *arguments])
    assert isinstance(result.exception, MeridianError)
    assert message in str(result.exception)
