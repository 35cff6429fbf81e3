"""What a bank says of a payout file: ISO 20022 payment status report, pain.002, any version. Pure.

A report comes several times about one file; only what is final moves a payout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from regions.errors import MeridianError
from web.payouts.domain import PayoutStatus

_FINAL = {
    "ACSC": PayoutStatus.PAID,  # settled on our account
    "ACCC": PayoutStatus.PAID,  # settled on the payee's
    "RJCT": PayoutStatus.FAILED,
    "CANC": PayoutStatus.FAILED,
}
_WAITING = frozenset({"ACCP", "ACFC", "ACSP", "ACTC", "ACWC", "ACWP", "PATC", "PDNG", "RCVD", "BLCK"})
_CODE_MAX = 60


class StatusReportError(MeridianError):
    """A status report that we cannot read: nothing is concluded from it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the bank says of one transfer; `status` None: nothing final yet."""

    reference: str
    status: PayoutStatus | None
    reason: str | None


def read(document: bytes) -> list[Told]:
    """Every transfer that a report speaks of. Raises StatusReportError."""
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StatusReportError("A status report is UTF-8.") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise StatusReportError("A status report declares no document type.")
    try:
        root = ET.fromstring(text.encode())  # noqa: S314 - without a document type there is nothing to expand
    except (ET.ParseError, ValueError):
        raise StatusReportError("The status report is no XML.") from None
    namespace = root.tag.partition("}")[0].lstrip("{")
    if not namespace.startswith("urn:iso:std:iso:20022:tech:xsd:pain.002."):
        raise StatusReportError("The document is no pain.002 payment status report.")
    found = list(_transfers(root, f"{{{namespace}}}"))
    if not found:
        raise StatusReportError("The status report names no single transfer: end the file's payouts one by one.")
    return found


def _transfers(root: ET.Element, ns: str) -> Iterator[Told]:
    for one in root.iter(f"{ns}TxInfAndSts"):
        reference, said = one.findtext(f"{ns}OrgnlEndToEndId"), one.findtext(f"{ns}TxSts")
        if not reference or said not in _FINAL.keys() | _WAITING:
            raise StatusReportError(
                "A transfer in the status report has no reference, or a status that we do not know."
            )
        reason = one.findtext(f"{ns}StsRsnInf/{ns}Rsn/{ns}Cd") or one.findtext(f"{ns}StsRsnInf/{ns}Rsn/{ns}Prtry")
        yield Told(reference.strip(), _FINAL.get(said), None if reason is None else _word(reason))


def _word(reason: str) -> str:
    """A bank's reason as a code of ours: `bank_ac04`."""
    kept = "".join(char if char.isascii() and char.isalnum() else "_" for char in reason.strip().lower())
    return f"bank_{kept}"[:_CODE_MAX]
