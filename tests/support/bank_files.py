"""Bank statements to read, written by hand from the formats' definitions."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

IBAN = "DE89370400440532013000"
DAY = date(2026, 3, 3)


def amount(text: str, currency: str = "EUR", name: str = "Amt") -> str:
    return f'<{name} Ccy="{currency}">{text}</{name}>'


def camt_balance(kind: str, text: str, *, day: date = DAY, currency: str = "EUR") -> str:
    side = "DBIT" if text.startswith("-") else "CRDT"
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{amount(text.lstrip('-'), currency)}"
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def camt_entry(
    text: str, *, version: int = 8, status: str = "BOOK", more: str = "", before: str = "", reversal: bool = False
) -> str:
    """An entry; `before` goes behind the direction, `more` to the end."""
    side = "DBIT" if text.startswith("-") else "CRDT"
    state = f"<Sts><Cd>{status}</Cd></Sts>" if version > 6 else f"<Sts>{status}</Sts>"
    flag = "<RvslInd>true</RvslInd>" if reversal else ""
    return (
        f"<Ntry>\n{amount(text.lstrip('-'))}<CdtDbtInd>{side}</CdtDbtInd>{flag}{before}{state}"
        f"<BookgDt><Dt>{DAY}</Dt></BookgDt><AcctSvcrRef>B-1</AcctSvcrRef>"
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>{more}</Ntry>"
    )


def camt_statement(
    *entries: str,
    opening: str = "100.00",
    closing: str | None = None,
    name: str = "S-1",
    sequence: int | None = 62,
    head: str = "",
    kind: str = "Stmt",
    balances: str | None = None,
) -> str:
    number = f"<ElctrncSeqNb>{sequence}</ElctrncSeqNb>" if sequence is not None else ""
    if balances is None:
        balances = "" if kind == "Ntfctn" else camt_balance("OPBD", opening) + camt_balance("CLBD", closing or opening)
    return (
        f"<{kind}><Id>{name}</Id>{number}<Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>\n"
        f"{balances}\n{head}{''.join(entries)}</{kind}>\n"
    )


def camt(*statements: str, version: int = 8, message: str = "053", encoding: str = "UTF-8") -> bytes:
    root = {"053": "BkToCstmrStmt", "054": "BkToCstmrDbtCdtNtfctn"}[message]
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{message}.001.{version:02d}"><{root}>'
        f"<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-03-03T20:00:00Z</CreDtTm></GrpHdr>\n{''.join(statements)}</{root}></Document>\n"
    ).encode(encoding)


def comma(value: Decimal) -> str:
    text = f"{abs(value):f}".replace(".", ",")
    return text if "," in text else f"{text},"


def mt940(
    *lines: str, opening: str = "C260301EUR100,00", closing: str = "C260303EUR100,00", number: str = "62/1"
) -> bytes:
    fields: Sequence[str] = (
        ":20:STMT1", f":25:{IBAN}", f":28C:{number}", f":60F:{opening}", *lines, f":62F:{closing}", "-",
    )  # fmt: skip
    return ("\r\n".join(fields) + "\r\n").encode()
