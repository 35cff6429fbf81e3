"""What the simulated PSP prints, we read: to the minor unit and the second, in any column order."""

import csv
import io
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.recon.formats.adyen import parse_report
from web.sandbox.settlement.adyen_report import render
from web.sandbox.settlement.domain import Item, Line, booking_time, closing_lines, line_of

DAY = date(2026, 3, 14)
ZONES = {
    "EUR": "Europe/Berlin",
    "USD": "America/New_York",
    "INR": "Asia/Kolkata",
    "JPY": "Asia/Tokyo",
    "KWD": "Asia/Hong_Kong",
}


@st.composite
def reports(draw: st.DrawFn) -> tuple[bytes, list[Line], ZoneInfo]:
    currency = draw(st.sampled_from(sorted(ZONES)))
    tz = ZoneInfo(ZONES[currency])
    booked_at = booking_time(DAY, tz)
    items = [
        Item(
            payment_id=f"85{number:014d}",
            capture_reference=f"86{number:014d}",
            attempt_reference=f"att_{number}",
            brand=draw(st.sampled_from(["visa", "mc", "amex"])),
            currency=currency,
            amount_minor=draw(st.integers(1, 10**9)),
            created_at=datetime(2026, 3, 14, 3, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 36_000))),
            refund_id=f"87{number:014d}" if draw(st.booleans()) else None,
            own_reference=f"re_{number}",
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    lines = [line_of(item, booked_at) for item in items]
    lines += closing_lines(lines, "MeridianEU", 3, DAY, booked_at)
    return render("MeridianEU", tz, [(3, lines)]).encode(), lines, tz


@settings(max_examples=100, deadline=None, derandomize=True)
@given(reports())
def test_every_line_comes_back(drawn: tuple[bytes, list[Line], ZoneInfo]) -> None:
    content, printed, _ = drawn
    read = parse_report(content, name="report", gateway="sandbox", report_date=DAY).lines
    assert [
        (x.type, x.gross_minor, x.net_currency, x.net_minor, x.fees_minor, x.created_at, x.booked_at) for x in read
    ] == [
        (y.type, y.gross_minor or 0, y.net_currency, y.net_minor, y.fees.total_minor, y.created_at, y.booked_at)
        for y in printed
    ]
    assert [(x.psp_reference or "", x.modification_merchant_reference or "") for x in read] == [
        (y.psp_reference, y.modification_merchant_reference) for y in printed
    ]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(reports(), st.randoms(use_true_random=False))
def test_the_order_of_columns_changes_nothing(
    drawn: tuple[bytes, list[Line], ZoneInfo], shuffle: random.Random
) -> None:
    content, _, _ = drawn
    rows = list(csv.reader(io.StringIO(content.decode())))
    order = shuffle.sample(range(len(rows[0])), len(rows[0]))
    text = io.StringIO()
    csv.writer(text).writerows([row[i] for i in order] for row in rows)
    plain = parse_report(content, name="report", gateway="sandbox", report_date=DAY)
    shuffled = parse_report(text.getvalue().encode(), name="report", gateway="sandbox", report_date=DAY)
    assert shuffled.lines == plain.lines
    assert shuffled.line_ids("eu") == plain.line_ids("eu")
