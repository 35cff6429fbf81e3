"""Statements as SWIFT MT940 messages, one for each account. Pure: the same statements give the same bytes."""

from collections.abc import Sequence
from textwrap import wrap

from regions.money import Money
from web.sandbox.bank.domain import Entry, Statement

_LINE_LETTERS = 65
_REFERENCE_LETTERS = 16


def render(statements: Sequence[Statement]) -> bytes:
    """The messages of a day, in order of currency."""
    lines: list[str] = []
    for statement in statements:
        lines += [
            f":20:{statement.id}",
            f":25:{statement.account_number}",
            f":28C:{statement.sequence}/1",
            f":60F:{_balance(statement, statement.opening_minor)}",
        ]
        for number, entry in enumerate(statement.entries, 1):
            lines += _entry(entry, f"B{statement.id}-{number}")
        lines += [f":62F:{_balance(statement, statement.closing_minor)}", "-"]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _entry(entry: Entry, bank_reference: str) -> list[str]:
    mark = "C" if entry.amount_minor >= 0 else "D"
    kind = "NCHG" if entry.is_charge else "NTRF"
    amount = _major(entry.amount_minor, entry.currency)
    reference = entry.reference[:_REFERENCE_LETTERS]
    text = wrap(f"/EREF/{entry.reference} {entry.text}", _LINE_LETTERS)
    return [
        f":61:{entry.booked_on:%y%m%d}{entry.booked_on:%m%d}{mark}{amount}{kind}{reference}//{bank_reference}",
        *(f":86:{line}" if number == 0 else line for number, line in enumerate(text)),
    ]


def _balance(statement: Statement, amount_minor: int) -> str:
    mark = "C" if amount_minor >= 0 else "D"
    return f"{mark}{statement.on:%y%m%d}{statement.currency}{_major(amount_minor, statement.currency)}"


def _major(amount_minor: int, currency: str) -> str:
    text = f"{Money(abs(amount_minor), currency).to_decimal():f}".replace(".", ",")
    return text if "," in text else f"{text},"
