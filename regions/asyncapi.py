"""The region's topics as an AsyncAPI 3 document, made from the event contracts. Pure."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from regions import events
from regions.contract_files import EventType, Family

VERSION: Final = "3.0.0"
_KAFKA_BINDING: Final = "0.5.0"
_AT: Final = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
_POSITION: Final = {"type": "string", "pattern": r"^\d+:\d+:\d+$"}
_STAMP: Final = {"position": "000001:000000000815:000000000042", "after": "000001:000000000815:000000000017"}


def document(region: str) -> dict[str, Any]:
    """What a reader of the region's topics can rely on: channels, messages with their keys and headers, schemas."""
    families = events.topics(region)
    types = events.versions()
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"Meridian events, region {region}",
            "version": "1.0.0",
            "description": "Facts about links, checkout, payments and books, in each object's order, at least once. "
            "`x-residency` is the class of a field: exportable, regional or pii. `pii` is ciphertext.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {family.name: _channel(topic, family, types) for topic, family in families.items()},
        "operations": {family.name: _operation(family, types) for family in families.values()},
        "components": {
            "messages": {_name(found): _message(region, found) for found in types},
            "schemas": {
                "envelope": events.envelope_schema(),
                **{_name(found): {"title": _name(found), **copy.deepcopy(dict(found.schema))} for found in types},
            },
        },
    }


def _name(found: EventType) -> str:
    return f"{found.name}.v{found.version}"


def _of(family: Family, types: tuple[EventType, ...]) -> list[EventType]:
    return [found for found in types if found.family == family.name]


def _channel(topic: str, family: Family, types: tuple[EventType, ...]) -> dict[str, Any]:
    return {
        "address": topic,
        "description": family.description,
        "messages": {_name(found): {"$ref": f"#/components/messages/{_name(found)}"} for found in _of(family, types)},
        "bindings": {
            "kafka": {"topic": topic, "partitions": family.partitions, "bindingVersion": _KAFKA_BINDING},
        },
        "x-owner": family.owner,
    }


def _operation(family: Family, types: tuple[EventType, ...]) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{family.name}"},
        "summary": f"{family.owner} tells: {family.description}",
        "messages": [{"$ref": f"#/channels/{family.name}/messages/{_name(found)}"} for found in _of(family, types)],
    }


def _message(region: str, found: EventType) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": f"{found.name}, version {found.version}",
        "summary": found.description,
        "contentType": "application/json",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/envelope"},
                {
                    "required": ["position", "after"],
                    "properties": {
                        "position": {**_POSITION, "description": "epoch:batch:ordinal, one order over all topics."},
                        "after": {
                            **_POSITION,
                            "description": "The position of the record before it in its partition; zeros for none.",
                        },
                        "type": {"const": found.name},
                        "schema_version": {"const": found.version},
                        "data": {"$ref": f"#/components/schemas/{_name(found)}"},
                    },
                },
            ]
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The subject: an object's id."},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
        "examples": [{"payload": _example(region, found, data)} for data in found.examples],
        "x-owner": found.owner,
    }


def _example(region: str, found: EventType, data: Mapping[str, Any]) -> dict[str, Any]:
    sealed = found.pii and {
        "subject": f"subj_{region}_06p0wz7b4hk53g6qyt8nwc2mse",
        "retention_class": found.pii.retention_class,
        "ciphertext": "AQ…",
    }
    value: dict[str, Any] = orjson.loads(
        events.envelope_json(
            event_id="019cebc2-9b05-7b1a-8c3d-5e6f70819203",
            type=found.name,
            region=region,
            subject=str(next(iter(data.values()))),
            time=_AT,
            merchant_id=f"merch_{region}_06p0wz0a4hk53g6qyt8nwc2mse",
            livemode=True,
            sequence=1,
            schema_version=found.version,
            correlation_id=f"req_{region}_06p0wz8d4hk53g6qyt8nwc2mse",
            data=data,
            pii=sealed or None,
            xid=4711,
        )
    )
    return value | _STAMP  # the relay adds it, at the value's end
