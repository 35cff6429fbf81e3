from datetime import date
from typing import Any

from web.console.reading import Build

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
SELECT leg, class, currency,
       count(*) FILTER (WHERE age_bucket = '0-1') AS count_0,
       sum(amount_minor) FILTER (WHERE age_bucket = '0-1') AS minor_0,
       count(*) FILTER (WHERE age_bucket = '2-7') AS count_1,
       sum(amount_minor) FILTER (WHERE age_bucket = '2-7') AS minor_1,
       count(*) FILTER (WHERE age_bucket = '8-30') AS count_2,
       sum(amount_minor) FILTER (WHERE age_bucket = '8-30') AS minor_2,
       count(*) FILTER (WHERE age_bucket = '>30') AS count_3,
       sum(amount_minor) FILTER (WHERE age_bucket = '>30') AS minor_3,
       count(*) AS break_count, sum(amount_minor) AS amount_minor
  FROM rpt_recon_breaks WHERE livemode = $livemode AND state <> 'resolved'
 GROUP BY leg, class, currency ORDER BY leg DESC, class, currency
"""
_BREAK = "SELECT * FROM fct_recon_breaks WHERE break_id = $break_id"
_BANK_BREAK = """
SELECT b.*, p.paid_out_on, p.paid_out_minor, p.announced_on, p.arrived_on, p.arrived_minor, p.entry_count
  FROM fct_bank_breaks AS b LEFT JOIN fct_payout_legs AS p USING (livemode, payout_key) WHERE b.break_id = $break_id
"""
_PAYOUT_LINES = """
SELECT * FROM fct_settlement_lines
 WHERE kind = 'payout' AND livemode = $livemode AND gateway = $gateway AND gateway_account = $gateway_account
   AND batch_number = $batch_number AND net_currency = $currency ORDER BY report_date, line_number, line_id
"""
_ENTRIES = """
SELECT e.*, s.value_date, s.bank_reference, s.reference_text, s.transaction_code, s.entry_number, s.file_hash
  FROM fct_bank_entries AS e JOIN staging.stg_bank_entries AS s USING (entry_id)
 WHERE e.livemode = $livemode AND (e.entry_id = $entry_id OR e.payout_key = $payout_key)
 ORDER BY e.booking_date, s.entry_number, e.entry_id
"""
_LINE = "SELECT * FROM fct_settlement_lines WHERE line_id = $line_id"


def dates(build: Build, *, livemode: bool) -> list[date]:
    """The days that have a summary, the newest first."""
    return [row["business_date"] for row in build.rows(_DATES, livemode=livemode)]


def summary(build: Build, day: date, *, livemode: bool) -> list[dict[str, Any]]:
    """A day's reconciliation per gateway account and currency."""
    return build.rows(_SUMMARY, livemode=livemode, day=day)


def breaks_by_age(build: Build, *, livemode: bool) -> list[dict[str, Any]]:
    """Open breaks per leg, class and currency, by age: count_<i>, minor_<i> for each of AGES."""
    return build.rows(_BREAKS_BY_AGE, livemode=livemode)


def one_break(build: Build, break_id: str) -> dict[str, Any] | None:
    """One break of the gateway's leg, with both of its sides."""
    return next(iter(build.rows(_BREAK, break_id=break_id)), None)


def settlement_line(build: Build, line_id: str) -> dict[str, Any] | None:
    """The line of the gateway's report."""
    return next(iter(build.rows(_LINE, line_id=line_id)), None)


def bank_break(build: Build, break_id: str) -> dict[str, Any] | None:
    """One break of the bank's leg, with the payout that it is about, if there is one."""
    return next(iter(build.rows(_BANK_BREAK, break_id=break_id)), None)


def payout_lines(build: Build, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of the gateway's report that pay out what a break of the bank's leg is about."""
    if found["payout_key"] is None:
        return []
    names = ("livemode", "gateway", "gateway_account", "batch_number", "currency")
    return build.rows(_PAYOUT_LINES, **{name: found[name] for name in names})


def bank_entries(build: Build, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of bank statements that a break of the bank's leg is about."""
    return build.rows(_ENTRIES, **{name: found[name] for name in ("livemode", "entry_id", "payout_key")})
