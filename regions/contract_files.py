"""Reading and judging the files under `contracts/`: a contract that says less than it must stops the process.

A misspelt keyword in a JSON Schema is no error to any validator, it just checks nothing; so only known keywords pass.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from regions.errors import ConfigurationError
from regions.residency import ResidencyClass, ResidencyError, residency_class
from regions.retention import data_classes

CONTRACTS: Final = Path(__file__).parent / "contracts"

_REQUIRED: Final = frozenset({"type", "version", "family", "owner", "description", "schema", "examples"})
_OPTIONAL: Final = frozenset({"pii"})
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_OWNER: Final = re.compile(r"(?:web|pipelines)\.[a-z_]+")

_COMMON: Final = frozenset({"type", "description", "x-residency", "enum", "not"})
_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "object": _COMMON | {"$schema", "properties", "required", "additionalProperties"},
    "array": _COMMON | {"items", "minItems", "maxItems"},
    "string": _COMMON | {"minLength", "maxLength", "pattern", "format"},
    "integer": _COMMON | {"minimum", "maximum"},
    "boolean": _COMMON,
}
_FORMATS: Final = frozenset({"date-time", "date"})


@dataclass(frozen=True, slots=True)
class Family:
    """A family of events, and its topic in every region."""

    name: str
    version: int
    partitions: int
    owner: str
    description: str


@dataclass(frozen=True, slots=True)
class PiiContract:
    """What an event seals in `pii`: the JSON fields, and the retention class whose key they are under."""

    retention_class: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class EventType:
    """One version of one type of event. `residency` maps each field's pointer (`/entries/*/line`) to its class."""

    name: str
    version: int
    family: str
    owner: str
    description: str
    schema: Mapping[str, Any]
    residency: Mapping[str, ResidencyClass]
    examples: tuple[Mapping[str, Any], ...]
    pii: PiiContract | None = None


def load_families(folder: Path = CONTRACTS) -> dict[str, Family]:
    """Every family of `topics.toml`."""
    path = folder / "topics.toml"
    try:
        tables = tomllib.loads(path.read_text("utf-8"))["families"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigurationError(f"{path}: the families cannot be read ({error})") from error
    families = {}
    for name, table in tables.items():
        wanted = {"version": int, "partitions": int, "owner": str, "description": str}
        if set(table) != set(wanted) or any(type(table[key]) is not kind for key, kind in wanted.items()):
            raise ConfigurationError(f"{path}: family {name} needs exactly version, partitions, owner and description")
        if table["version"] < 1 or table["partitions"] < 1 or not _OWNER.fullmatch(table["owner"]):
            raise ConfigurationError(f"{path}: family {name} has a bad version, number of partitions or owner")
        families[name] = Family(name, **table)
    return families


def load_event_types(folder: Path = CONTRACTS) -> dict[tuple[str, int], EventType]:
    """Every contract file, checked whole except for its examples; ConfigurationError names file and field."""
    families = load_families(folder)
    types = {}
    for path in sorted((folder / "events").iterdir()):
        found = parse_contract(path, families)
        types[found.name, found.version] = found
    if not types:
        raise ConfigurationError(f"{folder / 'events'}: there are no event contracts")
    return types


def parse_contract(path: Path, families: Mapping[str, Family]) -> EventType:
    """One contract file."""
    try:
        document = json.loads(path.read_text("utf-8"), object_pairs_hook=_without_duplicates)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: this is no JSON document ({error})") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: a contract is a JSON object")
    _check_head(path, document, families)
    residency: dict[str, ResidencyClass] = {}
    schema = document["schema"]
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ConfigurationError(f"{path}: schema: the data of an event is an object")
    for problem in _problems(schema, "", residency):
        raise ConfigurationError(f"{path}: schema: {problem}")
    return EventType(
        name=document["type"],
        version=document["version"],
        family=document["family"],
        owner=document["owner"],
        description=document["description"],
        schema=schema,
        residency=residency,
        examples=tuple(document["examples"]),
        pii=_parse_pii(path, document.get("pii")),
    )


def _check_head(path: Path, document: Mapping[str, Any], families: Mapping[str, Family]) -> None:
    for name in sorted(_REQUIRED - set(document)):
        raise ConfigurationError(f"{path}: {name} is missing")
    for name in sorted(set(document) - _REQUIRED - _OPTIONAL):
        raise ConfigurationError(f"{path}: {name} is not a field of a contract")
    checks = {
        "type": isinstance(document["type"], str) and _TYPE.fullmatch(document["type"]) is not None,
        "version": type(document["version"]) is int and document["version"] >= 1,
        "family": document["family"] in families,
        "owner": isinstance(document["owner"], str) and _OWNER.fullmatch(document["owner"]) is not None,
        "description": isinstance(document["description"], str) and document["description"] != "",
        "examples": isinstance(document["examples"], list) and len(document["examples"]) > 0,
    }
    for name, is_good in checks.items():
        if not is_good:
            raise ConfigurationError(f"{path}: {name} is wrong: {document[name]!r}")
    if path.name != f"{document['type']}.v{document['version']}.json":
        raise ConfigurationError(
            f"{path}: the file of {document['type']} version {document['version']} has another name"
        )


def _parse_pii(path: Path, pii: Any) -> PiiContract | None:
    if pii is None:
        return None
    if not isinstance(pii, dict) or set(pii) != {"retention_class", "fields"}:
        raise ConfigurationError(f"{path}: pii needs exactly retention_class and fields")
    fields = pii["fields"]
    if not isinstance(fields, list) or not fields or not all(isinstance(name, str) for name in fields):
        raise ConfigurationError(f"{path}: pii.fields is a list of names")
    if pii["retention_class"] not in data_classes():
        raise ConfigurationError(f"{path}: pii.retention_class is no data class of data_classes.toml")
    return PiiContract(pii["retention_class"], tuple(fields))


def _problems(schema: Any, pointer: str, residency: dict[str, ResidencyClass]) -> Iterator[str]:
    """What is wrong with a schema node; fills `residency` on the way."""
    where = pointer or "/"
    kind = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(kind, str) or kind not in _KEYWORDS:
        yield f"{where} needs a type, one of {', '.join(_KEYWORDS)}"
        return
    for keyword in sorted(set(schema) - _KEYWORDS[kind]):
        yield f"{where} has {keyword!r}, which is no keyword for {kind}"
    if schema.get("format", "date") not in _FORMATS:
        yield f"{where} has the unknown format {schema['format']!r}"
    if kind == "object":
        yield from _object_problems(schema, pointer, residency)
    if kind == "array":
        yield from _problems(schema.get("items"), f"{pointer}/*", residency)


def _object_problems(schema: Mapping[str, Any], pointer: str, residency: dict[str, ResidencyClass]) -> Iterator[str]:
    where = pointer or "/"
    properties, required = schema.get("properties"), schema.get("required")
    if schema.get("additionalProperties") is not False:
        yield f"{where} must have additionalProperties false"
    if not isinstance(properties, dict) or not properties:
        yield f"{where} has no properties"
        return
    if not isinstance(required, list) or not set(required) <= set(properties):
        yield f"{where} must list under required only its own properties"
    for name, child in properties.items():
        try:
            residency[f"{pointer}/{name}"] = residency_class(child["x-residency"])
        except KeyError:
            yield f"{pointer}/{name} has no x-residency"
        except ResidencyError as error:
            yield f"{pointer}/{name}: {error}"
        yield from _problems(child, f"{pointer}/{name}", residency)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name is given twice among {names}")
    return dict(pairs)
