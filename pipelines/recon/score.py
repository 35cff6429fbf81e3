"""How well a run found what was planted: precision and recall against the simulated PSP's answer key."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from regions.errors import UsageError

Planted = tuple[str, str | None]  # class, reference
_GATEWAY = "SELECT class, psp_reference FROM fct_recon_breaks WHERE business_date = ?"
_BANK = "SELECT class, payout_reference FROM fct_bank_breaks WHERE business_date <= ?"
_NO_REFERENCE = frozenset({"unknown_at_bank"})  # nobody announced it: the statement's own words are all there is


@dataclass(frozen=True, slots=True)
class Score:
    """What was planted, and what was found."""

    planted: Counter[Planted]
    found: Counter[Planted]

    @property
    def hits(self) -> int:
        """Planted errors that were found with their class."""
        return (self.planted & self.found).total()

    @property
    def precision(self) -> float:
        """Of what was found, how much was planted."""
        return self.hits / self.found.total() if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of what was planted, how much was found."""
        return self.hits / self.planted.total() if self.planted else 1.0

    def sentences(self) -> list[str]:
        """For people."""
        counts = f"{self.planted.total()} planted, {self.found.total()} found, {self.hits} of them right"
        told = [f"answer key: {counts}: precision {self.precision:.3f}, recall {self.recall:.3f}"]
        for what, these in (("missed", self.planted - self.found), ("invented", self.found - self.planted)):
            told += [f"  {what}: {name} of {reference}" for name, reference in sorted(these.elements(), key=_by_name)]
        return told


def _by_name(one: Planted) -> tuple[str, str]:
    name, reference = one
    return name, reference or ""


def read_key(path: Path) -> list[dict[str, Any]]:
    """Every planted error that a JSON file lists, however deep; UsageError for a file that is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The answer key {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"The answer key {path} is not JSON: {error}") from error
    return list(_errors(document))


def score(build: Path, day: date, key: list[dict[str, Any]]) -> Score:
    """What a build found of a day, against what was planted. The bank's leg counts if the key speaks of it."""
    planted: Counter[Planted] = Counter()
    for one in key:
        if one["class"] != "unbalanced":  # such a statement never lands
            is_nameless = one["class"] in _NO_REFERENCE
            planted[one["class"], None if is_nameless else one.get("psp_reference", one.get("reference"))] += 1
    queries = [_GATEWAY] if any("psp_reference" in one for one in key) or not key else []
    queries += [_BANK] if any("psp_reference" not in one for one in key) else []
    with duckdb.connect(str(build), read_only=True) as connection:
        found = Counter(row for query in queries for row in connection.execute(query, [day]).fetchall())
    return Score(planted, found)


def _errors(document: Any) -> list[dict[str, Any]]:
    if isinstance(document, dict):
        if "class" in document and ("psp_reference" in document or "reference" in document):
            return [document]
        return [one for value in document.values() for one in _errors(value)]
    return [one for value in document for one in _errors(value)] if isinstance(document, list) else []
