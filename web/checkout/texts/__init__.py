"""What payers read, one TOML per language. Every language has every text of English with the same places to fill."""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from regions.errors import ConfigurationError

FALLBACK = "en"


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


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _load() -> Mapping[str, Texts]:
    loaded: dict[str, Texts] = {}
    for file in files(__package__).iterdir():
        language, dot, suffix = file.name.partition(".")
        if (dot, suffix) == (".", "toml"):
            raw = tomllib.loads(file.read_text(encoding="utf-8"))
            failures = raw.pop("failures")
            loaded[language] = Texts(language, MappingProxyType(raw), MappingProxyType(failures))
    english = loaded[FALLBACK]
    for language, texts in loaded.items():
        if {key: _places(text) for key, text in texts.texts.items()} != {
            key: _places(text) for key, text in english.texts.items()
        } or texts.failures.keys() != english.failures.keys():
            raise ConfigurationError(
                f"web/checkout/texts/{language}.toml differs from {FALLBACK}.toml in keys or places"
            )
    return MappingProxyType(loaded)


LANGUAGES = _load()


def texts_for(locale: str) -> Texts:
    """The texts of a locale such as `de-DE`, or English."""
    return LANGUAGES.get(locale.replace("_", "-").partition("-")[0].lower(), LANGUAGES[FALLBACK])
