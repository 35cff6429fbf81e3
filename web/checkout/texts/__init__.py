"""What payers read, one TOML per language."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from regions.texts import language_of, load_texts


@dataclass(frozen=True)
class Texts:
    """One language's texts. A key that does not exist is a KeyError, which a test meets before a payer does."""

    language: str
    texts: Mapping[str, str]
    failures: Mapping[str, str]

    def __call__(self, key: str, **places: str) -> str:
        """The text, its places filled. Places are plain text: the template escapes the whole."""
        return self.texts[key].format(**places)

    def failure(self, code: str | None) -> str:
        """What a failure code means to a payer."""
        return self.failures.get(code or "", self.failures["otherwise"])


def _texts(language: str, raw: Mapping[str, Any]) -> Texts:
    texts = {key: text for key, text in raw.items() if key != "failures"}
    return Texts(language, MappingProxyType(texts), MappingProxyType(raw["failures"]))


LANGUAGES = MappingProxyType({name: _texts(name, raw) for name, raw in load_texts("web.checkout.texts").items()})


def texts_for(locale: str) -> Texts:
    """The texts of a locale such as `de-DE`, or English."""
    return LANGUAGES[language_of(locale, LANGUAGES)]
