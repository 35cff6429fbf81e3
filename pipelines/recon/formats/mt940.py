"""SWIFT MT940 customer statements. Pure.

A statement of several pages comes as several messages; each must foot, and each begins where the one before ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from pipelines.recon.formats import mt940_fields
from pipelines.recon.formats.fields import Amounts, FieldError, references
from pipelines.recon.formats.footing import check_chain, check_statement
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import PIECE_BYTES, Source
from pipelines.recon.statement import BOOKED, Balance, BankEntry, BankStatement, plain_number

FORMAT: Final = "mt940"
_NAMES = re.compile(r"\?3[0-9][^?]*")  # who the other party is, in the structure of German banks
_SUBFIELD = re.compile(r"^[0-9]{3}(?=\?)|\?[0-9]{2}")
_KINDS: Final = {"C": "CRDT", "D": "DBIT", "RC": "DBIT-RVSL", "RD": "CRDT-RVSL"}  # by where the money went


def recognise(source: Source) -> bool:
    """Whether the file has the fields of a statement: a reference, an account and a balance or an entry."""
    with source.text() as opened:
        text = "\n" + opened.read(PIECE_BYTES).replace("\r", "\n").replace("{4:", "\n")
    return "\n:20:" in text and "\n:25" in text and any(f"\n:6{n}" in text for n in ("0F:", "0M:", "2F:", "2M:"))


def scan(source: Source, findings: Findings, statements: list[BankStatement] | None = None) -> Iterator[BankEntry]:
    """The entries that can be read; `statements` gets the statements. What is wrong goes to the findings."""
    findings.format = FORMAT
    findings.details["encoding"] = source.encoding
    reader = _Reader(findings, statements if statements is not None else [])
    for line, tag, value in mt940_fields.fields(source, findings):
        yield from reader.read(line, tag, value)
    yield from reader.finish()


@dataclass(slots=True)
class _Open:
    """The statement that is being read."""

    line: int
    id: str
    account: str = "?"
    sequence: str | None = None
    page: str | None = None
    currency: str | None = None
    opening: Balance | None = None
    closing: Balance | None = None
    entries: int = 0
    sum_minor: int = 0
    sides: dict[str, list[int]] = field(default_factory=lambda: {"C": [0, 0], "D": [0, 0]})  # count, sum
    said: list[tuple[int, str, str]] = field(default_factory=list)  # line, side, value of fields 90


class _Reader:
    def __init__(self, findings: Findings, statements: list[BankStatement]) -> None:
        self._findings = findings
        self._amounts = Amounts()
        self._statements = statements
        self._open: _Open | None = None
        self._entry: BankEntry | None = None  # waits for what field 86 says of it
        findings.version = findings.version or "plain"

    def read(self, line: int, tag: str, value: str) -> Iterator[BankEntry]:
        """Take one field; an entry comes out when the next one begins."""
        if tag == "86" and self._entry:
            text = _SUBFIELD.sub(" ", _NAMES.sub(" ", value.replace("\n", "")))
            found = dict.fromkeys((*self._entry.references, *references([text])))
            self._entry = replace(self._entry, references=tuple(found))
            return
        yield from self._let_go()
        if tag == "20":
            self._close()
            self._open = _Open(line, value.strip() or "?")
        elif tag == "end":
            self._close()
        elif self._open is None and tag in {"25", "60F", "60M", "61", "62F", "62M"}:
            self._findings.refuse(line, "no_reference", f"field {tag} stands before a statement's field 20")
            self._open = _Open(line, "?")
        if self._open is not None and tag not in {"20", "end"}:
            try:
                self._field(self._open, line, tag, value)
            except FieldError as error:
                self._findings.refuse(line, "field", f"field {tag} {error}")

    def finish(self) -> Iterator[BankEntry]:
        """What only the whole file can show."""
        yield from self._let_go()
        self._close()
        check_chain(self._statements, self._findings)

    def _field(self, opened: _Open, line: int, tag: str, value: str) -> None:
        if tag in {"25", "25P"}:
            opened.account = value.split("\n", maxsplit=1)[0].strip().split(" ")[0] or "?"
        elif tag in {"28", "28C"}:
            opened.sequence, _, opened.page = (part.strip() for part in value.partition("/"))
        elif tag in {"60F", "60M", "62F", "62M"}:
            self._balance(opened, line, tag, value)
        elif tag == "61":
            self._entry = self._line(opened, line, value)
        elif tag in {"90C", "90D"}:
            opened.said.append((line, tag[-1], value.strip()))

    def _balance(self, opened: _Open, line: int, tag: str, value: str) -> None:
        parts, made = mt940_fields.parse(mt940_fields.BALANCE, value)
        currency = parts["currency"].upper()
        minor = self._amounts.minor(parts["amount"], currency)
        on = _plain(next(iter(made.values())).date)
        balance = Balance(-minor if parts["status"].upper() == "D" else minor, on, line)
        if opened.currency not in {None, currency}:
            raise FieldError(f"is in {currency}, but the statement is in {opened.currency}")
        opened.currency = currency
        if tag.startswith("60"):
            if opened.opening is not None:
                raise FieldError("is there twice")
            opened.opening = balance
        elif opened.closing is not None:
            raise FieldError("is there twice")
        else:
            opened.closing = balance

    def _line(self, opened: _Open, line: int, value: str) -> BankEntry:
        opened.entries += 1
        if opened.currency is None:
            raise FieldError("stands before an opening balance that says the currency")
        parts, made = mt940_fields.parse(mt940_fields.LINE, value)
        mark = parts["status"].upper()
        minor = self._amounts.minor(parts["amount"], opened.currency)
        signed = -minor if made["amount"].amount < 0 else minor
        opened.sum_minor += signed
        side = opened.sides["D" if mark in {"D", "RC"} else "C"]
        side[0], side[1] = side[0] + 1, side[1] + minor
        ours, bank = (parts[name].strip() for name in ("customer_reference", "bank_reference"))
        texts = ["" if ours == "NONREF" else ours, parts["extra_details"], bank]
        return BankEntry(
            line_number=line,
            statement_number=len(self._statements) + 1,
            statement_id=opened.id,
            account=_account(opened),
            currency=opened.currency,
            entry_number=opened.entries,
            booking_date=_plain(made.get("entry_date")) or _plain(made["date"]),
            value_date=_plain(made["date"]),
            kind=_KINDS[mark],
            status=BOOKED,
            amount_minor=signed,
            transaction_code=parts["id"].strip(),
            bank_reference=bank or None,
            references=references(texts),
            detail_count=0,
        )

    def _let_go(self) -> Iterator[BankEntry]:
        if self._entry:
            entry, self._entry = self._entry, None
            self._findings.count(entry.kind, entry.currency, entry.amount_minor)
            self._findings.accounts[entry.account] = None
            yield entry

    def _close(self) -> None:
        opened, self._open = self._open, None
        if opened is None:
            return
        page = plain_number(opened.page)
        statement = BankStatement(
            line_number=opened.line,
            number=len(self._statements) + 1,
            id=opened.id,
            account=_account(opened),
            currency=opened.currency or "?",
            sequence=f"{plain_number(opened.sequence)}/{page}" if page not in {"", "0", "1"} else opened.sequence,
            opening=opened.opening,
            closing=opened.closing,
            entry_count=opened.entries,
            pending_count=0,
            sum_minor=opened.sum_minor,
        )
        self._findings.accounts[statement.account] = None
        self._findings.ids[statement.id] = None
        check_statement(statement, self._findings, has_balances=True)
        self._check_sums(opened)
        self._statements.append(statement)

    def _check_sums(self, opened: _Open) -> None:
        for line, side, value in opened.said:
            try:
                parts, _ = mt940_fields.parse(mt940_fields.SUM, value)
                said = int(parts["number"]), self._amounts.minor(parts["amount"], parts["currency"].upper())
            except FieldError as error:
                self._findings.refuse(line, "field", f"field 90{side} {error}")
                continue
            if said != tuple(opened.sides[side]):
                count, total = opened.sides[side]
                self._findings.refuse(
                    line,
                    "summary",
                    f"field 90{side} says {said[0]} entries of {said[1]}, but there are {count} of {total}; "
                    f"difference {said[1] - total}",
                )


def _plain(found: Any) -> date | None:
    return date(found.year, found.month, found.day) if found else None


def _account(opened: _Open) -> str:
    """The account without the currency that some banks write behind it."""
    currency = opened.currency or "?"
    account = opened.account
    return account.removesuffix(currency) if re.match(r"[A-Z]{2}[0-9]{2}", account) else account
