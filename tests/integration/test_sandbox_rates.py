"""Daily rates of the simulated PSP's server: the ECB's form, the same for everybody, never early."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines.fx.ecb import bundled_history, parse
from regions.target_days import business_days, easter_sunday, publication_moment
from tests.support.postgres import PostgresServer
from tests.support.sandbox import Psp, running_psp, sandbox_database
from web.sandbox.rates.domain import FIRST_DAY, FIRST_RATES, STEP_MAX, daily_file, rates_of

URL = "/v1/ecb/eurofxref-daily.csv"


@pytest.fixture(scope="module")
def psp(postgres_server: PostgresServer) -> Iterator[Psp]:
    with sandbox_database(postgres_server.url) as url, running_psp(url) as running:
        yield running


def test_a_business_day_is_served_in_the_banks_form_and_says_who_made_it(psp: Psp) -> None:
    answer = psp.get(URL, date="2026-11-03")
    assert answer.status_code == 200
    assert answer.headers["Rates-Source"] == "sandbox"
    [day] = parse(answer.data, name="daily", source="sandbox")
    assert day.rate_date == date(2026, 11, 3)
    assert day.rates == rates_of(date(2026, 11, 3))
    assert answer.data == psp.get(URL, date="2026-11-03").data


@pytest.mark.parametrize("day", ["2026-11-01", "2026-12-25", "1999-01-04", "2026-10-29"])
def test_a_day_without_publication_is_not_there(psp: Psp, day: str) -> None:
    answer = psp.get(URL, date=day)
    assert (answer.status_code, answer.json["code"]) == (404, "not_published")


def test_nothing_is_served_before_its_hour(psp: Psp) -> None:
    now = datetime.now(UTC)
    ahead = [day for day in business_days(now.date(), now.date() + timedelta(days=10)) if publication_moment(day) > now]
    answer = psp.get(URL, date=ahead[0].isoformat())
    assert (answer.status_code, answer.json["code"]) == (404, "not_published_yet")


def test_a_date_that_is_none_is_refused(psp: Psp) -> None:
    assert psp.get(URL, date="yesterday").json["errors"][0]["pointer"] == "/date"
    assert psp.client.get(URL, query_string={"date": "2026-11-03"}).status_code == 401


def test_the_walk_begins_at_the_last_real_day_and_takes_small_steps() -> None:
    last = bundled_history()[-1]
    assert (last.rate_date, {name: str(rate) for name, rate in last.rates.items()}) == (FIRST_DAY, dict(FIRST_RATES))
    before = rates_of(FIRST_DAY)
    for day in business_days(FIRST_DAY + timedelta(days=1), FIRST_DAY + timedelta(days=90)):
        after = rates_of(day)
        assert all(abs(after[name] / before[name] - 1) < STEP_MAX * 2 for name in after)
        assert after != before
        before = after
    assert daily_file(FIRST_DAY - timedelta(days=1)) is None


def test_easter() -> None:
    known = {1999: (4, 4), 2000: (4, 23), 2008: (3, 23), 2011: (4, 24), 2026: (4, 5), 2038: (4, 25)}
    assert {year: (easter_sunday(year).month, easter_sunday(year).day) for year in known} == known
