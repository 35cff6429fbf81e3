"""How pages are rendered: amounts, dates and words in the region's locale and time zone; strict headers."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from flask import Response, g, make_response, render_template, request, url_for

from regions import money_text
from regions.money import Money
from regions.retention import Period
from web.console import session
from web.console.access import Audience, may_open
from web.console.accounts import domain
from web.console.accounts.models import Account
from web.console.wiring import wired

PAGES = (
    ("Overview", "merchant.overview", Audience.MERCHANT),
    ("Links", "merchant.links", Audience.MERCHANT),
    ("Payments", "merchant.payments", Audience.MERCHANT),
    ("Webhooks", "webhooks.endpoints", Audience.WEBHOOKS),
    ("API keys", "keys.keys", Audience.KEYS),
    ("Reconciliation", "finance.reconciliation", Audience.FINANCE),
    ("Invoices", "finance.invoices", Audience.FINANCE),
    ("Reports", "finance.reports", Audience.FINANCE),
    ("Compliance", "compliance.overview", Audience.COMPLIANCE),
)
NOTHING = "–"  # noqa: RUF001 - a dash, for people


def first_page(account: Account) -> str:
    """Where somebody starts. Every role has a page; a test goes through them all."""
    return next(url_for(endpoint) for _, endpoint, audience in PAGES if may_open(account, audience))


def page(template: str, status: int = 200, /, **values: Any) -> Response:
    """A page for whoever is signed in, or for nobody."""
    account = session.current_account()
    html = render_template(f"console/{template}.html", **_frame(account), **values)
    return make_response(html, status)


def page_with_script(template: str, status: int = 200, /, **values: Any) -> Response:
    """A page that may run a file of ours. It works without."""
    g.has_script = True
    return page(template, status, **values)


def _frame(account: Account | None) -> Mapping[str, Any]:
    region = wired().region
    frame: dict[str, Any] = {"region": region, "language": region.default_locale, "account": account, "pages": []}
    if account is not None:
        frame["pages"] = [(name, endpoint) for name, endpoint, audience in PAGES if may_open(account, audience)]
        token = request.cookies.get(session.session_cookie(), "")
        frame["sign_out_csrf"] = domain.csrf_token(token, session.SIGN_OUT)
    return frame


def _locale() -> str:
    return wired().region.default_locale.replace("-", "_")


def show_money(amount_minor: int | None, currency: str) -> str:
    """Minor units as people of the region write them, exact to the last digit."""
    if amount_minor is None:
        return NOTHING
    return money_text.show_money(Money(int(amount_minor), currency), _locale())


def show_count(value: int) -> str:
    """A number of things."""
    return str(format_decimal(value, locale=_locale()))


def show_share(part: int, whole: int) -> str:
    """A part of a whole in per cent, with one digit after the point."""
    return str(format_percent(part / whole, "#,##0.0 %", locale=_locale())) if whole else NOTHING


def show_time(at: datetime | None) -> str:
    """A moment in the region's time zone."""
    if at is None:
        return NOTHING
    return str(format_datetime(at, "d MMM y, HH:mm", tzinfo=wired().region.tz, locale=_locale()))


def show_date(day: date | None) -> str:
    """A day."""
    return NOTHING if day is None else str(format_date(day, "d MMM y", locale=_locale()))


def show_words(name: str | None) -> str:
    """A name of the data, such as `missing_at_gateway`, as words."""
    return NOTHING if name is None else name.replace("_", " ")


def show_period(period: Period) -> str:
    """How long, in the largest units that fit."""
    years, months = divmod(period.months, 12)
    parts = [(years, "year"), (months, "month"), (period.days, "day")]
    return " ".join(f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in parts if count) or "at once"


FILTERS = {
    "money": show_money,
    "period": show_period,
    "count": show_count,
    "time": show_time,
    "day": show_date,
    "words": show_words,
}


def harden(response: Response) -> Response:
    """Our own style sheet and nothing else, unless a page asked for a script; no embedding, referrer, cache."""
    script = "script-src 'self'; " if g.get("has_script") else ""
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; {script}style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    response.headers["X-Robots-Tag"] = "noindex"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
