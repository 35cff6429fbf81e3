"""Features as DuckDB: every decision of a relation of events again, from what its snapshot had seen. Pure.

The relation is the lake's `events` (event_id, type, subject, sequence, merchant_id, livemode, time, xid, data).
An event counts for a decision if it is of the same merchant and mode, if its transaction is visible in the decision's
snapshot and not the decision's own, and if its time is in [as_of - window, as_of). Times are compared as microseconds.
"""

from datetime import datetime

from regions.features import ASSESSED, EVENT_TYPES, TOKENS, ZERO_WHEN_EMPTY, Aggregate, Entity, Feature, FeatureSet

# What the statement returns besides the features, in front of them.
DECISION_COLUMNS = ("event_id", "payment_id", "merchant_id", "livemode", "as_of", "data")

_MICROSECONDS = 1_000_000
_AND_THEN = ",\n"
_ENTITY_COLUMN = {Entity.LINK: "link_id", Entity.MERCHANT: "merchant_id"}


def compile_history(features: FeatureSet, relation: str, between: tuple[datetime, datetime] | None = None) -> str:
    """A SELECT of one row per decision in `relation`: DECISION_COLUMNS, then every feature in order.

    `between` takes only decisions made from its first moment on and before its second.
    """
    entities = [entity for entity in Entity if features.of(entity)]
    parts = [
        _facts(features, relation),
        _decisions(features, between),
        *(_aggregates(entity, features) for entity in entities),
    ]
    columns = [*(f"d.{name}" for name in DECISION_COLUMNS), *(f"{_value(f)} AS {f.name}" for f in features.features)]
    joined = "".join(f"\n  LEFT JOIN of_{entity.value} USING (event_id)" for entity in entities)
    return f"WITH {_AND_THEN.join(parts)}\nSELECT {', '.join(columns)}\n  FROM decisions AS d{joined}"


def _facts(features: FeatureSet, relation: str) -> str:
    """One row per event that may count, under the tokens of its payment's last assessment."""
    tokens = ",\n         ".join(
        f"CASE WHEN at_us < assessed_us + {features.attribution_seconds * _MICROSECONDS}"
        f" THEN assessed->>'{token.value}' END AS {token.value}"
        for token in TOKENS
    )
    return f"""told AS (
  SELECT event_id, type, subject, sequence, merchant_id, livemode, xid, data::JSON AS data, epoch_us("time") AS at_us
    FROM {relation}
   WHERE type IN ({_texts(EVENT_TYPES)})),
attributed AS (
  SELECT *,
         last_value(CASE WHEN type = '{ASSESSED}' THEN data END IGNORE NULLS) OVER of_payment AS assessed,
         last_value(CASE WHEN type = '{ASSESSED}' THEN at_us END IGNORE NULLS) OVER of_payment AS assessed_us
    FROM told
  WINDOW of_payment AS (PARTITION BY subject ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)),
facts AS (
  SELECT event_id, type, merchant_id, livemode, xid, data, at_us, data->>'link_id' AS link_id,
         {tokens}
    FROM attributed)"""  # noqa: S608 - names are checked when declared


def _decisions(features: FeatureSet, between: tuple[datetime, datetime] | None) -> str:
    tokens = ", ".join(f"data->>'{token.value}' AS {token.value}" for token in TOKENS)
    at_us, chosen = "epoch_us((data->>'as_of')::TIMESTAMPTZ)", ""
    if between is not None:
        since, until = (f"epoch_us(TIMESTAMPTZ '{moment.isoformat()}')" for moment in between)
        chosen = f" AND {at_us} >= {since} AND {at_us} < {until}"
    matched = "".join(f", data->>'{column}' AS match_{column}" for column in _matched(features))
    return f"""decisions AS (
  SELECT event_id, data->>'payment_id' AS payment_id, data->>'link_id' AS link_id, merchant_id, livemode, xid, data,
         data->>'as_of' AS as_of, {at_us} AS as_of_us,
         {tokens}{matched},
         split_part(data->>'snapshot', ':', 2)::BIGINT AS xmax,
         list_transform(list_filter(string_split(split_part(data->>'snapshot', ':', 3), ','), lambda x: x <> ''),
                        lambda x: x::BIGINT) AS under_way
    FROM told
   WHERE type = '{ASSESSED}'{chosen})"""  # noqa: S608 - names are checked when declared


def _matched(features: FeatureSet) -> tuple[str, ...]:
    return tuple(sorted({column for feature in features.features for column in feature.match}))


def _aggregates(entity: Entity, features: FeatureSet) -> str:
    declared = features.of(entity)
    window = max(feature.window_seconds for feature in declared)
    columns = ",\n         ".join(f"{_aggregate(feature)} AS {feature.name}" for feature in declared)
    column = _ENTITY_COLUMN.get(entity, entity.value)
    same = " AND ".join(f"f.{name} = d.{name}" for name in dict.fromkeys(["merchant_id", "livemode", column]))
    # An event of before transactions were told was committed long before any decision.
    return f"""of_{entity.value} AS (
  SELECT d.event_id,
         {columns}
    FROM decisions AS d
    JOIN facts AS f ON {same} AND f.at_us < d.as_of_us AND f.at_us >= d.as_of_us - {window * _MICROSECONDS}
   WHERE f.xid IS DISTINCT FROM d.xid
     AND coalesce(f.xid < d.xmax AND NOT list_contains(d.under_way, f.xid), true)
   GROUP BY d.event_id)"""  # noqa: S608 - names are checked when declared


def _aggregate(feature: Feature) -> str:
    match feature.aggregate:
        case Aggregate.COUNT:
            call = "count(*)"
        case Aggregate.COUNT_DISTINCT:
            call = f"count(DISTINCT f.data->>'{feature.column}')"
        case Aggregate.SUM | Aggregate.MAX:
            call = f"{feature.aggregate.value}((f.data->>'{feature.column}')::BIGINT)"
        case Aggregate.SECONDS_SINCE_FIRST:
            call = "max(d.as_of_us - f.at_us)"
        case Aggregate.SECONDS_SINCE_LAST:
            call = "min(d.as_of_us - f.at_us)"
    return f"{call} FILTER (WHERE {' AND '.join(_conditions(feature))})"


def _conditions(feature: Feature) -> list[str]:
    return [
        f"f.type IN ({_texts(feature.events)})",
        f"f.at_us >= d.as_of_us - {feature.window_seconds * _MICROSECONDS}",
        *(f"f.data->>'{column}' IN ({_texts(values)})" for column, values in feature.where.items()),
        *(f"f.data->>'{column}' = d.match_{column}" for column in feature.match),
    ]


def _value(feature: Feature) -> str:
    """The feature itself: whole seconds, rounded down; NULL for an unknown entity."""
    found = f"of_{feature.entity.value}.{feature.name}"
    if feature.aggregate in ZERO_WHEN_EMPTY:
        found = f"coalesce({found}, 0)"
    elif feature.aggregate is not Aggregate.MAX:
        found = f"({found} // {_MICROSECONDS})"
    column = _ENTITY_COLUMN.get(feature.entity, feature.entity.value)
    return f"CASE WHEN d.{column} IS NOT NULL THEN {found}::BIGINT END"


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
