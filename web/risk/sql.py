"""Features as PostgreSQL: one statement that reads them all from the outbox, in the snapshot that it names. Pure."""

from regions.features import ZERO_WHEN_EMPTY, Aggregate, Entity, Feature, FeatureSet

# What the statement returns besides the features, in front of them.
MOMENT_COLUMNS = ("as_of", "snapshot")

_AND_THEN = ",\n"


def compile_features(features: FeatureSet) -> str:
    """A SELECT of one row: `as_of`, `snapshot`, then every feature in order, NULL where it has no value.

    Parameters: one per entity (NULL when it is not known), `livemode`, and `match_<column>` for what features match.
    """
    entities = [entity for entity in Entity if features.of(entity)]
    parts = [
        "moment AS MATERIALIZED (SELECT clock_timestamp() AS as_of, pg_current_snapshot()::text AS snapshot)",
        *(_aggregates(entity, features) for entity in entities),
    ]
    columns = ["m.as_of", "m.snapshot", *(f"{_value(feature)} AS {feature.name}" for feature in features.features)]
    joined = "".join(f"\n  CROSS JOIN of_{entity.value}" for entity in entities)
    return f"WITH {_AND_THEN.join(parts)}\nSELECT {', '.join(columns)}\n  FROM moment AS m{joined}"


def match_columns(features: FeatureSet) -> tuple[str, ...]:
    """The columns of the decision that some feature matches, each a parameter `match_<column>`."""
    return tuple(sorted({column for feature in features.features for column in feature.match}))


def _aggregates(entity: Entity, features: FeatureSet) -> str:
    """One row per statement: LEFT JOIN, so that no events make one row of nothing."""
    declared = features.of(entity)
    window = max(feature.window_seconds for feature in declared)
    columns = ",\n    ".join(f"{_aggregate(feature)} AS {feature.name}" for feature in declared)
    return f"""of_{entity.value} AS (
  SELECT {columns}
    FROM moment AS m
    LEFT JOIN LATERAL risk_events('{entity.value}', %({entity.value})s::text, %(livemode)s::boolean,
                                  m.as_of - {_interval(window)}, {_interval(features.attribution_seconds)}) AS e
      ON e.time < m.as_of
   GROUP BY m.as_of)"""  # noqa: S608 - names are checked when declared


def _aggregate(feature: Feature) -> str:
    match feature.aggregate:
        case Aggregate.COUNT:
            call = "count(*)"
        case Aggregate.COUNT_DISTINCT:
            call = f"count(DISTINCT e.data->>'{feature.column}')"
        case Aggregate.SUM | Aggregate.MAX:
            call = f"{feature.aggregate.value}((e.data->>'{feature.column}')::bigint)"
        case Aggregate.SECONDS_SINCE_FIRST:
            call = "min(e.time)"
        case Aggregate.SECONDS_SINCE_LAST:
            call = "max(e.time)"
    return f"{call} FILTER (WHERE {' AND '.join(_conditions(feature))})"


def _conditions(feature: Feature) -> list[str]:
    return [
        f"e.type IN ({_texts(feature.events)})",
        f"e.time >= m.as_of - {_interval(feature.window_seconds)}",
        *(f"e.data->>'{column}' IN ({_texts(values)})" for column, values in feature.where.items()),
        *(f"e.data->>'{column}' = %(match_{column})s::text" for column in feature.match),
    ]


def _value(feature: Feature) -> str:
    """The feature itself: whole seconds, rounded down; NULL for an unknown entity."""
    found = f"of_{feature.entity.value}.{feature.name}"
    if feature.aggregate in ZERO_WHEN_EMPTY:
        found = f"coalesce({found}, 0)"
    elif feature.aggregate is not Aggregate.MAX:
        found = f"floor(extract(epoch FROM m.as_of - {found}))"
    return f"CASE WHEN %({feature.entity.value})s::text IS NOT NULL THEN {found}::bigint END"


def _interval(seconds: int) -> str:
    return f"interval '{seconds} seconds'"


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join("'" + value.replace("'", "''").replace("%", "%%") + "'" for value in values)
