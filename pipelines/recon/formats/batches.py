"""Whether settlement lines add up, line by line and batch by batch, however many there are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from pipelines.recon.formats.problems import Findings, Group
from pipelines.recon.settlement import PAYOUT_TYPES, SettlementLine
from regions.money import Money

# Lines of these types move a payer's money: their gross less their fees is their net.
MOVEMENTS = frozenset(
    {
        "Settled", "SettledBulk", "SettledInstallment", "SettledReversed",
        "Refunded", "RefundedBulk", "RefundedReversed",
        "Chargeback", "SecondChargeback", "ChargebackReversed",
    }
)  # fmt: skip


@dataclass(slots=True)
class _Batch:
    line_count: int = 0
    sum_minor: int = 0  # without payouts
    paid_out_minor: int = 0
    payout_line: int | None = None
    last_line: int = 0
    carried: dict[str, int] = field(default_factory=lambda: {"opening": 0, "closing": 0})


class Batches:
    """What each batch adds up to, in each currency."""

    def __init__(self, *, word: str = "batch") -> None:
        self._word = word
        self._batches: dict[tuple[str, str, str], _Batch] = {}

    def add(self, line: SettlementLine, batch: str, findings: Findings) -> None:
        """Check a line and count it."""
        _check_line(line, findings)
        found = self._batches.setdefault((line.gateway_account, batch, line.net_currency), _Batch())
        found.line_count += 1
        found.last_line = line.line_number
        if line.type in PAYOUT_TYPES:
            found.paid_out_minor -= line.net_minor
            found.payout_line = line.line_number
        else:
            found.sum_minor += line.net_minor
        if line.type == "Balancetransfer":  # from an earlier batch it comes as a credit, to a later one it goes
            found.carried["opening" if line.net_minor > 0 else "closing"] += abs(line.net_minor)

    def finish(self, findings: Findings) -> None:
        """Every batch pays out what its lines add up to; what does not is a problem at its payout's line."""
        for (account, batch, currency), found in self._batches.items():
            difference = found.sum_minor - found.paid_out_minor
            more = {"paid_out_minor": found.paid_out_minor}
            if any(found.carried.values()):
                more |= {f"{end}_minor": amount for end, amount in found.carried.items()}
            findings.groups.append(Group(batch, account, currency, found.line_count, found.sum_minor, difference, more))
            if difference:
                where = (
                    f"line {found.payout_line} pays out {found.paid_out_minor}"
                    if found.payout_line
                    else "and there is no payout"
                )
                findings.refuse(
                    found.payout_line or found.last_line,
                    "does_not_foot",
                    f"{self._word} {batch} does not foot: its lines add up to {found.sum_minor} minor units of "
                    f"{currency}, {where}; difference {difference}",
                )


def _check_line(line: SettlementLine, findings: Findings) -> None:
    if line.type not in MOVEMENTS or line.gross_currency is None:
        return
    if line.gross_currency == line.net_currency:
        expected = line.gross_minor - line.fees_minor
        if expected != line.net_minor:
            findings.refuse(
                line.line_number,
                "line_does_not_foot",
                f"gross less fees is {expected} but net is {line.net_minor}, "
                f"in minor units of {line.net_currency}; difference {expected - line.net_minor}",
            )
    elif line.exchange_rate:
        _check_exchange(line, findings)


def _check_exchange(line: SettlementLine, findings: Findings) -> None:
    """Gross at the printed rate is net and fees, as exactly as the rate is printed."""
    try:
        rate = Decimal(line.exchange_rate or "")
    except InvalidOperation:
        return
    gross = Money(line.gross_minor, line.gross_currency or "").to_decimal()
    booked = Money(line.net_minor + line.fees_minor, line.net_currency).to_decimal()
    unit = abs(Money(1, line.net_currency).to_decimal())
    printed = Decimal(1).scaleb(int(rate.as_tuple().exponent)) if rate.is_finite() else Decimal(0)
    if rate.is_finite() and abs(gross * rate - booked) > unit + abs(gross) * printed / 2:
        findings.note(
            line.line_number,
            "exchange",
            f"{gross} {line.gross_currency} at {rate} is not the {booked} {line.net_currency} that net and fees make",
        )
