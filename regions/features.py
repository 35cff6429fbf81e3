"""Fraud features as data: `contracts/features.toml`, read whole and judged. Both halves compile what this returns.

What a file says that is not known here, or not in the contracts of the events that it names, is a ConfigurationError
that names the file and the field.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from regions.contract_files import CONTRACTS
from regions.events import event_type
from regions.residency import ResidencyClass
from regions.toml_reader import TomlReader

FEATURES_FILE: Final = CONTRACTS / "features.toml"
ASSESSED: Final = "risk.assessed"
# The events that checkout can look up by entity (web/db/migrations, revision 0002). All are about a payment.
EVENT_TYPES: Final = (ASSESSED, "payment.requires_action", "payment.succeeded", "payment.failed")
WINDOW_SECONDS_MAX: Final = 30 * 86_400
MERCHANT_WINDOW_SECONDS_MAX: Final = 3_600

_NAME: Final = r"[a-z][a-z0-9_]{2,62}"
_DURATION: Final = r"[1-9][0-9]{0,3}[smhd]"
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Entity(StrEnum):
    """Whose events a feature counts."""

    EMAIL = "email_token"
    CARD = "card_token"
    DEVICE = "device_token"
    IP = "ip_token"
    LINK = "link"
    MERCHANT = "merchant"


TOKENS: Final = (Entity.EMAIL, Entity.CARD, Entity.DEVICE, Entity.IP)


class Aggregate(StrEnum):
    """What a feature makes of the events."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    MAX = "max"
    SECONDS_SINCE_FIRST = "seconds_since_first"
    SECONDS_SINCE_LAST = "seconds_since_last"


_OF_INTEGERS: Final = {Aggregate.SUM, Aggregate.MAX}
_OF_A_COLUMN: Final = {*_OF_INTEGERS, Aggregate.COUNT_DISTINCT}
# What these make of no events is 0; the others make nothing of nothing.
ZERO_WHEN_EMPTY: Final = frozenset({Aggregate.COUNT, Aggregate.COUNT_DISTINCT, Aggregate.SUM})


@dataclass(frozen=True, slots=True)
class Feature:
    """One declared feature. `where` and `match` name columns of the events' data."""

    name: str
    description: str
    entity: Entity
    events: tuple[str, ...]
    aggregate: Aggregate
    column: str | None
    window_seconds: int
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    match: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """All features, in the order of the file. `version` changes with whatever may change a value."""

    features: tuple[Feature, ...]
    attribution_seconds: int
    version: str

    def of(self, entity: Entity) -> tuple[Feature, ...]:
        """The features of one entity."""
        return tuple(feature for feature in self.features if feature.entity is entity)

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature's name."""
        return tuple(feature.name for feature in self.features)


@cache
def feature_set(path: Path = FEATURES_FILE) -> FeatureSet:
    """Read and judge the declarations. Raises ConfigurationError naming the file and the field."""
    top = TomlReader.open(path)
    attribution_seconds = _seconds(top, "attribution", WINDOW_SECONDS_MAX)
    table = top.table("features")
    names = table.names()
    if not names:
        top.refuse("features", "declares no feature")
    features = tuple(_feature(name, table.table(_checked_name(table, name))) for name in names)
    table.finish()
    top.finish()
    return FeatureSet(features, attribution_seconds, _version(features, attribution_seconds))


def columns_of(type_name: str) -> Mapping[str, Mapping[str, Any]]:
    """The fields of an event's data, by name, as its contract describes them."""
    properties: Mapping[str, Mapping[str, Any]] = event_type(type_name).schema["properties"]
    return properties


def _feature(name: str, table: TomlReader) -> Feature:
    entity = Entity(table.text("entity", choices=list(Entity)))
    events = table.texts("events", choices=EVENT_TYPES)
    aggregate = Aggregate(table.text("aggregate", choices=list(Aggregate)))
    if entity is Entity.LINK:
        _check_columns(table, "entity", ["link_id"], events, {"string"})
    match = table.texts("match") if table.has("match") else ()
    _check_columns(table, "match", match, (*events, ASSESSED), {"string"})
    found = Feature(
        name=name,
        description=table.text("description"),
        entity=entity,
        events=events,
        aggregate=aggregate,
        column=_column(table, aggregate, events, match),
        window_seconds=_window(table, entity),
        where=_where(table, events),
        match=match,
    )
    table.finish()
    return found


def _column(table: TomlReader, aggregate: Aggregate, events: Collection[str], match: Collection[str]) -> str | None:
    if aggregate not in _OF_A_COLUMN:
        if table.has("column"):
            table.refuse("column", f"is not for {aggregate.value}, which takes whole events")
        return None
    column = table.text("column")
    _check_columns(table, "column", [column], events, {"integer"} if aggregate in _OF_INTEGERS else {"string"})
    if column.endswith("_minor") and "currency" not in match:
        table.refuse("column", 'is money: amounts of different currencies do not add up, so say match = ["currency"]')
    return column


def _where(table: TomlReader, events: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    if not table.has("where"):
        return MappingProxyType({})
    inner = table.table("where")
    names = inner.names()
    _check_columns(table, "where", names, events, {"string"})
    for name in names:
        if any(columns_of(event)[name]["x-residency"] == ResidencyClass.PII.value for event in events):
            inner.refuse(name, "is personal data: a declaration names no person")
    where = {name: inner.texts(name) for name in names}
    inner.finish()
    return MappingProxyType(where)


def _check_columns(
    table: TomlReader, name: str, columns: Collection[str], events: Collection[str], kinds: Collection[str]
) -> None:
    for column in columns:
        for event in events:
            found = columns_of(event).get(column)
            if found is None:
                table.refuse(name, f"needs the column {column!r}, which {event} does not have")
            if found["type"] not in kinds:
                table.refuse(name, f"needs {' or '.join(kinds)}, and {column!r} of {event} is {found['type']}")


def _window(table: TomlReader, entity: Entity) -> int:
    return _seconds(table, "window", MERCHANT_WINDOW_SECONDS_MAX if entity is Entity.MERCHANT else WINDOW_SECONDS_MAX)


def _seconds(table: TomlReader, name: str, seconds_max: int) -> int:
    text = table.text(name, pattern=_DURATION)
    seconds = int(text[:-1]) * _UNITS[text[-1]]
    if seconds > seconds_max:
        table.refuse(name, f"is {text}, longer than {seconds_max} seconds")
    return seconds


def _checked_name(table: TomlReader, name: str) -> str:
    if not re.fullmatch(_NAME, name):
        table.refuse(name, f"does not have the form {_NAME}")
    return name


def _version(features: Collection[Feature], attribution_seconds: int) -> str:
    """16 hexadecimal digits over everything but descriptions."""
    said = [{**_plain(feature), "description": ""} for feature in features]
    text = json.dumps([attribution_seconds, said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(feature: Feature) -> dict[str, Any]:
    return {name: getattr(feature, name) for name in feature.__slots__} | {"where": dict(feature.where)}
