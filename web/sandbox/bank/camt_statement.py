"""Statements as an ISO 20022 message, camt.053.001.08. Pure: the same statements give the same bytes."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from regions.money import Money
from web.sandbox.bank.domain import Entry, Statement

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_PAYER = "Meridian Sandbox PSP"


def render(statements: Sequence[Statement]) -> bytes:
    """The message with all statements of a day."""
    document = Element("Document", {"xmlns": NAMESPACE})
    message = SubElement(document, "BkToCstmrStmt")
    header = SubElement(message, "GrpHdr")
    day = statements[0].on.isoformat() if statements else "1970-01-01"
    _put(header, "MsgId", f"SBX{day}")
    _put(header, "CreDtTm", f"{day}T23:59:59Z")
    for statement in statements:
        _statement(SubElement(message, "Stmt"), statement)
    indent(document)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(document, encoding="unicode")}\n'.encode()


def _statement(element: Element, statement: Statement) -> None:
    _put(element, "Id", statement.id)
    _put(element, "ElctrncSeqNb", str(statement.sequence))
    _put(element, "CreDtTm", f"{statement.on}T23:59:59Z")
    account = SubElement(element, "Acct")
    _put(account, "Id/Othr/Id", statement.account_number)
    _put(account, "Ccy", statement.currency)
    for kind, amount_minor in (("OPBD", statement.opening_minor), ("CLBD", statement.closing_minor)):
        balance = SubElement(element, "Bal")
        _put(balance, "Tp/CdOrPrtry/Cd", kind)
        _amount(balance, amount_minor, statement.currency)
        _put(balance, "Dt/Dt", statement.on.isoformat())
    summary = SubElement(element, "TxsSummry")
    amounts = [entry.amount_minor for entry in statement.entries]
    net = sum(amounts)
    every = SubElement(summary, "TtlNtries")
    _put(every, "NbOfNtries", str(len(amounts)))
    _put(every, "Sum", _major(sum(map(abs, amounts)), statement.currency))
    _put(every, "TtlNetNtry/Amt", _major(abs(net), statement.currency))
    _put(every[-1], "CdtDbtInd", "CRDT" if net >= 0 else "DBIT")
    for number, entry in enumerate(statement.entries, 1):
        _entry(SubElement(element, "Ntry"), entry, f"{statement.id}-{number}")


def _entry(element: Element, entry: Entry, name: str) -> None:
    _put(element, "NtryRef", name)
    _amount(element, entry.amount_minor, entry.currency)
    _put(element, "Sts/Cd", "BOOK")
    _put(element, "BookgDt/Dt", entry.booked_on.isoformat())
    _put(element, "ValDt/Dt", entry.booked_on.isoformat())
    _put(element, "AcctSvcrRef", f"B{name}")
    domain = SubElement(SubElement(element, "BkTxCd"), "Domn")
    _put(domain, "Cd", "PMNT" if not entry.is_charge else "ACMT")
    family = SubElement(domain, "Fmly")
    _put(family, "Cd", "RCDT" if not entry.is_charge else "MDOP")
    _put(family, "SubFmlyCd", "ESCT" if not entry.is_charge else "CHRG")
    details = SubElement(SubElement(element, "NtryDtls"), "TxDtls")
    _put(details, "Refs/EndToEndId", entry.reference)
    _amount(details, entry.amount_minor, entry.currency)
    if not entry.is_charge:
        _put(details, "RltdPties/Dbtr/Pty/Nm", _PAYER)
    _put(details, "RmtInf/Ustrd", entry.text)


def _amount(element: Element, amount_minor: int, currency: str) -> None:
    amount = SubElement(element, "Amt", {"Ccy": currency})
    amount.text = _major(abs(amount_minor), currency)
    _put(element, "CdtDbtInd", "CRDT" if amount_minor >= 0 else "DBIT")


def _put(element: Element, path: str, text: str) -> None:
    for name in path.split("/"):
        element = SubElement(element, name)
    element.text = text


def _major(amount_minor: int, currency: str) -> str:
    return f"{Money(amount_minor, currency).to_decimal():f}"
