"""What is paid out: available money only, never below zero, never what a refund or the reserve needs."""

from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.ids import new_id
from regions.money import Money
from web.payouts.domain import Balance, Schedule, Terms, is_account, is_iban, next_due, plan
from web.payouts.pain001 import NAMESPACE, BankAccount, Batch, PayoutFileError, Transfer, check, render

AMOUNTS = st.integers(-(10**9), 10**9)
POSITIVE = st.integers(0, 10**9)
IBAN = "DE89370400440532013000"
OURS = BankAccount("Meridian Payments Europe GmbH", IBAN, "COBADEFFXXX")
NS = {"p": NAMESPACE}


@given(
    st.builds(Balance, AMOUNTS, AMOUNTS, POSITIVE, POSITIVE, POSITIVE),
    st.builds(Terms, st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10_000)),
)
def test_a_payout_takes_no_more_than_is_free(balance: Balance, terms: Terms) -> None:
    planned = plan(balance, terms)
    if planned.why is not None:
        assert (planned.amount_minor, planned.reserve_minor) == (0, 0)
        return
    assert planned.amount_minor >= terms.minimum_minor
    assert planned.amount_minor + planned.reserve_minor <= balance.free_minor
    assert balance.available_minor - planned.amount_minor - planned.reserve_minor >= 0
    left = balance.reserved_minor + planned.reserve_minor
    assert left >= min(terms.reserve_minor, balance.reserved_minor)
    assert planned.reserve_minor >= -balance.reserved_minor


def test_what_holds_a_payout_back_is_said() -> None:
    assert plan(Balance(1000, 0, 0, 0, 1000), Terms()).amount_minor == 1000
    assert plan(Balance(1000, 0, 0, 0, 1000), Terms(minimum_minor=1001)).why == "below_minimum"
    assert plan(Balance(0, 500, 0, 0, 0), Terms()).why == "nothing_available"
    assert plan(Balance(-1, 500, 0, 0, 0), Terms()).why == "negative_balance"
    assert plan(Balance(1000, -300, 0, 0, 0), Terms()).amount_minor == 700  # a refund of paid-out money comes first
    assert plan(Balance(1000, 200, 500, 0, 0), Terms()).amount_minor == 700  # one that is asked for, too
    held = plan(Balance(1000, 0, 0, 20, 1000), Terms(reserve_minor=50, reserve_bps=1000))
    assert (held.amount_minor, held.reserve_minor) == (870, 130)
    freed = plan(Balance(1000, 0, 0, 400, 0), Terms(reserve_minor=100))
    assert (freed.amount_minor, freed.reserve_minor) == (1300, -300)


@given(
    st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    st.sampled_from(Schedule),
    st.integers(1, 7),
    st.integers(1, 28),
)
def test_the_next_day_is_later_and_fits(after: date, schedule: Schedule, weekday: int, month_day: int) -> None:
    due = next_due(after, schedule, weekday, month_day)
    if schedule is Schedule.MANUAL:
        assert due is None
        return
    assert due is not None
    longest = {Schedule.DAILY: 1, Schedule.WEEKLY: 7, Schedule.MONTHLY: 31}[schedule]
    assert after < due <= after + timedelta(days=longest)
    if schedule is Schedule.WEEKLY:
        assert due.isoweekday() == weekday
    if schedule is Schedule.MONTHLY:
        assert due.day == month_day


def test_accounts_are_checked() -> None:
    assert is_iban(IBAN)
    assert not is_iban(IBAN.replace("89", "98", 1))
    assert is_account("021000021123456789")
    assert not is_account(IBAN.replace("89", "98", 1))


def batch(*amounts: Money, holder: str = "Nørdlicht & Söhne <AB>") -> Batch:
    transfers = [
        Transfer(new_id("payout", "eu"), amount, BankAccount(holder, number, "HSBCHKHHXXX"))
        for amount, number in zip(amounts, [IBAN, "004123456789001"] * 9, strict=False)
    ]
    now = datetime(2026, 3, 14, 9, tzinfo=UTC)
    return Batch("06p0wz9d4hk53g6qyt8nwc2mse", now, date(2026, 3, 16), OURS, transfers)


@pytest.mark.parametrize(
    ("currency", "shown"), [("EUR", "2020.98"), ("JPY", "202098"), ("KWD", "202.098"), ("SEK", "2020.98")]
)
def test_a_file_validates_against_the_published_schema_and_adds_up(currency: str, shown: str) -> None:
    content = render(batch(Money(199_999, currency), Money(2099, currency)))
    root = ET.fromstring(content)  # noqa: S314 - our own file
    assert [e.text for e in root.iterfind(".//p:CtrlSum", NS)] == [shown, shown]
    assert [e.text for e in root.iterfind(".//p:NbOfTxs", NS)] == ["2", "2"]
    assert len(list(root.iterfind(".//p:IBAN", NS))) == 2  # ours, and one of theirs
    assert "Nordlicht & Sohne <AB>" in [e.text for e in root.iterfind(".//p:Cdtr/p:Nm", NS)]


def test_a_file_that_its_schema_refuses_never_leaves() -> None:
    good = render(batch(Money(100, "EUR")))
    check(good)
    for old, new in ((b"TRF", b"TRANSFER"), (b"MsgId>", b"MsgID>"), (b"COBADEFFXXX", b"COBA"), (b">1<", b">one<")):
        with pytest.raises(PayoutFileError, match="does not validate"):
            check(good.replace(old, new))
    with pytest.raises(PayoutFileError, match="one currency"):
        render(batch(Money(100, "EUR"), Money(100, "SEK")))
