"""Settlement lines in the columns of Adyen's settlement detail report. Pure.

Amounts are in major units with the currency's digits; dates are the account's local time, with its abbreviation.
"""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from regions.money import Money
from web.sandbox.settlement.domain import Line

COMPANY = "Meridian"
COLUMNS = [
    "Company Account",
    "Merchant Account",
    "Psp Reference",
    "Merchant Reference",
    "Payment Method",
    "Creation Date",
    "TimeZone",
    "Type",
    "Modification Reference",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
    "Exchange Rate",
    "Net Currency",
    "Net Debit (NC)",
    "Net Credit (NC)",
    "Commission (NC)",
    "Markup (NC)",
    "Scheme Fees (NC)",
    "Interchange (NC)",
    "Payment Method Variant",
    "Batch Number",
    "Reserved4",
    "Reserved5",
    "Reserved6",
    "Reserved7",
    "Reserved8",
    "Reserved9",
    "Reserved10",
    "Modification Merchant Reference",
    "Booking Date",
    "Booking Date TimeZone",
]


def render(account: str, tz: ZoneInfo, batches: Iterable[tuple[int, Iterable[Line]]]) -> str:
    """The report of some batches, each given by its number and its lines. The same lines give the same bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for batch_number, lines in batches:
        for line in lines:
            writer.writerow(_row(line, tz) | {"Merchant Account": account, "Batch Number": batch_number})
    return text.getvalue()


def _row(line: Line, tz: ZoneInfo) -> dict[str, str | int]:
    created_at, created_zone = _local(line.created_at, tz)
    booked_at, booked_zone = _local(line.booked_at, tz)
    # A payout or fee of nothing is a debit of nothing.
    is_debit = line.net_minor < 0 or (line.net_minor == 0 and line.type not in {"Settled", "Refunded"})
    row: dict[str, str | int] = {
        "Company Account": COMPANY,
        "Psp Reference": line.psp_reference,
        "Merchant Reference": line.merchant_reference,
        "Payment Method": line.payment_method,
        "Creation Date": created_at,
        "TimeZone": created_zone,
        "Type": line.type,
        "Modification Reference": line.modification_reference,
        "Net Currency": line.net_currency,
        "Net Debit (NC)" if is_debit else "Net Credit (NC)": _major(abs(line.net_minor), line.net_currency),
        "Commission (NC)": _fee(line.commission_minor, line.net_currency),
        "Markup (NC)": _fee(line.markup_minor, line.net_currency),
        "Scheme Fees (NC)": _fee(line.scheme_minor, line.net_currency),
        "Interchange (NC)": _fee(line.interchange_minor, line.net_currency),
        "Payment Method Variant": line.variant,
        "Modification Merchant Reference": line.modification_merchant_reference,
        "Booking Date": booked_at,
        "Booking Date TimeZone": booked_zone,
    }
    if line.gross_minor is not None and line.gross_currency is not None:
        side = "Gross Debit (GC)" if line.gross_minor < 0 else "Gross Credit (GC)"
        row |= {
            "Gross Currency": line.gross_currency,
            side: _major(abs(line.gross_minor), line.gross_currency),
            "Exchange Rate": line.exchange_rate,
        }
    return row


def _local(at: datetime, tz: ZoneInfo) -> tuple[str, str]:
    local = at.astimezone(tz)
    return f"{local:%Y-%m-%d %H:%M:%S}", local.tzname() or ""


def _fee(amount_minor: int, currency: str) -> str:
    return _major(amount_minor, currency) if amount_minor else ""


def _major(amount_minor: int, currency: str) -> str:
    return f"{Money(amount_minor, currency).to_decimal():f}"
