"""Open balances in foreign currencies at a period's end: what they are worth at the closing rate, as journals.

A balance is carried at the rates of the days on which it was booked. The difference to the closing rate is not
realised: it is booked on the last day and taken back on the first of the next period, so that the gains that settlement
realises stay whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from pipelines.books.wanted import WantedPosting
from pipelines.fx.rates import CrossRate, RateError
from regions.money import exponent

if TYPE_CHECKING:
    import duckdb

    from regions.region import Region

Rate = Callable[[str, str, date], CrossRate]
# What is owed or owned; income and expense are what they were on their day.
MONETARY: Final = (
    "gateway_clearing", "bank_clearing", "bank", "suspense", "disputes", "reserve", "merchant_payable_pending",
    "merchant_payable_available", "payer_refundable", "payout_clearing",
)  # fmt: skip
_BALANCES = """
SELECT account, currency, livemode, accounting_date, sum(amount_minor)::bigint AS amount_minor
  FROM intermediate.int_journal_entries
 WHERE accounting_date <= $through AND currency <> $functional
   AND split_part(account, ':', 1) IN (SELECT unnest($accounts))
 GROUP BY ALL HAVING sum(amount_minor) <> 0 ORDER BY account, currency, livemode, accounting_date
"""


@dataclass(frozen=True, slots=True)
class Movement:
    """What moved on one account in one currency on one day."""

    account: str
    currency: str
    livemode: bool
    on: date
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Revaluation:
    """One open balance. `value_minor` and `carried_minor` are in the functional currency."""

    account: str
    currency: str
    livemode: bool
    balance_minor: int
    carried_minor: int
    value_minor: int
    rate_date: date

    @property
    def adjustment_minor(self) -> int:
        """Unrealised gain (debit of a balance that we own) or loss."""
        return self.value_minor - self.carried_minor


def movements(build: duckdb.DuckDBPyConnection, functional: str, through: date) -> list[Movement]:
    """What moved on monetary accounts in other currencies until that day."""
    values = {"through": through, "functional": functional, "accounts": list(MONETARY)}
    return [Movement(*row) for row in build.execute(_BALANCES, values).fetchall()]


def revalue(
    moved: Iterable[Movement], functional: str, through: date, rate: Rate
) -> tuple[list[Revaluation], list[str]]:
    """Each balance that is open, and, in words, each that no rate applies to: nothing is guessed."""
    grouped: dict[tuple[str, str, bool], list[Movement]] = defaultdict(list)
    for one in moved:
        grouped[one.account, one.currency, one.livemode].append(one)
    found, refused = [], []
    for (account, currency, livemode), members in sorted(grouped.items()):
        balance = sum(one.amount_minor for one in members)
        if not balance:
            continue
        scale = Fraction(10) ** (exponent(functional) - exponent(currency))
        try:
            closing = rate(currency, functional, through)
            carried = sum((one.amount_minor * rate(currency, functional, one.on).rate for one in members), Fraction(0))
        except RateError as error:
            refused.append(f"{account} in {currency}: {error}")
            continue
        value = round(balance * closing.rate * scale)
        found.append(
            Revaluation(account, currency, livemode, balance, round(carried * scale), value, closing.rate_date)
        )
    return found, refused


def subjects_of(through: date) -> str:
    """How the subjects of a period's end begin."""
    return f"revaluation:{through}:"


def postings(region: Region, through: date, found: Iterable[Revaluation]) -> Iterator[WantedPosting]:
    """A journal on the last day for each balance that is worth more or less, and its return on the day after."""
    _, end = region.day_bounds(through)
    for one in found:
        if not one.adjustment_minor:
            continue
        fact: dict[str, Any] = {
            "type": "revaluation",
            "account": one.account,
            "currency": one.currency,
            "balance_minor": one.balance_minor,
            "carried_minor": one.carried_minor,
            "functional_currency": region.currencies[0],
            "rate_date": one.rate_date.isoformat(),
        }
        subject = f"{subjects_of(through)}{one.account}:{one.currency}:{'live' if one.livemode else 'test'}"
        for name, sign, at in ((subject, 1, end - timedelta(seconds=1)), (f"{subject}:return", -1, end)):
            moved = {"amount_minor": sign * one.adjustment_minor, "occurred_at": _moment(at)}
            yield WantedPosting(name, None, one.livemode, fact | moved)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
