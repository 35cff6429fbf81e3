"""Texts for people, one TOML per language. Every language has every text of English with the same places to fill."""

import string
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from regions.errors import ConfigurationError

FALLBACK: Final = "en"


def load_texts(package: str) -> Mapping[str, Mapping[str, Any]]:
    """The texts in a package's TOML files, by language. Raises ConfigurationError naming the file that differs."""
    loaded = {}
    for file in files(package).iterdir():
        language, dot, suffix = file.name.partition(".")
        if (dot, suffix) == (".", "toml"):
            loaded[language] = tomllib.loads(file.read_text(encoding="utf-8"))
    english = _places(loaded[FALLBACK])
    for language, texts in loaded.items():
        if _places(texts) != english:
            folder = package.replace(".", "/")
            raise ConfigurationError(f"{folder}/{language}.toml differs from {FALLBACK}.toml in keys or places")
    return MappingProxyType(loaded)


def language_of(locale: str, languages: Mapping[str, object]) -> str:
    """The language of a locale such as `de-DE` if there are texts in it, else English."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in languages else FALLBACK


def _places(texts: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = {}
    for key, text in texts.items():
        if isinstance(text, Mapping):
            found |= _places(text, (*path, key))
        else:
            found[*path, key] = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    return found
