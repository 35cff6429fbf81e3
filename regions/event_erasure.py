"""Taking the personal fields out of an event's data, as its contract names them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from regions.errors import ConfigurationError
from regions.events import registry
from regions.residency import ResidencyClass


class PersonalFields(NamedTuple):
    """The fields of class pii of one event type: those that may be absent, and those that must be there as null."""

    removable: frozenset[str]
    nullable: frozenset[str]


@cache
def personal_fields() -> Mapping[str, PersonalFields]:
    """By event type. ConfigurationError for a contract whose personal data could not be erased."""
    found = {}
    for name, kind in registry().items():
        pointers = [pointer for pointer, bound in kind.residency.items() if bound is ResidencyClass.PII]
        if any(pointer.count("/") != 1 for pointer in pointers):
            raise ConfigurationError(f"event {name}: a pii field must lie at the top of `data`, or erasure misses it")
        names = {pointer.removeprefix("/") for pointer in pointers}
        required = names & set(kind.schema.get("required", ()))
        for field in sorted(required):
            if not _takes_null(kind.schema["properties"][field]):
                raise ConfigurationError(f"event {name}: the pii field {field} can be neither absent nor null")
        if names:
            found[name] = PersonalFields(frozenset(names - required), frozenset(required))
    return found


def erase_fields(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` without its personal fields. The same data again for a type that has none."""
    fields = personal_fields().get(event_type)
    if fields is None:
        return dict(data)
    return {
        name: None if name in fields.nullable else value for name, value in data.items() if name not in fields.removable
    }


def personal_values(event_type: str, data: Mapping[str, Any]) -> dict[str, str]:
    """The personal fields that hold a text, by name."""
    fields = personal_fields().get(event_type)
    if fields is None:
        return {}
    names = fields.removable | fields.nullable
    return {name: value for name, value in data.items() if name in names and isinstance(value, str)}


def _takes_null(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return kinds == "null" or (isinstance(kinds, list) and "null" in kinds)
