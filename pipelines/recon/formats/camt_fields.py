"""Parts of camt entries and balances that every version writes alike. Pure."""

from __future__ import annotations

from datetime import date

from pipelines.recon.formats.fields import FieldError, day
from pipelines.recon.formats.xml_nodes import Node


def without_parties(node: Node) -> Node:
    """Who the other parties are is nobody's business here."""
    node.children = [child for child in node.children if child.name not in {"RltdPties", "RltdAgts"}]
    return node


def direction_of(node: Node) -> str:
    """CRDT or DBIT. Raises FieldError."""
    found = node.value("CdtDbtInd") or ""
    if found not in {"CRDT", "DBIT"}:
        raise FieldError(f"CdtDbtInd is {found!r}, not CRDT or DBIT")
    return found


def flag(node: Node, name: str) -> bool:
    """A yes or no, no if it is not there. Raises FieldError."""
    found = node.value(name) or "false"
    if found not in {"true", "false", "1", "0"}:
        raise FieldError(f"{name} is {found!r}, not true or false")
    return found in {"true", "1"}


def day_of(node: Node, name: str) -> date | None:
    """A date, whichever of its forms it has. Raises FieldError."""
    found = node.value(f"{name}/Dt", f"{name}/DtTm", name)
    try:
        return day(found) if found else None
    except FieldError as error:
        raise FieldError(f"{name} {error}") from error


def transaction_code(node: Node) -> str | None:
    """What kind of transaction: the ISO code's parts, else the bank's own."""
    parts = [node.value(f"BkTxCd/Domn/{path}") for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    return "-".join(part for part in parts if part) or node.value("BkTxCd/Prtry/Cd")
