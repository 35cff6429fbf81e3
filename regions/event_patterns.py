"""Contracts as regular expressions, so that a batch of events can be proven valid in bulk.

A pattern is narrower than its schema, never wider: text that it matches whole is one JSON object that the schema
allows, with each required field once, in the order in which PostgreSQL writes `jsonb`. What it does not match may still
be valid; that is for the validator to say, one event at a time. RE2's syntax (DuckDB, Arrow).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from re import _parser  # type: ignore[attr-defined]  # it knows how long a match may be
from typing import Any, Final

_IGNORED: Final = frozenset({"description", "title", "x-residency", "$schema", "type", "additionalProperties"})
_KNOWN: Final = {
    "object": frozenset({"properties", "required"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"pattern", "minLength", "maxLength", "format", "enum"}),
    "integer": frozenset({"minimum", "maximum", "not"}),
    "boolean": frozenset(),
    "null": frozenset(),
}
_REPEATS_MAX: Final = 1000  # RE2's own limit
_ITEMS_MAX: Final = 8  # longer arrays are for the validator: each item is a copy of its pattern
_DIGITS_MAX: Final = 15  # every number of so many digits is below 2^53
_ENUMERATED_MAX: Final = 200
_MONTH_DAYS: Final = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
DAY: Final = rf"(?:19|20)\d\d-{_MONTH_DAYS}"
MOMENT: Final = rf"{DAY}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{{6}}Z"
_FORMATS: Final = {"date-time": MOMENT, "date": DAY}
# What a pattern of a contract may be made of, so that no match of it needs an escape in JSON.
_PLAIN_PATTERN: Final = re.compile(r"\^(?:[A-Za-z0-9_:,(){}*+?|-]|\\\.|\\d|\[[A-Za-z0-9_.:+?/(),'-]+\])*\$")


class UnprovableError(ValueError):
    """A schema uses what no pattern can say: all of its events go to the validator."""


def data_pattern(schema: Mapping[str, Any]) -> str:
    """The pattern of an event's `data`. Raises UnprovableError."""
    return _value(schema)


def _value(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return "(?:" + "|".join(_value({**_of_kind(schema, kind), "type": kind}) for kind in kinds) + ")"
    if kinds not in _KNOWN or set(schema) - _IGNORED - _KNOWN[kinds]:
        raise UnprovableError(f"no pattern can say {sorted(set(schema) - _IGNORED)} of {kinds!r}")
    return _BUILDERS[kinds](schema)


def _of_kind(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The keywords that speak of one of several types."""
    others = frozenset().union(*_KNOWN.values()) - _KNOWN.get(kind, frozenset())
    return {name: value for name, value in schema.items() if name not in others}


def _object(schema: Mapping[str, Any]) -> str:
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = frozenset(schema.get("required", ()))
    if not required <= set(properties):
        raise UnprovableError("a required field has no schema")
    if not required:  # no anchor for the commas; whatever fields there are, in any order, are allowed
        fields = "|".join(f"{_text(name)}: ?{_value(found)}" for name, found in properties.items())
        return rf"(?:\{{\}}|\{{(?:{fields})(?:, ?(?:{fields}))*\}})" if fields else r"\{\}"
    before: list[str] = []
    after: list[str] = []
    for name in sorted(properties, key=lambda name: (len(name.encode()), name.encode())):
        field = f"{_text(name)}: ?{_value(properties[name])}"
        if name in required:
            after.append(f", ?{field}" if after else field)
        elif after:
            after.append(f"(?:, ?{field})?")
        else:
            before.append(f"(?:{field}, ?)?")
    return r"\{" + "".join((*before, *after)) + r"\}"


def _array(schema: Mapping[str, Any]) -> str:
    item = _value(schema["items"])
    least = int(schema.get("minItems", 0))
    most = min(int(schema.get("maxItems", _ITEMS_MAX)), max(_ITEMS_MAX, least))
    if most == 0:
        return r"\[\]"
    some = rf"\[{item}(?:, ?{item}){{{max(least - 1, 0)},{most - 1}}}\]"
    return some if least else rf"(?:\[\]|{some})"


def _string(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return _enum(schema)
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    if "format" in schema:
        if set(schema) - _IGNORED != {"format"} or schema["format"] not in _FORMATS:
            raise UnprovableError(f"no pattern for format {schema['format']!r} with other rules")
        return f'"{_FORMATS[schema["format"]]}"'
    if "pattern" in schema:
        return f'"{_bounded(schema["pattern"], least, most)}"'
    if least > _REPEATS_MAX:
        raise UnprovableError(f"no pattern for {least} characters")
    upper = _REPEATS_MAX if most is None else min(int(most), _REPEATS_MAX)
    return rf'"[^"\\\x00-\x1f]{{{least},{upper}}}"'


def _enum(schema: Mapping[str, Any]) -> str:
    if set(schema) - _IGNORED != {"enum"} or not all(isinstance(one, str) for one in schema["enum"]):
        raise UnprovableError("no pattern for an enumeration of anything but strings, or with other rules")
    return "(?:" + "|".join(_text(one) for one in schema["enum"]) + ")"


def _bounded(pattern: str, least: int, most: int | None) -> str:
    """A contract's own pattern, its repetitions bounded so that no match is longer than the contract allows."""
    if not _PLAIN_PATTERN.fullmatch(pattern):
        raise UnprovableError(f"{pattern!r} is no plain pattern")
    inner = pattern[1:-1]
    for bound in (_REPEATS_MAX, 63, 31, 15, 7, 3):
        text = inner
        if most is not None:
            text = re.sub(r"(?<=\])\*", f"{{0,{bound}}}", text)
            text = re.sub(r"(?<=\])\+", f"{{1,{bound}}}", text)
            text = text.replace(")*", "){0,2}").replace(")+", "){1,2}")
        width_least, width_most = _parser.parse(text).getwidth()
        if width_least >= least and (most is None or width_most <= most):
            return f"(?:{text})"
    raise UnprovableError(f"{pattern!r} may be shorter or longer than its contract allows")


def _integer(schema: Mapping[str, Any]) -> str:
    lowest, highest = int(schema.get("minimum", -(2**53))), int(schema.get("maximum", 2**53))
    excluded = schema.get("not", {"enum": []})
    if set(excluded) != {"enum"} or not set(excluded["enum"]) <= {0}:
        raise UnprovableError("no pattern excludes numbers other than 0")
    if highest - lowest < _ENUMERATED_MAX:
        return "(?:" + "|".join(str(one) for one in range(lowest, highest + 1) if one not in excluded["enum"]) + ")"
    choices: list[str] = []
    if lowest <= 0 <= highest and 0 not in excluded["enum"]:
        choices.append("0")
    if lowest <= 1 and (digits := _digits(highest)):
        choices.append(f"[1-9][0-9]{{0,{digits - 1}}}")
    if highest >= -1 and (digits := _digits(-lowest)):
        choices.append(f"-[1-9][0-9]{{0,{digits - 1}}}")
    if not choices:
        raise UnprovableError(f"no pattern for numbers from {lowest} to {highest}")
    return "(?:" + "|".join(choices) + ")"


def _digits(limit: int) -> int:
    """The most digits of which every number is within the limit."""
    return min(_DIGITS_MAX, len(str(limit + 1)) - 1) if limit > 0 else 0


def _text(value: str) -> str:
    """A string as JSON has it, matched literally."""
    text = json.dumps(value)
    if "\\" in text:
        raise UnprovableError(f"{value!r} needs an escape")
    return re.escape(text)


_BUILDERS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "boolean": lambda _: "(?:true|false)",
    "null": lambda _: "null",
}
