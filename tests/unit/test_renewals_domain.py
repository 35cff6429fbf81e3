from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.region import load_catalog
from web.gateways.declines import Reason, Retry
from web.renewals.domain import (
    Again,
    Asked,
    Charge,
    Mandated,
    Notify,
    Present,
    Unit,
    Wait,
    after_failure,
    due_at,
    mandate_reference,
    next_step,
)
from web.renewals.policy import load_policy

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def asked(**facts: object) -> Asked:
    base = {
        "amount_minor": 1999, "due_at": NOW, "is_automatic": True, "has_method": True, "refused_code": None,
        "mandated": Mandated(timedelta(0), 0), "notified_at": None,
    }  # fmt: skip
    return Asked(**(base | facts))  # type: ignore[arg-type]


def test_months_are_counted_from_the_first_day_and_days_by_the_local_clock() -> None:
    start = datetime(2027, 1, 31, 11, 0, tzinfo=UTC)
    days = [due_at(start, Unit.MONTH, 1, number, BERLIN) for number in (1, 2, 3, 4)]
    assert [(at.month, at.day, at.hour) for at in days] == [(1, 31, 11), (2, 28, 11), (3, 31, 10), (4, 30, 10)]
    leap = datetime(2028, 2, 29, 11, 0, tzinfo=UTC)
    assert [due_at(leap, Unit.YEAR, 1, n, BERLIN).day for n in (1, 2, 5)] == [29, 28, 29]


@given(
    start=st.integers(1_577_836_800, 2_051_222_400).map(lambda at: datetime.fromtimestamp(at, UTC)),
    unit=st.sampled_from(Unit),
    count=st.integers(1, 12),
    number=st.integers(1, 40),
)
def test_periods_follow_each_other(start: datetime, unit: Unit, count: int, number: int) -> None:
    this, following = (due_at(start, unit, count, each, BERLIN) for each in (number, number + 1))
    assert following - this >= timedelta(hours=23)
    assert due_at(start, unit, count, 1, BERLIN) == start


def test_what_is_done_about_a_period() -> None:
    assert next_step(asked(), NOW) == Charge()
    assert next_step(asked(due_at=NOW + DAY), NOW) == Wait(NOW + DAY)
    assert next_step(asked(due_at=NOW + DAY, has_method=False), NOW) == Wait(NOW + DAY)
    for facts, reason in (
        ({"is_automatic": False}, "collected_by_link"),
        ({"has_method": False}, "no_chargeable_method"),
        ({"refused_code": "expired_card"}, "expired_card"),
        ({"mandated": None}, "no_mandate"),
        ({"mandated": Mandated(DAY, 1998)}, "above_mandate_ceiling"),
    ):
        assert next_step(asked(**facts), NOW) == Present(reason)
    strict = Mandated(DAY, 1999)
    assert next_step(asked(mandated=strict, due_at=NOW + 2 * DAY), NOW) == Wait(NOW + DAY)
    assert next_step(asked(mandated=strict, due_at=NOW + DAY), NOW) == Notify(NOW + DAY)
    assert next_step(asked(mandated=strict), NOW) == Notify(NOW + DAY)  # late: the notice comes first all the same
    told = asked(mandated=strict, notified_at=NOW)
    assert next_step(told, NOW + DAY - timedelta(seconds=1)) == Wait(NOW + DAY)
    assert next_step(told, NOW + DAY) == Charge()


@pytest.mark.parametrize(
    ("code", "retry", "tries", "then"),
    [
        (Reason.INSUFFICIENT_FUNDS, Retry.LATER, 1, Again(NOW + DAY)),
        (Reason.INSUFFICIENT_FUNDS, Retry.LATER, 2, Again(NOW + 3 * DAY)),
        (Reason.INSUFFICIENT_FUNDS, Retry.LATER, 4, Present("insufficient_funds")),
        (Reason.EXPIRED_CARD, Retry.NEVER, 1, Present("expired_card")),
        (Reason.AUTHENTICATION_REQUIRED, Retry.WITH_AUTHENTICATION, 1, Present("authentication_required")),
        (Reason.REJECTED_REQUEST, None, 1, Present("gateway_rejected_request")),
        (Reason.UNREACHABLE, None, 0, Again(NOW + timedelta(minutes=4))),
    ],
)
def test_what_follows_a_failure(code: str, retry: Retry | None, tries: int, then: object) -> None:
    facts = {"tries": tries, "outages": 3, "now": NOW, "policy": load_policy()}
    assert after_failure(code, retry, next_due_at=NOW + 30 * DAY, **facts) == then  # type: ignore[arg-type]
    if isinstance(then, Again) and code != Reason.UNREACHABLE:  # nothing is tried again once the next period is due
        assert after_failure(code, retry, next_due_at=then.at, **facts) == Present(code)  # type: ignore[arg-type]


def test_the_regions_say_what_their_law_asks_for() -> None:
    found = {code: {m.method: m for m in region.mandates} for code, region in load_catalog().items()}
    assert (found["in"]["card"].notice_hours, found["in"]["card"].ceiling_minor) == (24, 1_500_000)
    assert found["eu"]["sepa_debit"].reference_length_max == 35
    reference = mandate_reference("06p0wz9f4hk53g6qyt8nwc2mse", 35)
    assert reference == "MRD-06P0WZ9F4HK53G6QYT8NWC2MSE"
    assert mandate_reference("06p0wz9f4hk53g6qyt8nwc2mse", 0) is None
