"""Settlement lines in the columns of Stripe's itemised payout reconciliation report. Pure.

Amounts are in major units with the currency's digits, times are UTC. Fees are one number: their parts are not shown.
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date

from regions.money import Money
from web.sandbox.settlement.domain import Line

COLUMNS = [
    "automatic_payout_id",
    "automatic_payout_effective_at",
    "balance_transaction_id",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "description",
    "payment_intent_id",
    "card_brand",
    "payment_metadata[reference]",
    "refund_metadata[reference]",
]
_CATEGORIES = {
    "Settled": "charge", "Refunded": "refund", "Fee": "fee", "MerchantPayout": "payout", "Chargeback": "dispute",
    "ChargebackReversed": "dispute_reversal",
}  # fmt: skip


def render(batches: Iterable[tuple[int, date, Iterable[Line]]]) -> str:
    """The report of some batches: number, day on which it is paid, lines. The same lines give the same bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for batch_number, paid_on, lines in batches:
        payout = f"po_{batch_number:09d}"
        for number, line in enumerate(lines, 1):
            writer.writerow(
                _row(line, payout)
                | {
                    "automatic_payout_id": payout,
                    "automatic_payout_effective_at": paid_on.isoformat(),
                    "balance_transaction_id": f"txn_{batch_number:09d}{number:06d}",
                }
            )
    return text.getvalue()


def _row(line: Line, payout: str) -> dict[str, str]:
    fee_minor = line.fees.total_minor
    gross_minor = line.net_minor + fee_minor
    is_refund = line.type == "Refunded"
    return {
        "created_utc": f"{line.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "currency": line.net_currency.lower(),
        "gross": _major(gross_minor, line.net_currency),
        "fee": _major(fee_minor, line.net_currency),
        "net": _major(line.net_minor, line.net_currency),
        "reporting_category": _CATEGORIES.get(line.type, line.type.lower()),
        "source_id": payout if line.type == "MerchantPayout" else line.modification_reference,
        "description": line.modification_reference if not line.psp_reference else f"Payment {line.merchant_reference}",
        "payment_intent_id": line.psp_reference,
        "card_brand": line.payment_method,
        "payment_metadata[reference]": line.merchant_reference,
        "refund_metadata[reference]": line.modification_merchant_reference if is_refund else "",
    }


def _major(amount_minor: int, currency: str) -> str:
    return f"{Money(amount_minor, currency).to_decimal():f}"
