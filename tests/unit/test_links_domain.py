from datetime import UTC, datetime, timedelta

import pytest

from web.links.domain import LIFETIME_MAX, expiry_fault, status_at

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("status", "expires_at", "expected"),
    [
        ("active", None, "active"),
        ("active", NOW + MOMENT, "active"),
        ("active", NOW, "expired"),
        ("active", NOW - MOMENT, "expired"),
        ("completed", NOW - MOMENT, "completed"),
        ("deactivated", NOW - MOMENT, "deactivated"),
    ],
)
def test_status_at(status: str, expires_at: datetime | None, expected: str) -> None:
    assert status_at(status, expires_at, NOW) == expected


@pytest.mark.parametrize(
    ("expires_at", "is_accepted"),
    [
        (None, True),
        (NOW, False),
        (NOW + MOMENT, True),
        (NOW + LIFETIME_MAX, True),
        (NOW + LIFETIME_MAX + MOMENT, False),
    ],
)
def test_expiry_fault(expires_at: datetime | None, *, is_accepted: bool) -> None:
    assert (expiry_fault(expires_at, NOW) is None) is is_accepted
