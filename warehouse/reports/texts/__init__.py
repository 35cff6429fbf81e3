"""What invoices and statements say around their figures, one TOML per language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from regions.texts import FALLBACK, language_of, load_texts
from warehouse.reports.model import Column

_WORDED: Final = ("account", "kind", "what", "basis")  # columns whose values are words of ours


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words. A text that does not exist is a KeyError; values without a word stay as they are."""

    language: str
    texts: Mapping[str, str]
    columns: Mapping[str, str]
    values: Mapping[str, str]

    def __call__(self, key: str, **places: str) -> str:
        """The text, its places filled."""
        return self.texts[key].format(**places)

    def titled(self, columns: Iterable[Column]) -> list[Column]:
        """The columns under this language's titles."""
        return [replace(column, title=self.columns.get(column.name, column.title)) for column in columns]

    def worded(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with this language's words for what the data calls by names."""
        said = {name: self.values.get(row[name], row[name]) for name in _WORDED if row.get(name) is not None}
        return {**row, **said}


def _words(language: str, raw: Mapping[str, Any]) -> Words:
    return Words(language, raw["texts"], raw["columns"], raw["values"])


LANGUAGES: Final = MappingProxyType({name: _words(name, raw) for name, raw in load_texts(__name__).items()})
ENGLISH: Final = LANGUAGES[FALLBACK]


def words_for(locale: str) -> Words:
    """The words of a locale such as `de-DE`, or English."""
    return LANGUAGES[language_of(locale, LANGUAGES)]
