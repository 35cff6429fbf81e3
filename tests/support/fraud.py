"""Features by brute force: the declarations' meaning written down once more, slowly, in Python."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from regions.features import ASSESSED, TOKENS, Aggregate, Entity, Feature, FeatureSet


@dataclass(frozen=True)
class Told:
    """One committed event, as the outbox tells it."""

    event_id: str
    type: str
    subject: str
    sequence: int
    merchant_id: str
    livemode: bool
    time: datetime
    xid: int
    data: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Asked:
    """One decision: who asked, when, in which snapshot (`visible` are the transactions that it saw) and as whom."""

    merchant_id: str
    livemode: bool
    as_of: datetime
    visible: frozenset[int]
    own_xid: int | None
    entities: dict[str, str | None]
    matched: dict[str, str]


def oracle(declared: FeatureSet, asked: Asked, told: Sequence[Told]) -> dict[str, int | None]:
    return {feature.name: _value(feature, declared, asked, told) for feature in declared.features}


def _value(feature: Feature, declared: FeatureSet, asked: Asked, told: Sequence[Told]) -> int | None:
    wanted = asked.entities[feature.entity.value]
    if wanted is None:
        return None
    window = timedelta(seconds=feature.window_seconds)
    seen = [e for e in told if e.xid in asked.visible and e.xid != asked.own_xid]
    found = [
        e
        for e in seen
        if e.merchant_id == asked.merchant_id
        and e.livemode == asked.livemode
        and e.type in feature.events
        and asked.as_of - window <= e.time < asked.as_of
        and wanted == _entity(feature.entity, e, seen, timedelta(seconds=declared.attribution_seconds))
        and all(e.data.get(column) in values for column, values in feature.where.items())
        and all(e.data.get(column) == asked.matched[column] for column in feature.match)
    ]
    values = [e.data[feature.column] for e in found if feature.column in e.data] if feature.column else []
    ages = [(asked.as_of - e.time) // timedelta(seconds=1) for e in found]
    answers: dict[Aggregate, int | None] = {
        Aggregate.COUNT: len(found),
        Aggregate.COUNT_DISTINCT: len(set(values)),
        Aggregate.SUM: sum(values) if feature.aggregate is Aggregate.SUM else None,
        Aggregate.MAX: max(values, default=None),
        Aggregate.SECONDS_SINCE_FIRST: max(ages, default=None),
        Aggregate.SECONDS_SINCE_LAST: min(ages, default=None),
    }
    return answers[feature.aggregate]


def _entity(entity: Entity, event: Told, seen: Sequence[Told], attribution: timedelta) -> str | None:
    if entity is Entity.MERCHANT:
        return event.merchant_id
    if entity is Entity.LINK:
        return event.data.get("link_id")
    assert entity in TOKENS
    before = [e for e in seen if e.subject == event.subject and e.type == ASSESSED and e.sequence <= event.sequence]
    if not before:
        return None
    assessment = max(before, key=lambda e: e.sequence)
    return assessment.data.get(entity.value) if event.time < assessment.time + attribution else None
