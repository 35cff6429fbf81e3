from datetime import date
from decimal import Decimal

import pytest

from pipelines.fx.ecb import RateFileError, parse

DAILY = "Date, USD, JPY, ISK, \n30 October 2026, 1.1172, 175.68, N/A, \n"


def test_the_daily_form_and_the_historic_form_read_alike() -> None:
    historic = "Date,USD,JPY,ISK,\n2026-10-30,1.1172,175.68,N/A,\n"
    daily = parse(DAILY.encode(), name="daily.csv", source="ecb")
    assert daily == parse(historic.encode(), name="hist.csv", source="ecb")
    assert daily[0].rate_date == date(2026, 10, 30)
    assert daily[0].rates == {"USD": Decimal("1.1172"), "JPY": Decimal("175.68")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the first column must be `Date`"),
        ("Day,USD\n2026-10-30,1.1\n", "line 1: the first column must be `Date`, not `Day`"),
        ("Date,Dollar\n2026-10-30,1.1\n", "line 1: `Dollar` is not a currency code"),
        ("Date,EUR\n2026-10-30,1\n", "EUR is the base"),
        ("Date,USD,USD\n2026-10-30,1,1\n", "twice in the header"),
        ("Date,USD\n", "no rates"),
        ("Date,USD\n2026-10-30,-1.1\n", "line 2, column USD: a rate must be above zero"),
        ("Date,USD\n2026-10-30,0\n", "line 2, column USD: a rate must be above zero"),
        ("Date,USD\n2026-10-30,NaN\n", "line 2, column USD: a rate must be above zero"),
        ("Date,USD\n2026-10-30,abc\n", "line 2, column USD: `abc` is not a rate"),
        ("Date,USD\n2026-10-30,1.123456789\n", "line 2, column USD: 1.123456789 does not fit 12 digits before and 8"),
        ("Date,USD\n2026-10-30,1234567890123\n", "line 2, column USD: 1234567890123 does not fit"),
        ("Date,USD\n30/10/2026,1.1\n", "line 2, column Date: `30/10/2026` is not a date"),
        ("Date,USD\n2026-10-30,1.1,2.2\n", "3 values under 2 columns"),
        ("Date,USD\n2026-10-30,1.1\n2026-10-30,1.2\n", "line 3, column Date: 2026-10-30 stands twice"),
        ("Date,USD\n2026-10-30,1.1\n2026-10-28,1.2\n", "no rates for the business day 2026-10-29"),
    ],
)
def test_a_bad_file_is_refused_whole_and_the_message_says_where(text: str, message: str) -> None:
    with pytest.raises(RateFileError, match="f.csv") as caught:
        parse(text.encode(), name="f.csv", source="ecb")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
