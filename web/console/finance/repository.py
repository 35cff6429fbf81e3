from datetime import date
from typing import Any

from web.console.reading import Build

BREAKS_SHOWN = 200
DATES_SHOWN = 60
AGES = ("up to 1 day", "2 to 7 days", "8 to 30 days", "older")

_DATES = f"""
SELECT DISTINCT business_date FROM rpt_recon_summary WHERE livemode = $livemode
 ORDER BY business_date DESC LIMIT {DATES_SHOWN}
"""  # noqa: S608 - our own number
_SUMMARY = """
SELECT gateway, gateway_account, currency, captured_minor, refunded_minor,
       captured_minor - refunded_minor AS booked_minor, settled_minor, fees_minor, payout_minor,
       settled_lines, matched_lines, timing_minor, in_transit_count, in_transit_minor,
       break_count, breaks_minor, unexplained_minor
  FROM rpt_recon_summary WHERE livemode = $livemode AND business_date = $day
 ORDER BY gateway, gateway_account, currency
"""
_BREAKS_BY_AGE = """
WITH aged AS (
  SELECT class, currency, amount_minor, date_diff('day', business_date, CAST($today AS date)) AS age_days
    FROM fct_recon_breaks WHERE livemode = $livemode
)
SELECT class, currency,
       count(*) FILTER (WHERE age_days <= 1) AS count_0, sum(amount_minor) FILTER (WHERE age_days <= 1) AS minor_0,
       count(*) FILTER (WHERE age_days BETWEEN 2 AND 7) AS count_1,
       sum(amount_minor) FILTER (WHERE age_days BETWEEN 2 AND 7) AS minor_1,
       count(*) FILTER (WHERE age_days BETWEEN 8 AND 30) AS count_2,
       sum(amount_minor) FILTER (WHERE age_days BETWEEN 8 AND 30) AS minor_2,
       count(*) FILTER (WHERE age_days > 30) AS count_3, sum(amount_minor) FILTER (WHERE age_days > 30) AS minor_3,
       count(*) AS break_count, sum(amount_minor) AS amount_minor
  FROM aged GROUP BY class, currency ORDER BY class, currency
"""
_BREAKS = f"""
SELECT break_id, class, business_date, date_diff('day', business_date, CAST($today AS date)) AS age_days,
       gateway_account, kind, psp_reference, payment_id, currency, amount_minor, count(*) OVER () AS found
  FROM fct_recon_breaks
 WHERE livemode = $livemode AND ($class IS NULL OR class = $class) AND ($currency IS NULL OR currency = $currency)
 ORDER BY business_date DESC, abs(amount_minor) DESC, break_id LIMIT {BREAKS_SHOWN}
"""  # noqa: S608 - our own number
_BREAK = "SELECT * FROM fct_recon_breaks WHERE break_id = $break_id"
_LINE = "SELECT * FROM fct_settlement_lines WHERE line_id = $line_id"


def dates(build: Build, *, livemode: bool) -> list[date]:
    """The days that have a summary, the newest first."""
    return [row["business_date"] for row in build.rows(_DATES, livemode=livemode)]


def summary(build: Build, day: date, *, livemode: bool) -> list[dict[str, Any]]:
    """A day's reconciliation per gateway account and currency."""
    return build.rows(_SUMMARY, livemode=livemode, day=day)


def breaks_by_age(build: Build, *, livemode: bool) -> list[dict[str, Any]]:
    """Breaks per class and currency, by age on the build's business date: count_<i> and minor_<i> for each of AGES."""
    return build.rows(_BREAKS_BY_AGE, livemode=livemode, today=build.business_date)


def breaks(build: Build, *, livemode: bool, class_: str | None, currency: str | None) -> list[dict[str, Any]]:
    """Breaks, the newest first; `found` is how many there are, shown or not."""
    filters = {"class": class_, "currency": currency}
    return build.rows(_BREAKS, livemode=livemode, today=build.business_date, **filters)


def one_break(build: Build, break_id: str) -> dict[str, Any] | None:
    """One break, with both of its sides."""
    return next(iter(build.rows(_BREAK, break_id=break_id)), None)


def settlement_line(build: Build, line_id: str) -> dict[str, Any] | None:
    """The line of the gateway's report."""
    return next(iter(build.rows(_LINE, line_id=line_id)), None)
