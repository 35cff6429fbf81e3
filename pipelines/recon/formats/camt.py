"""ISO 20022 bank-to-customer messages: camt.053 statements and camt.054 notifications (and 052 reports). Pure.

Elements are found by their names, whatever their order; what changed between versions (a status that became a choice,
a sum that got an element around it) is read in both forms. Entries that are not booked do not count in a balance.
A reversal keeps its direction: CdtDbtInd says where the money went, RvslInd that it went back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.recon.formats.camt_checks import check_details, check_exchange, check_summary
from pipelines.recon.formats.camt_fields import day_of, direction_of, flag, transaction_code, without_parties
from pipelines.recon.formats.fields import Amounts, FieldError, references
from pipelines.recon.formats.footing import check_chain, check_statement
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import Source
from pipelines.recon.formats.xml_nodes import Node, elements
from pipelines.recon.statement import BOOKED, Balance, BankEntry, BankStatement

MESSAGES: Final = {"BkToCstmrAcctRpt": "camt.052", "BkToCstmrStmt": "camt.053", "BkToCstmrDbtCdtNtfctn": "camt.054"}
STATEMENTS: Final = frozenset({"Stmt", "Ntfctn", "Rpt"})
_TAKE: Final = STATEMENTS | {"Ntry", "TxDtls", "Bal", "Document", "GrpHdr"}
_BEGIN: Final = STATEMENTS | {"Document"} | MESSAGES.keys()
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(camt\.05[234])\.(\d{3})\.(\d{2})")
_HEAD = re.compile(rb"BkToCstmr(AcctRpt|Stmt|DbtCdtNtfctn)|camt\.05[234]\.\d{3}\.\d{2}")
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)
_INTERIM = "ITBD"
_KNOWN_VERSIONS = range(2, 9)
_REFERENCES = (
    "Refs/EndToEndId", "Refs/InstrId", "Refs/TxId", "Refs/PmtInfId", "Refs/MsgId", "Refs/AcctSvcrRef", "Refs/ChqNb",
    "Refs/MndtId", "Refs/ClrSysRef", "Refs/Prtry/Ref", "RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref",
    "RmtInf/Strd/RfrdDocInf/Nb", "AddtlTxInf",
)  # fmt: skip


def recognise(source: Source) -> bool:
    """Whether the file is, or claims to be, one of these messages."""
    head = source.head.replace(b"\0", b"")  # UTF-16
    return b"<" in head[:256] and _HEAD.search(head) is not None


def scan(source: Source, findings: Findings, statements: list[BankStatement] | None = None) -> Iterator[BankEntry]:
    """The entries that can be read; `statements` gets the statements. What is wrong goes to the findings."""
    findings.format = next((name for root, name in MESSAGES.items() if root.encode() in source.head), "camt.053")
    reader = _Reader(findings, statements if statements is not None else [])
    for event, node in elements(source, findings, begin=_BEGIN, take=_TAKE):
        yield from reader.read(event, node)
    reader.finish()


class _Reader:
    def __init__(self, findings: Findings, statements: list[BankStatement]) -> None:
        self._statements = statements
        self._findings = findings
        self._amounts = Amounts()
        self._document: Node | None = None
        self._is_whole = False
        self._open: _Open | None = None
        self._opened = 0
        self._details: list[Node] = []

    def read(self, event: str, node: Node) -> Iterator[BankEntry]:
        if event == "begin":
            self._begin(node)
        elif node.name == "TxDtls":
            self._details.append(without_parties(node))
        elif node.name == "Ntry" and self._open:
            entry = self._open.entry(node, self._details)
            self._details = []
            if entry:
                self._findings.count(entry.kind if entry.is_booked else f"{entry.kind} {entry.status}",
                                     entry.currency, entry.amount_minor)  # fmt: skip
                yield entry
        elif node.name == "Bal" and self._open:
            self._open.balance(node)
        elif node.name in STATEMENTS and self._open:
            self._statements += self._open.close()
            self._open = None
        elif node.name == "GrpHdr":
            if (page := node.value("MsgPgntn/LastPgInd")) in {"false", "0"}:
                self._findings.note(node.line, "more_pages", f"LastPgInd is {page}: more pages belong to this message")
        elif node.name == "Document":
            self._is_whole = True

    def _begin(self, node: Node) -> None:
        if node.name == "Document":
            self._document = node
            self._version(node)
        elif node.name in MESSAGES:
            self._findings.format = MESSAGES[node.name]
            if self._document is None:  # without an envelope
                self._version(node)
                self._document, self._is_whole = node, True
        else:
            self._opened += 1
            self._open = _Open(node, self._opened, self._findings, self._amounts)

    def _version(self, node: Node) -> None:
        found = _NAMESPACE.fullmatch(node.namespace)
        if not found:
            self._findings.note(
                node.line, "version", f"no version of the message is known: namespace {node.namespace!r}"
            )
            return
        self._findings.format, self._findings.version = found[1], found[0].rpartition(":")[2]
        if int(found[3]) not in _KNOWN_VERSIONS:
            self._findings.note(node.line, "version", f"version {found[3]} is not one of 02 to 08; read as 08")

    def finish(self) -> None:
        """What only the whole file can show; of a statement that was cut off, at least whose it is."""
        if self._open:
            self._findings.ids[self._open.id] = None
            self._findings.accounts[self._open.account] = None
        if not self._is_whole and not self._findings.error_count:
            self._findings.refuse(None, "not_camt", "there is no Document with a message of ours in it")
        if self._is_whole and not self._findings.groups and not self._findings.error_count:
            self._findings.refuse(None, "no_statement", "the message holds no statement")
        check_chain(self._statements, self._findings)


class _Open:
    """The statement that is being read."""

    def __init__(self, node: Node, number: int, findings: Findings, amounts: Amounts) -> None:
        self._node = node
        self._number = number
        self._findings = findings
        self._amounts = amounts
        self._balances: list[tuple[str, str, Balance]] = []
        self._entries: list[tuple[str, int, bool]] = []  # currency, amount, is booked
        self._count = 0

    @property
    def id(self) -> str:
        return self._node.value("Id") or "?"

    @property
    def account(self) -> str:
        return (
            self._node.value("Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id", "Acct/Id/BBAN") or "?"
        ).strip()

    def entry(self, node: Node, details: list[Node]) -> BankEntry | None:
        """An entry, or None with a problem."""
        self._count += 1
        try:
            amount_minor, currency = self._amount(node)
            direction = direction_of(node)
            is_reversal = flag(node, "RvslInd")
            status = (node.value("Sts/Cd", "Sts/Prtry", "Sts") or BOOKED).upper()
            booking, value = (day_of(node, name) for name in ("BookgDt", "ValDt"))
        except FieldError as error:
            self._findings.refuse(node.line, "field", f"entry {self._count}: {error}")
            return None
        booked = booking or value
        signed = amount_minor if direction == "CRDT" else -amount_minor
        entry_name = f"entry {self._count}"
        check_details(node, details, signed, currency, self._amounts, self._findings, entry_name)
        instructed, instructed_currency, rate = check_exchange(
            node, details, amount_minor, currency, self._amounts, self._findings, entry_name
        )
        self._entries.append((currency, signed, status == BOOKED))
        texts = [node.value("NtryRef"), node.value("AddtlNtryInf"), node.value("AddtlInfInd/MsgId")]
        texts += [
            found.text
            for part in (*details, *node.all("NtryDtls/Btch"))
            for path in _REFERENCES
            for found in part.all(path)
        ]
        texts += [node.value("NtryDtls/Btch/PmtInfId"), node.value("NtryDtls/Btch/MsgId")]
        self._findings.accounts[self.account] = None
        return BankEntry(
            line_number=node.line,
            statement_number=self._number,
            statement_id=self.id,
            account=self.account,
            currency=currency,
            entry_number=self._count,
            booking_date=booked,
            value_date=value,
            kind=f"{direction}-RVSL" if is_reversal else direction,
            status=status,
            amount_minor=signed,
            transaction_code=transaction_code(node),
            bank_reference=node.value("AcctSvcrRef"),
            references=references(texts),
            detail_count=len(details),
            instructed_currency=instructed_currency,
            instructed_minor=instructed,
            exchange_rate=rate,
        )

    def balance(self, node: Node) -> None:
        """One balance of the statement."""
        kind = node.value("Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Cd") or "?"
        try:
            amount_minor, currency = self._amount(node)
            signed = amount_minor if direction_of(node) == "CRDT" else -amount_minor
            self._balances.append((kind.upper(), currency, Balance(signed, day_of(node, "Dt"), node.line)))
        except FieldError as error:
            self._findings.refuse(node.line, "field", f"balance {kind}: {error}")

    def close(self) -> list[BankStatement]:
        """The statement, in each of its currencies."""
        has_balances = self._findings.format == "camt.053"
        self._findings.ids[self.id] = None
        self._findings.accounts[self.account] = None
        for name in ("Id", "Acct"):
            if self._node.first(name) is None:
                self._findings.refuse(self._node.line, "field", f"the statement has no {name}")
        made = []
        for currency in self._currencies():
            booked = [amount for code, amount, is_booked in self._entries if code == currency and is_booked]
            statement = BankStatement(
                line_number=self._node.line,
                number=self._number,
                id=self.id,
                account=self.account,
                currency=currency,
                sequence=self._node.value("ElctrncSeqNb", "LglSeqNb"),
                opening=self._find(currency, _OPENING, 0) or self._interim(currency, 0),
                closing=self._find(currency, _CLOSING, -1) or self._interim(currency, -1),
                entry_count=len(booked),
                pending_count=sum(code == currency and not is_booked for code, _, is_booked in self._entries),
                sum_minor=sum(booked),
            )
            check_statement(statement, self._findings, has_balances=has_balances)
            made.append(statement)
        check_summary(self._node, self._entries, self._amounts, self._findings)
        return made

    def _currencies(self) -> list[str]:
        main = self._node.value("Acct/Ccy")
        found = dict.fromkeys([*([main] if main else []), *(code for _, code, _ in self._balances), *(
            code for code, _, _ in self._entries)])  # fmt: skip
        used = {code for _, code, _ in self._balances} | {code for code, _, _ in self._entries}
        return [code for code in found if code in used or not used]

    def _find(self, currency: str, kinds: tuple[str, ...], which: int) -> Balance | None:
        for kind in kinds:
            found = [one for name, code, one in self._balances if name == kind and code == currency]
            if found:
                return found[which]
        return None

    def _interim(self, currency: str, which: int) -> Balance | None:
        """Pages of one statement open and close with interim balances; one alone is a page's only other end."""
        found = [one for name, code, one in self._balances if name == _INTERIM and code == currency]
        others = self._find(currency, _OPENING if which else _CLOSING, which)
        return found[which] if len(found) > 1 or (found and others) else None

    def _amount(self, node: Node) -> tuple[int, str]:
        amount = node.first("Amt")
        if amount is None:
            raise FieldError("Amt is missing")
        currency = amount.attributes.get("Ccy") or self._node.value("Acct/Ccy")
        if not currency:
            raise FieldError("Amt has no Ccy")
        if amount.text.strip().startswith("-"):
            raise FieldError(f"Amt is {amount.text.strip()!r}: an amount has no sign, CdtDbtInd says the direction")
        try:
            return self._amounts.minor(amount.text.strip(), currency), currency
        except FieldError as error:
            raise FieldError(f"Amt {error}") from error
