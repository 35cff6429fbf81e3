from datetime import datetime, timedelta

AMOUNT_MINOR_MAX = 999_999_999_999  # twelve digits, what card messages carry (ISO 8583, field 4)
LIFETIME_MAX = timedelta(days=5 * 366)


def status_at(status: str, expires_at: datetime | None, now: datetime) -> str:
    """What a link is at that moment: an active one whose time has passed is `expired`; what ended stays ended."""
    if status == "active" and expires_at is not None and expires_at <= now:
        return "expired"
    return status


def expiry_fault(expires_at: datetime | None, now: datetime) -> str | None:
    """Why a link may not expire then, or None."""
    if expires_at is None:
        return None
    if expires_at <= now:
        return "must be in the future"
    if expires_at > now + LIFETIME_MAX:
        return f"must be within {LIFETIME_MAX.days} days"
    return None
