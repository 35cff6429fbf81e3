"""What a bank says of a payout file: ISO 20022 payment status report, pain.002, any version. Pure.

A report comes several times about one file; only what is final moves a payout. It speaks of single transfers, or of
the file: one that is rejected whole is the end of every transfer in it, whether they are named or not.
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
_REJECTED, _IN_PART = "RJCT", "PART"
_CODE_MAX = 60


class StatusReportError(MeridianError):
    """A status report that we cannot read: nothing is concluded from it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the bank says of one transfer; `status` None: nothing final yet."""

    reference: str
    status: PayoutStatus | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class File:
    """What the bank says of a whole file of ours, by its message id: rejected, for a reason, or nothing final yet."""

    message_id: str
    is_rejected: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The transfers that a report names, and what it says of all that are in the file."""

    transfers: tuple[Told, ...]
    file: File | None = None


def read(document: bytes) -> Report:
    """What a report speaks of. Raises StatusReportError."""
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
    ns = f"{{{namespace}}}"
    found, file = tuple(_transfers(root, ns)), _file(root, ns)
    if file is not None and file.is_rejected and any(one.status is not PayoutStatus.FAILED for one in found):
        raise StatusReportError("The status report rejects the file, and says of a transfer in it that it was not.")
    if not found and file is None:
        raise StatusReportError("The status report names no single transfer: end the file's payouts one by one.")
    return Report(found, file)


def _file(root: ET.Element, ns: str) -> File | None:
    """What it says of the file: as a group, or, in other banks' words, of its one payment information."""
    message_id = root.findtext(f".//{ns}OrgnlGrpInfAndSts/{ns}OrgnlMsgId", "").strip()
    places = [*root.iter(f"{ns}OrgnlGrpInfAndSts"), *root.iter(f"{ns}OrgnlPmtInfAndSts")]
    said = [(one.findtext(f"{ns}GrpSts") or one.findtext(f"{ns}PmtInfSts") or "", one) for one in places]
    of = dict(reversed(said))
    if _REJECTED in of and message_id:
        return File(message_id, is_rejected=True, reason=_reason(of[_REJECTED], ns))
    if next(root.iter(f"{ns}TxInfAndSts"), None) is not None:
        return None
    if _IN_PART in of:
        raise StatusReportError(
            "The status report accepts a part of the file and does not say which: ask the bank for a report that names "
            "the transfers, or end the file's payouts one by one."
        )
    is_waiting = bool(message_id) and any(of) and {status for status in of if status} <= _WAITING
    return File(message_id, is_rejected=False, reason=None) if is_waiting else None


def _transfers(root: ET.Element, ns: str) -> Iterator[Told]:
    for one in root.iter(f"{ns}TxInfAndSts"):
        reference, said = one.findtext(f"{ns}OrgnlEndToEndId"), one.findtext(f"{ns}TxSts")
        if not reference or said not in _FINAL.keys() | _WAITING:
            raise StatusReportError(
                "A transfer in the status report has no reference, or a status that we do not know."
            )
        yield Told(reference.strip(), _FINAL.get(said), _reason(one, ns))


def _reason(of: ET.Element, ns: str) -> str | None:
    reason = of.findtext(f"{ns}StsRsnInf/{ns}Rsn/{ns}Cd") or of.findtext(f"{ns}StsRsnInf/{ns}Rsn/{ns}Prtry")
    return None if reason is None else _word(reason)


def _word(reason: str) -> str:
    """A bank's reason as a code of ours: `bank_ac04`."""
    kept = "".join(char if char.isascii() and char.isalnum() else "_" for char in reason.strip().lower())
    return f"bank_{kept}"[:_CODE_MAX]
