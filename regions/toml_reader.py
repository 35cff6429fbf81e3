"""Reading TOML with nothing left over: each field is taken once, with its type, and `finish` refuses the rest.

Every error is a ConfigurationError that names the file and the field, with its path inside the file.
"""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

from regions.errors import ConfigurationError


class TomlReader:
    """One table of a TOML file."""

    def __init__(self, path: Path, table: dict[str, Any], prefix: str = "") -> None:
        self._path = path
        self._table = dict(table)
        self._prefix = prefix

    @classmethod
    def open(cls, path: Path) -> "TomlReader":
        """The file's top table."""
        try:
            return cls(path, tomllib.loads(path.read_text("utf-8")))
        except OSError as error:
            raise ConfigurationError(f"{path}: the file cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: the file is not TOML ({error})") from error

    def refuse(self, name: str, why: str) -> NoReturn:
        """Raise the error of that field."""
        raise ConfigurationError(f"{self._path}: field {self._prefix}{name} {why}")

    def has(self, name: str) -> bool:
        """Whether an optional field is there and not taken yet."""
        return name in self._table

    def names(self) -> list[str]:
        """The fields not taken yet, for tables whose names are data."""
        return list(self._table)

    def text(self, name: str, pattern: str | None = None, choices: Collection[str] | None = None) -> str:
        """A string that is not blank; matching the whole pattern, or one of the choices."""
        return self._checked_text(name, self._take(name), pattern, choices)

    def texts(self, name: str, pattern: str | None = None, choices: Collection[str] | None = None) -> tuple[str, ...]:
        """A list of strings, not empty, none twice, each as `text` wants it."""
        value = self._take(name)
        if not isinstance(value, list) or not value:
            self.refuse(name, "must be a list of texts with at least one")
        found = tuple(self._checked_text(name, item, pattern, choices) for item in value)
        if len(set(found)) != len(found):
            self.refuse(name, "has the same text twice")
        return found

    def integer(self, name: str, minimum: int) -> int:
        """A whole number, `minimum` at least."""
        value = self._take(name)
        if type(value) is not int or value < minimum:
            self.refuse(name, f"must be a whole number, {minimum} at least")
        return value

    def integers(self, name: str, minimum: int) -> tuple[int, ...]:
        """A list of whole numbers, not empty, each `minimum` at least."""
        value = self._take(name)
        if not isinstance(value, list) or not value or any(type(item) is not int or item < minimum for item in value):
            self.refuse(name, f"must be a list of whole numbers, each {minimum} at least")
        return tuple(value)

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self._take(name)
        if not isinstance(value, bool):
            self.refuse(name, "must be true or false")
        return value

    def table(self, name: str) -> "TomlReader":
        """A table within; it is finished on its own."""
        value = self._take(name)
        if not isinstance(value, dict):
            self.refuse(name, "must be a table")
        return TomlReader(self._path, value, f"{self._prefix}{name}.")

    def tables(self, name: str) -> list["TomlReader"]:
        """An array of tables, not empty."""
        value = self._take(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            self.refuse(name, f"must be an array of tables, [[{self._prefix}{name}]], with at least one")
        return [TomlReader(self._path, item, f"{self._prefix}{name}[{at}].") for at, item in enumerate(value)]

    def finish(self) -> None:
        """Refuse whatever was not taken."""
        for name in self._table:
            self.refuse(name, "is unknown: remove it, or correct its name")

    def _take(self, name: str) -> Any:
        if name not in self._table:
            self.refuse(name, "is missing")
        return self._table.pop(name)

    def _checked_text(self, name: str, value: Any, pattern: str | None, choices: Collection[str] | None) -> str:
        if not isinstance(value, str) or not value.strip():
            self.refuse(name, "must be a text that is not blank")
        if choices is not None and value not in choices:
            self.refuse(name, f"is {value!r}: use one of {', '.join(sorted(choices))}")
        if pattern is not None and not re.fullmatch(pattern, value):
            self.refuse(name, f"is {value!r}, which does not have the form {pattern}")
        return value
