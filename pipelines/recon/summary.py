"""What a reconciliation found, for people."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from regions.money import Money

WIDTH_MIN = 140
_SUMMARY = """
SELECT gateway_account, currency, captured_minor, refunded_minor, settled_minor, fees_minor, matched_lines,
       in_transit_count, break_count, unexplained_minor
  FROM rpt_recon_summary WHERE business_date = ? ORDER BY ALL"""
_BREAKS = """
SELECT break_id, class, currency, amount_minor, coalesce(psp_reference, ''), coalesce(merchant_reference, '')
  FROM fct_recon_breaks WHERE business_date = ? ORDER BY class, psp_reference, break_id"""


def print_summary(build: Path, day: date, console: Console | None = None) -> None:
    """Print the day's summary per account and currency, and name each break."""
    console = console or Console()
    console.width = max(console.width, WIDTH_MIN)  # an amount in a pipe or a narrow terminal stays whole
    with duckdb.connect(str(build), read_only=True) as connection:
        summary = connection.execute(_SUMMARY, [day]).fetchall()
        breaks = connection.execute(_BREAKS, [day]).fetchall()
    table = Table(
        "account", "captured", "refunded", "settled", "fees", "matched", "in transit", "breaks", "unexplained"
    )
    for account, currency, captured, refunded, settled, fees, matched, in_transit, break_count, unexplained in summary:
        amounts = (str(Money(amount, currency)) for amount in (captured, refunded, settled, fees))
        left = str(Money(unexplained, currency))
        table.add_row(account, *amounts, str(matched), str(in_transit), str(break_count), left)
    console.print(table if summary else f"nothing was booked or settled on {day}")
    for break_id, kind, currency, amount, psp_reference, reference in breaks:
        console.print(f"  {break_id}  {kind}  {Money(amount, currency)}  {psp_reference}  {reference}", highlight=False)
