"""Whether checkout and history agree: every served value, computed again from the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import orjson

from pipelines.builds.service import take_inputs
from pipelines.fraud.compile import DECISION_COLUMNS, compile_history
from regions.errors import UsageError
from regions.features import ASSESSED, FeatureSet, feature_set
from warehouse.inputs import Inputs, events_sql

if TYPE_CHECKING:
    from regions.region import Region

_FETCH_ROWS = 1000
# Checkout always knows the mailbox: an assessment without it was erased, and what it counted for can no longer be seen.
_ERASED = f"""
    SELECT merchant_id, livemode, "time" FROM events
     WHERE type = '{ASSESSED}' AND json_extract_string(data, '$.email_token') IS NULL
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A value that was served and is not what history says."""

    payment_id: str
    feature: str
    served: int | None
    recomputed: int | None

    def __str__(self) -> str:
        return f"{self.payment_id} {self.feature}: served {self.served}, history says {self.recomputed}"


@dataclass(slots=True)
class Parity:
    """What was compared. `decisions` and `values` are of the current declarations only."""

    inputs: Inputs
    features: int
    decisions: int = 0
    values: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    erased_values: int = 0  # cannot be told any more: somebody who counted was erased
    other_versions: int = 0  # decisions under other declarations

    @property
    def inputs_text(self) -> str:
        """Which events were read."""
        cut = self.inputs.cut
        return f"events snapshot {self.inputs.events.snapshot_id}" + (
            f" up to batch {cut.epoch}:{cut.batch}" if cut else ""
        )


@dataclass(frozen=True, slots=True)
class _Erased:
    """When assessments of a merchant and mode happened whose tokens are gone."""

    times: Mapping[tuple[str, bool], Sequence[datetime]]

    def touch(self, merchant_id: str, livemode: bool, since_seconds: int, as_of: datetime) -> bool:  # noqa: FBT001 - part of a key
        return any(
            0 <= (as_of - at).total_seconds() <= since_seconds for at in self.times.get((merchant_id, livemode), ())
        )


def check_parity(region: Region, env: Mapping[str, str], day: date | None, *, is_empty_fine: bool = False) -> Parity:
    """Compare every decision, or those of one accounting date, up to a relay batch that the lake has whole.

    Raises UsageError for a date without decisions (unless `is_empty_fine`), and the lake's errors.
    """
    declared = feature_set()
    inputs = take_inputs(region, env)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE VIEW events AS {events_sql(inputs)}")
        found = compare(connection, declared, inputs, None if day is None else region.day_bounds(day))
    if day is not None and not (is_empty_fine or found.decisions or found.other_versions):
        raise UsageError(f"--date {day}: the lake of {region.code} holds no decision of that day")
    return found


def compare(
    connection: duckdb.DuckDBPyConnection,
    declared: FeatureSet,
    inputs: Inputs,
    between: tuple[datetime, datetime] | None = None,
) -> Parity:
    """The same on a connection that has the view `events`."""
    result = Parity(inputs, len(declared.features))
    erased = _erased(connection)
    rows = connection.execute(compile_history(declared, "events", between))
    while page := rows.fetchmany(_FETCH_ROWS):
        for row in page:
            head = dict(zip(DECISION_COLUMNS, row, strict=False))
            data = orjson.loads(head["data"])
            if data["features_version"] != declared.version:
                result.other_versions += 1
                continue
            result.decisions += 1
            recomputed = dict(zip(declared.names, row[len(DECISION_COLUMNS) :], strict=True))
            _compare(result, declared, erased, head, data["features"], recomputed)
    return result


def _compare(
    result: Parity,
    declared: FeatureSet,
    erased: _Erased,
    head: Mapping[str, Any],
    served: Mapping[str, int],
    recomputed: Mapping[str, int | None],
) -> None:
    as_of = datetime.fromisoformat(head["as_of"])
    for feature in declared.features:
        ours, theirs = served.get(feature.name), recomputed[feature.name]
        result.values += 1
        if ours == theirs:
            continue
        reach = feature.window_seconds + declared.attribution_seconds
        is_own = "email_token" not in orjson.loads(head["data"])
        if is_own or erased.touch(head["merchant_id"], head["livemode"], reach, as_of):
            result.erased_values += 1
        else:
            result.mismatches.append(Mismatch(head["payment_id"], feature.name, ours, theirs))


def _erased(connection: duckdb.DuckDBPyConnection) -> _Erased:
    times: dict[tuple[str, bool], list[datetime]] = {}
    for merchant_id, livemode, at in connection.execute(_ERASED).fetchall():
        times.setdefault((merchant_id, livemode), []).append(at)
    return _Erased(times)
