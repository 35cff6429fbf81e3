"""What the programs that import journals say about each column; a file that breaks a rule is not written.

Xero: help.xero.com, "Enter multiple manual journals using an import template" (it takes 300 lines at a time).
QuickBooks Online: its template for journal entries. NetSuite: its CSV import of journal entries.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from regions.errors import UsageError


@dataclass(frozen=True, slots=True)
class Column:
    """A column's rule, as a pattern and in words."""

    pattern: str
    words: str


@dataclass(frozen=True, slots=True)
class Rules:
    """A layout's rules. `journal` are the columns whose values group lines into one journal, which has to balance.

    The last of them is the currency: journals of several stand in one file. A file has at most `lines_max` lines.
    """

    columns: Mapping[str, Column]
    journal: tuple[str, ...]
    lines_max: int | None = None


_AMOUNT: Final = r"\d{1,11}(\.\d+)?"
_OR_EMPTY: Final = Column(rf"({_AMOUNT})?", "a positive amount with a decimal point, or nothing")
_SIGNED: Final = Column(rf"-?{_AMOUNT}", "an amount with a decimal point, negative for a credit")
_ISO_DAY: Final = Column(r"\d{4}-\d{2}-\d{2}", "a day as YYYY-MM-DD")
_CURRENCY: Final = Column(r"[A-Z]{3}", "an ISO 4217 code")
_TEXT: Final = Column(r"(?s).{0,4000}", "at most 4,000 characters")
_NAME: Final = Column(r".{1,100}", "1 to 100 characters")
RULES: Final[Mapping[str, Rules]] = MappingProxyType(
    {
        "generic": Rules(
            {"date": _ISO_DAY, "currency": _CURRENCY, "debit": _OR_EMPTY, "credit": _OR_EMPTY},
            ("journal", "currency"),
        ),
        "xero": Rules(
            {
                "*Narration": _TEXT,
                "*Date": Column(r"\d{2}/\d{2}/\d{4}", "a day as dd/mm/yyyy"),
                "*AccountCode": Column(r"[^\s]{1,10}", "an account's code, 1 to 10 characters"),
                "*TaxRate": _NAME,
                "*Amount": _SIGNED,
            },
            ("*Narration", "*Date", "TrackingOption1"),
            lines_max=300,
        ),
        "quickbooks": Rules(
            {
                "*JournalNo": Column(r".{1,21}", "1 to 21 characters"),
                "*JournalDate": Column(r"\d{2}/\d{2}/\d{4}", "a day as mm/dd/yyyy"),
                "*AccountName": _NAME,
                "*Debits": _OR_EMPTY,
                "*Credits": _OR_EMPTY,
                "Description": _TEXT,
                "Name": Column(r".{0,100}", "at most 100 characters"),
                "Currency": _CURRENCY,
            },
            ("*JournalNo", "Currency"),
        ),
        "netsuite": Rules(
            {
                "External ID": _NAME,
                "Date": _ISO_DAY,
                "Currency": _CURRENCY,
                "Account": _NAME,
                "Debit": _OR_EMPTY,
                "Credit": _OR_EMPTY,
                "Memo": _TEXT,
            },
            ("External ID", "Currency"),
        ),
    }
)
_DEBITS: Final = ("debit", "*Debits", "Debit")
_CREDITS: Final = ("credit", "*Credits", "Credit")


def check(layout: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Raise UsageError naming the first line, column and rule that the importing program would refuse."""
    rules = RULES[layout]
    missing = [name for name in rules.columns if name not in names]
    if missing:
        raise UsageError(f"{layout}: the column {missing[0]} is missing")
    sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for number, values in enumerate(rows, start=2):
        row = dict(zip(names, values, strict=True))
        for name, column in rules.columns.items():
            if not re.fullmatch(column.pattern, row[name]):
                raise UsageError(f"{layout}, line {number}: {name} is {row[name]!r}, and has to be {column.words}")
        sums[tuple(row[name] for name in rules.journal)] += _signed(layout, number, row)
    for key, total in sums.items():
        if total:
            raise UsageError(f"{layout}: journal {' '.join(key)} does not balance, it is off by {total}")


def split(layout: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[Sequence[str]]]:
    """The rows of each file: as few files as whole journals in their order allow, each of which balances.

    Raises UsageError for a journal that no file has room for.
    """
    rules = RULES[layout]
    if rules.lines_max is None:
        return [list(rows)]
    places = [names.index(name) for name in rules.journal[:-1]]
    journals: dict[tuple[str, ...], list[Sequence[str]]] = defaultdict(list)
    for row in rows:
        journals[tuple(row[place] for place in places)].append(row)
    files: list[list[Sequence[str]]] = [[]]
    for key, members in journals.items():
        if len(members) > rules.lines_max:
            raise UsageError(
                f"{layout}: journal {' '.join(key)} has {len(members)} lines, and a file at most {rules.lines_max}: "
                "it cannot be parted, so enter it by hand"
            )
        if len(files[-1]) + len(members) > rules.lines_max:
            files.append([])
        files[-1] += members
    return files


def _signed(layout: str, number: int, row: Mapping[str, str]) -> Decimal:
    if "*Amount" in row:
        return Decimal(row["*Amount"])
    debit, credit = (next(row[name] for name in names if name in row) for names in (_DEBITS, _CREDITS))
    if bool(debit) == bool(credit):
        raise UsageError(f"{layout}, line {number}: a line has either a debit or a credit")
    return Decimal(debit) if debit else -Decimal(credit)
