"""What a file has to be like before it may be landed: suites as data, one JSON file each in `suites/`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from regions.errors import ConfigurationError

SUITES = Path(__file__).parent / "suites"
CRITICAL, WARNING = "critical", "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation. `place` is the file's column for people; `{name}` in it is the value of that frame column."""

    type: str
    kwargs: Mapping[str, Any]
    place: str
    says: str
    severity: str


@dataclass(frozen=True, slots=True)
class Suite:
    """All expectations of one kind of file."""

    name: str
    description: str
    rules: Sequence[Rule]


@cache
def load_suite(name: str) -> Suite:
    """Read a suite. Raises ConfigurationError naming the file and what is wrong in it."""
    path = SUITES / f"{name}.json"
    try:
        document = json.loads(path.read_text("utf-8"))
        rules = [_rule(entry) for entry in document["expectations"]]
        return Suite(document["name"], document["description"], rules)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: {error!r} makes it no suite of expectations") from error


def suite_names() -> list[str]:
    """Every suite that there is."""
    return sorted(path.stem for path in SUITES.glob("*.json"))


def _rule(entry: Mapping[str, Any]) -> Rule:
    severity = entry.get("severity", CRITICAL)
    if severity not in {CRITICAL, WARNING}:
        raise ValueError(f"severity {severity!r}")
    if unknown := set(entry) - {"type", "kwargs", "meta", "severity"}:
        raise ValueError(f"field {min(unknown)!r}")
    return Rule(entry["type"], entry["kwargs"], entry["meta"]["place"], entry["meta"]["says"], severity)
