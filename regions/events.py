"""Events: the contract between the two halves. Loaded whole when this module is imported.

A type's validator is compiled when it is first used. The record value in Kafka is a CloudEvents 1.0 JSON envelope. The
record key is the subject, an object's id, so the order of one object's events holds.
"""

import copy
import functools
import re
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

import fastjsonschema
import orjson

from regions.contract_files import CONTRACTS, EventType, Family, load_event_types, load_families
from regions.errors import EventContractError
from regions.ids import REGION_PATTERN
from regions.vault import SealedJson

__all__ = [
    "FAMILIES",
    "Envelope",
    "EventType",
    "Family",
    "envelope_json",
    "envelope_schema",
    "event_type",
    "parse_envelope",
    "partition_for",
    "registry",
    "timestamp",
    "topic",
    "topics",
    "validate_data",
    "versions",
]

Validator = Callable[[Any], Any]


class Envelope(TypedDict):
    """A record's value, parsed. `time` is RFC 3339 in UTC with microseconds and Z."""

    specversion: Literal["1.0"]
    id: str
    type: str
    source: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"]
    region: str
    merchant_id: str
    livemode: bool
    sequence: int
    schema_version: int
    correlation_id: str | None
    data: dict[str, Any]
    pii: SealedJson | None
    xid: NotRequired[int | None]  # the transaction that appended it; older records do not say


