"""The plan as data: one JSON document, canonical, named by its SHA-256, and a table for people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.retention.domain import SUBJECT, Verdict
from regions.contract_files import CONTRACTS
from regions.errors import MeridianError
from regions.retention import Period

FORMAT = 1


class PlanAlteredError(MeridianError):
    """A plan's document is not the one that its hash names."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its document, and the bytes that were hashed."""

    text: str

    @property
    def hash(self) -> bytes:
        """The plan's name."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def document(self) -> dict[str, Any]:
        """The parsed document."""
        parsed: dict[str, Any] = json.loads(self.text)
        return parsed

    @property
    def items(self) -> list[dict[str, Any]]:
        """What goes."""
        found: list[dict[str, Any]] = self.document["items"]
        return found

    @property
    def whole(self) -> list[str]:
        """The subjects of whom nothing is left afterwards."""
        found: list[str] = self.document["erased_whole"]
        return found

    @classmethod
    def make(cls, document: dict[str, Any]) -> Plan:
        """From a document: keys sorted, no spaces."""
        return cls(json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")))

    @classmethod
    def load(cls, text: str, name: bytes) -> Plan:
        """A stored plan. Raises PlanAlteredError if it is not what was planned under that name."""
        plan = cls(text)
        if plan.hash != name:
            raise PlanAlteredError(
                f"The plan {name.hex()[:12]} was altered: its content has the hash {plan.hash.hex()[:12]}"
            )
        return plan


def map_digest() -> str:
    """The SHA-256 of the data map: a plan made under another map is another plan."""
    digest = hashlib.sha256()
    for name in ("tables.toml", "lake.toml"):
        digest.update((CONTRACTS / name).read_bytes())
    return digest.hexdigest()


def item(verdicts: Sequence[Verdict], effects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What goes together: one subject's data of one class, or all rows of a table that are due under one rule."""
    first = verdicts[0]
    subjects = {verdict.holding.subject_id for verdict in verdicts}
    merchants = {verdict.holding.merchant_id for verdict in verdicts}
    return {
        "action": first.action.value,
        "data_class": first.holding.data_class,
        "dataset": first.holding.dataset,
        "subject": first.holding.subject_id if len(subjects) == 1 else None,
        "merchant": first.holding.merchant_id if len(merchants) == 1 else None,
        "keys": [list(verdict.holding.key) for verdict in verdicts],
        "why": first.why.value,
        "by": first.by,
        "rule": _rule(first),
        "effects": list(effects),
    }


def staying(verdict: Verdict) -> dict[str, Any]:
    """What was asked for or is overdue, and stays."""
    return {
        "data_class": verdict.holding.data_class,
        "dataset": verdict.holding.dataset,
        "key": list(verdict.holding.key),
        "subject": verdict.holding.subject_id,
        "why": verdict.why.value,
        "until": verdict.until.isoformat() if verdict.until else None,
        "by": verdict.by,
        "rule": _rule(verdict),
    }


def table(plan: Plan) -> Iterator[str]:
    """The plan for people, a line at a time."""
    document = plan.document
    yield f"Retention plan of {document['region']} for {document['date']}, {plan.hash.hex()}"
    if not document["items"]:
        yield "Nothing goes."
    for entry in document["items"]:
        whom = f"{len(entry['keys'])} rows of {entry['dataset']}"
        if is_of_subject(entry):
            whom = entry["subject"]
        yield ""
        yield f"{entry['action'].replace('_', ' ')}: {entry['data_class']} of {whom}"
        yield f"  because    {_because(entry)}"
        yield f"  by law     {entry['rule']['legal_basis']}"
        for effect in entry["effects"]:
            column = f".{effect['column']}" if effect.get("column") else ""
            yield f"  {effect['store']:<10} {effect['table']}{column}: {effect['rows']} {effect['effect']}"
    for subject in document["erased_whole"]:
        yield ""
        yield f"erased whole: {subject}; nothing can be sealed under it again"
    for entry in document["staying"]:
        yield ""
        yield f"stays: {entry['data_class']} of {entry['subject'] or '/'.join(entry['key'])}, {_stays(entry)}"


def _because(entry: dict[str, Any]) -> str:
    if entry["why"] == "request":
        return f"its subject asked ({entry['by']})"
    return f"the longest that it may be kept, {entry['rule']['maximum']} after {entry['rule']['trigger']}, is over"


def _stays(entry: dict[str, Any]) -> str:
    match entry["why"]:
        case "hold":
            return f"under the legal hold {entry['by']}"
        case "open":
            return "while a payment is under way"
        case "minimum":
            return f"until {entry['until']}: {entry['rule']['legal_basis']}"
        case other:
            return str(other).replace("_", " ")


def _rule(verdict: Verdict) -> dict[str, str] | None:
    rule = verdict.rule
    if rule is None:
        return None
    return {
        "trigger": rule.trigger.value,
        "minimum": _text(rule.minimum),
        "maximum": _text(rule.maximum),
        "legal_basis": rule.legal_basis,
        "source": rule.source,
    }


def _text(period: Period) -> str:
    parts = (f"{period.months}M" if period.months else "") + (f"{period.days}D" if period.days else "")
    return f"P{parts or '0D'}"


def is_of_subject(entry: dict[str, Any]) -> bool:
    """Whether an item is a person's data, not rows of a table."""
    return bool(entry["dataset"] == SUBJECT)
