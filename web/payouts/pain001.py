"""A payout file: ISO 20022 customer credit transfer initiation, pain.001.001.09, held against its published schema."""

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from regions.errors import MeridianError
from regions.money import Money
from web.payouts.domain import is_iban

if TYPE_CHECKING:
    import xmlschema

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
SCHEMA = "pain.001.001.09.xsd"
_NAME_MAX = 140
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"})
_END_TO_END_MAX = 35


class PayoutFileError(MeridianError):
    """A payout file that its schema refuses: it never leaves us."""


@dataclass(frozen=True, slots=True)
class BankAccount:
    """Whose account it is, and where. It stays out of a repr."""

    holder: str = field(repr=False)
    number: str = field(repr=False)
    bic: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payout in a file. `reference` is short enough for every bank, and comes back in the bank's statement."""

    payout_id: str
    amount: Money
    creditor: BankAccount

    @property
    def reference(self) -> str:
        """The end-to-end id: the payout's without its prefix, which its length would not allow."""
        return self.payout_id.rsplit("_", 1)[-1][:_END_TO_END_MAX]


@dataclass(frozen=True, slots=True)
class Batch:
    """A file of transfers in one currency from one account of ours."""

    message_id: str
    created_at: datetime
    execute_on: date
    debtor: BankAccount
    transfers: Sequence[Transfer]


def render(batch: Batch) -> bytes:
    """The file. Raises PayoutFileError if it does not validate, or mixes currencies."""
    currencies = {transfer.amount.currency for transfer in batch.transfers}
    if len(currencies) != 1:
        raise PayoutFileError(f"A payout file has one currency, this one has {len(currencies)}.")
    document = ET.Element("Document", xmlns=NAMESPACE)
    root = ET.SubElement(document, "CstmrCdtTrfInitn")
    total = sum((transfer.amount for transfer in batch.transfers), Money(0, currencies.pop()))
    header = ET.SubElement(root, "GrpHdr")
    _text(header, "MsgId", batch.message_id)
    _text(header, "CreDtTm", batch.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _sums(header, batch, total)
    _text(ET.SubElement(header, "InitgPty"), "Nm", _name(batch.debtor.holder))
    information = ET.SubElement(root, "PmtInf")
    _text(information, "PmtInfId", f"{batch.message_id}-1")
    _text(information, "PmtMtd", "TRF")
    _sums(information, batch, total)
    _text(ET.SubElement(information, "ReqdExctnDt"), "Dt", batch.execute_on.isoformat())
    _party(information, "Dbtr", batch.debtor)
    _account(information, "DbtrAcct", batch.debtor)
    _agent(information, "DbtrAgt", batch.debtor)
    _text(information, "ChrgBr", "SLEV" if total.currency == "EUR" else "SHAR")
    for transfer in batch.transfers:
        _transfer(information, transfer)
    out = io.BytesIO()
    ET.ElementTree(document).write(out, encoding="utf-8", xml_declaration=True)
    check(out.getvalue())
    return out.getvalue()


def check(content: bytes) -> None:
    """Hold a file against the published schema; raises PayoutFileError naming the first thing wrong, never a value."""
    error = next(_schema().iter_errors(io.BytesIO(content)), None)
    if error is not None:
        raise PayoutFileError(f"The payout file does not validate at {error.path or 'its root'}.")


@cache
def _schema() -> "xmlschema.XMLSchema":
    import xmlschema  # takes a third of a second, and only the process that makes files needs it

    return xmlschema.XMLSchema(str(resources.files("sepaxml").joinpath("schemas", SCHEMA)))


def _transfer(parent: ET.Element, transfer: Transfer) -> None:
    element = ET.SubElement(parent, "CdtTrfTxInf")
    ids = ET.SubElement(element, "PmtId")
    _text(ids, "InstrId", transfer.reference)
    _text(ids, "EndToEndId", transfer.reference)
    amount = ET.SubElement(ET.SubElement(element, "Amt"), "InstdAmt", Ccy=transfer.amount.currency)
    amount.text = str(transfer.amount.to_decimal())
    _agent(element, "CdtrAgt", transfer.creditor)
    _party(element, "Cdtr", transfer.creditor)
    _account(element, "CdtrAcct", transfer.creditor)
    _text(ET.SubElement(element, "RmtInf"), "Ustrd", f"Payout {transfer.reference}")


def references(file: bytes) -> list[str]:
    """The end-to-end ids of a file that we have made."""
    root = ET.fromstring(file)  # noqa: S314 - our own file
    return [found.text or "" for found in root.iter(f"{{{NAMESPACE}}}EndToEndId")]


def _sums(parent: ET.Element, batch: Batch, total: Money) -> None:
    _text(parent, "NbOfTxs", str(len(batch.transfers)))
    _text(parent, "CtrlSum", str(total.to_decimal()))


def _party(parent: ET.Element, name: str, account: BankAccount) -> None:
    _text(ET.SubElement(parent, name), "Nm", _name(account.holder))


def _account(parent: ET.Element, name: str, account: BankAccount) -> None:
    number = ET.SubElement(ET.SubElement(parent, name), "Id")
    if is_iban(account.number):
        _text(number, "IBAN", account.number)
    else:
        _text(ET.SubElement(number, "Othr"), "Id", account.number)


def _agent(parent: ET.Element, name: str, account: BankAccount) -> None:
    _text(ET.SubElement(ET.SubElement(parent, name), "FinInstnId"), "BICFI", account.bic)


def _name(name: str) -> str:
    """A name in the letters that every bank takes: accents and other scripts go."""
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return (" ".join(plain.split()) or "Merchant")[:_NAME_MAX]


def _text(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = value
