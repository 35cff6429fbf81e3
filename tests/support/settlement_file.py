"""Reads a settlement report the way a suspicious accountant would: by name, in decimals, trusting nothing."""

import csv
import io
from collections import defaultdict
from decimal import Decimal

FEES = ("Commission (NC)", "Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def amount(row: dict[str, str], kind: str, side: str) -> Decimal:
    """Credit less debit; exactly one of the two is given."""
    debit, credit = row[f"{kind} Debit ({side})"], row[f"{kind} Credit ({side})"]
    assert bool(debit) != bool(credit), row
    return Decimal(credit or 0) - Decimal(debit or 0)


def net(row: dict[str, str]) -> Decimal:
    return amount(row, "Net", "NC")


def gross(row: dict[str, str]) -> Decimal:
    return amount(row, "Gross", "GC")


def fees(row: dict[str, str]) -> Decimal:
    return sum((Decimal(row[name] or 0) for name in FEES), Decimal(0))


def minor(value: Decimal, exponent: int) -> int:
    scaled = value.scaleb(exponent)
    assert scaled == scaled.to_integral_value(), value
    return int(scaled)


def assert_foots(text: str) -> None:
    """Each line adds up, and per batch and currency everything adds up to zero with one payout."""
    totals: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    payouts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows(text):
        key = row["Batch Number"], row["Net Currency"]
        totals[key] += net(row)
        payouts[key] += row["Type"] == "MerchantPayout"
        if row["Type"] in {"Settled", "Refunded"} and row["Exchange Rate"] == "1":
            assert net(row) == gross(row) - fees(row), row
            assert row["Gross Currency"] == row["Net Currency"]
            assert (gross(row) > 0) == (row["Type"] == "Settled")
    assert set(totals.values()) <= {Decimal(0)}, totals
    assert set(payouts.values()) <= {1}, payouts