_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_PII_SCHEMA: Final = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "required": ["subject", "retention_class", "ciphertext"],
    "properties": {"subject": _NAME, "retention_class": _NAME, "ciphertext": {"type": "string", "minLength": 1}},
}
# Unknown attributes are allowed, as CloudEvents asks of a reader. The relay adds two, its stamp: `position`, `after`.
_ENVELOPE_SCHEMA: Final = {
    "type": "object",
    "required": [name for name in Envelope.__annotations__ if name in Envelope.__required_keys__],
    "properties": {
        "specversion": {"enum": ["1.0"]},
        "id": {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
        "type": _NAME,
        "source": {"type": "string", "pattern": f"^/meridian/{REGION_PATTERN}$"},
        "subject": _NAME,
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", "format": "date-time"},
        "datacontenttype": {"enum": ["application/json"]},
        "region": {"type": "string", "pattern": f"^{REGION_PATTERN}$"},
        "merchant_id": _NAME,
        "livemode": {"type": "boolean"},
        "sequence": {"type": "integer", "minimum": 1},
        "schema_version": {"type": "integer", "minimum": 1},
        "correlation_id": {"type": ["string", "null"]},
        "data": {"type": "object"},
        "pii": _PII_SCHEMA,
        "xid": {"type": ["integer", "null"], "minimum": 1},
    },
}

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(load_families(CONTRACTS))
_TYPES: Final[Mapping[tuple[str, int], EventType]] = MappingProxyType(load_event_types(CONTRACTS))
_LATEST: Final[Mapping[str, EventType]] = MappingProxyType(
    {found.name: found for found in sorted(_TYPES.values(), key=lambda found: found.version)}
)


def envelope_schema() -> dict[str, Any]:
    """The JSON Schema of what stands around `data`."""
    return copy.deepcopy(dict(_ENVELOPE_SCHEMA))


def registry() -> Mapping[str, EventType]:
    """The latest version of every type of event, by name."""
    return _LATEST


def event_type(name: str, version: int | None = None) -> EventType:
    """One type, the latest version unless told; EventContractError when there is none."""
    try:
        return _LATEST[name] if version is None else _TYPES[name, version]
    except KeyError:
        wanted = name if version is None else f"{name} version {version}"
        raise EventContractError(f"there is no contract for {wanted!r}", "/type") from None


def versions() -> tuple[EventType, ...]:
    """Every version of every type."""
    return tuple(_TYPES.values())


def topic(region: str, family: str) -> str:
    """The topic of a family in a region, `eu.links.v1`."""
    try:
        return f"{region}.{family}.v{FAMILIES[family].version}"
    except KeyError:
        raise EventContractError(f"{family!r} is no family: use one of {', '.join(FAMILIES)}") from None


def topics(region: str) -> dict[str, Family]:
    """Every topic of a region, with its family (and so its number of partitions)."""
    return {topic(region, family.name): family for family in FAMILIES.values()}


def partition_for(subject: str, partitions: int) -> int:
    """The partition of an object's events: CRC-32 of the key, so every producer in every language agrees."""
    return zlib.crc32(subject.encode()) % partitions


def validate_data(name: str, data: Mapping[str, Any], version: int | None = None, *, is_reader: bool = False) -> None:
    """Check an event's `data` against its contract; EventContractError names the pointer of the offending field.

    A writer is held to the contract strictly. A reader (`is_reader`) tolerates fields that a newer writer added.
    """
    found = event_type(name, version)
    _run(_validator(found.name, found.version, is_reader=is_reader), data, f"{name} ")


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC, microseconds, Z: the form of every time in an event."""
    if at.tzinfo is None:
        raise ValueError("a time without a time zone is not a moment")
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


def envelope_json(
    *,
    event_id: str,
    type: str,  # noqa: A002 - CloudEvents calls it so
    region: str,
    subject: str,
    time: datetime,
    merchant_id: str,
    livemode: bool,
    sequence: int,
    schema_version: int,
    correlation_id: str | None,
    data: Mapping[str, Any] | bytes | str,
    pii: Mapping[str, Any] | bytes | str | None,
    xid: int | None = None,
) -> bytes:
    """The record's value. `data` and `pii` may be JSON text already, as PostgreSQL gives it, and are then passed on.

    `xid` is the outbox row's transaction: with it history can say what a recorded `pg_snapshot` saw.
    """
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "type": type,
            "source": f"/meridian/{region}",
            "subject": subject,
            "time": timestamp(time),
            "datacontenttype": "application/json",
            "region": region,
            "merchant_id": merchant_id,
            "livemode": livemode,
            "sequence": sequence,
            "schema_version": schema_version,
            "correlation_id": correlation_id,
            "data": orjson.Fragment(data) if isinstance(data, bytes | str) else data,
            "pii": orjson.Fragment(pii) if isinstance(pii, bytes | str) else pii,
            "xid": xid,
        }
    )


def parse_envelope(value: bytes) -> Envelope:
    """Parse a record's value and check its envelope (not its `data`: that is `validate_data`)."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise EventContractError(f"the record is not JSON: {error}") from error
    _run(_ENVELOPE, document, "")
    if document["source"] != f"/meridian/{document['region']}":
        raise EventContractError("the source and the region do not agree", "/source")
    return cast("Envelope", document)


def _is_moment(text: str) -> bool:
    return _MOMENT.fullmatch(text) is not None and _exists(datetime.fromisoformat, text)


def _is_day(text: str) -> bool:
    return _DAY.fullmatch(text) is not None and _exists(date.fromisoformat, text)


def _exists(parse: Callable[[str], object], text: str) -> bool:
    """Whether the calendar has it: 2026-02-30 only looks right."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _compile(schema: Mapping[str, Any]) -> Validator:
    # Under draft 4 an integer is an integer; from draft 6 on 19.0 is one too, and amounts are never floats.
    strict = {**schema, "$schema": "http://json-schema.org/draft-04/schema#"}
    formats = {"date-time": _is_moment, "date": _is_day}
    return cast("Validator", fastjsonschema.compile(strict, formats=formats, use_default=False))


@functools.cache
def _validator(name: str, version: int, *, is_reader: bool) -> Validator:
    schema = _TYPES[name, version].schema
    return _compile(_tolerant(schema) if is_reader else schema)


def _tolerant(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without `additionalProperties: false`, at every depth."""

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("additionalProperties") is False:
                del node["additionalProperties"]
            for child in node.values():
                walk(child)

    tolerant = copy.deepcopy(dict(schema))
    walk(tolerant)
    return tolerant


def _run(validate: Validator, document: Any, prefix: str) -> None:
    try:
        validate(document)
    except fastjsonschema.JsonSchemaValueException as error:
        pointer = "".join(f"/{part}" for part in [*error.path[1:], *_named(error)])
        # The message never repeats the value: it may be personal.
        rule = "is missing" if error.rule == "required" else f"breaks {error.rule} {error.rule_definition}"
        raise EventContractError(f"{prefix}{pointer or '/'} {rule}", pointer) from None


def _named(error: fastjsonschema.JsonSchemaValueException) -> list[str]:
    """The field that is missing or too many, where the validator only points to its parent."""
    if error.rule == "required":
        return [name for name in error.rule_definition if name not in error.value][:1]
    if error.rule == "additionalProperties":
        return sorted(set(error.value) - set(error.definition["properties"]))[:1]
    return []


_ENVELOPE: Final = _compile(_ENVELOPE_SCHEMA)
