"""A gateway's settlement report, in our words. Every format in `formats/` parses to this. Pure.

Signs: credit is positive, debit negative. Amounts are integer minor units of the currency named with them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from regions.errors import UsageError

PAYOUT_TYPES = frozenset({"MerchantPayout", "MerchantPayin"})  # what leaves for, or comes from, the merchant's bank
# Every journal type that settlement reports have: another one may be a misprint, or new. What each is to matching says
# the seed `settlement_types`; a test holds the two lists together.
JOURNAL_TYPES = (
    PAYOUT_TYPES
    | {
        "Settled", "Refunded", "Fee", "SettledBulk", "SettledInstallment", "SettledReversed",
        "SettledExternallyWithInfo",
        "SettledInstallmentExternallyWithInfo", "RefundedBulk", "RefundedReversed", "RefundedExternallyWithInfo",
        "RefundedInstallmentExternallyWithInfo", "Chargeback", "SecondChargeback", "ChargebackReversed",
        "ChargebackExternallyWithInfo", "ChargebackReversedExternallyWithInfo", "MiscCosts", "PaymentCost",
        "AuthorisationSchemeFee", "DepositCorrection", "ReserveAdjustment", "InvoiceDeduction", "MatchedStatement",
        "ManualCorrected", "ManuallyCorrected", "Balancetransfer", "BankInstructionReturned", "InternalCompanyPayout",
        "AcquirerPayout", "EpaPaid", "BalanceNotPaid", "PaidOut", "PaidOutReversed", "Advancement",
        "AdvancementCommissionExternallyWithInfo", "CashOut",
    }
)  # fmt: skip

# Of Stripe's categories, those that keep their own name.
CATEGORIES = frozenset(
    {
        "adjustment", "advance", "advance_funding", "anticipation_repayment", "charge_failure",
        "climate_order_purchase",
        "climate_order_refund", "connect_collection_transfer", "connect_reserved_funds", "contribution",
        "currency_conversion", "financing_paydown", "financing_paydown_reversal", "financing_payout",
        "financing_payout_reversal", "issuing_authorization_hold", "issuing_authorization_release",
        "issuing_disbursement", "issuing_dispute", "issuing_transaction", "obligation", "partial_capture_reversal",
        "payout_minimum_balance_hold", "payout_minimum_balance_release", "platform_earning", "platform_earning_refund",
        "tax", "topup", "topup_reversal", "transfer", "transfer_reversal", "unreconciled_customer_funds",
    }
)  # fmt: skip
MATCHED_TYPES = JOURNAL_TYPES | CATEGORIES


class SettlementReportError(UsageError):
    """A report that cannot be trusted: it is refused whole, and the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One line of a report."""

    line_number: int  # first: whatever else a line says tells it from others
    gateway_account: str
    type: str
    batch_number: int
    psp_reference: str | None
    merchant_reference: str | None
    modification_reference: str | None
    modification_merchant_reference: str | None
    payment_method: str | None
    gross_currency: str | None
    gross_minor: int
    exchange_rate: str | None
    net_currency: str
    net_minor: int
    commission_minor: int
    markup_minor: int
    scheme_fees_minor: int
    interchange_minor: int
    payment_method_variant: str | None
    created_at: datetime
    booked_at: datetime

    @property
    def fees_minor(self) -> int:
        """What the gateway kept of this line, in minor units of the net currency."""
        return self.commission_minor + self.markup_minor + self.scheme_fees_minor + self.interchange_minor


_NUMBER, *_SAID = (field.name for field in fields(SettlementLine))
_what_it_says = attrgetter(*_SAID)


@dataclass(frozen=True, slots=True)
class SettlementReport:
    """A whole report of one gateway for one day. `sha256` is of the file's bytes."""

    gateway: str
    report_date: date
    sha256: str
    lines: tuple[SettlementLine, ...]

    @property
    def unknown_types(self) -> tuple[str, ...]:
        """Types that matching has no place for: their lines are landed, and each becomes a break."""
        return tuple(sorted({line.type for line in self.lines} - MATCHED_TYPES))

    @property
    def name(self) -> str:
        """Which report this is, whatever its content: landing it again replaces it."""
        return report_name(self.gateway, self.report_date)

    def line_ids(self, region: str) -> list[str]:
        """An id per line: the hash of what it says and of how many before it say the same, not of where it stands."""
        seen: dict[tuple[Any, ...], int] = {}
        ids = []
        for line in self.lines:
            said = _what_it_says(line)
            seen[said] = seen.get(said, 0) + 1
            text = "\x1f".join(map(str, (region, self.gateway, 0, *said, seen[said])))
            ids.append(hashlib.sha256(text.encode()).hexdigest()[:32])
        return ids


def report_name(gateway: str, report_date: date) -> str:
    """Which report that is, whatever its content."""
    return f"{gateway}/{report_date.isoformat()}"
