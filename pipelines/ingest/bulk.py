"""Parsing in bulk: DuckDB proves events valid, many at a time, and hands them over as columns.

A record is proven when it equals, byte for byte, what `envelope_json` makes of the fields that were read from it, and
its data matches the pattern of its type (`regions.event_patterns`), which is narrower than the contract. What is not
proven goes to `parse.sort_records`, one by one: the two never disagree, only the quick one may not know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.ingest.parse import VALUE_BYTES_MAX
from pipelines.ingest.records import Chunk, Record
from regions import events
from regions.event_patterns import MOMENT, UnprovableError, data_pattern
from regions.promoted import PROMOTED, Promoted

_SQL_TYPES = {"string": "VARCHAR", "long": "BIGINT"}
_ENVELOPE = {
    **dict.fromkeys(("id", "type", "time", "merchant_id", "correlation_id"), "VARCHAR"),
    "livemode": "BOOLEAN",
    "sequence": "BIGINT",
    "schema_version": "INTEGER",
    "pii": {"subject": "VARCHAR", "ciphertext": "VARCHAR", "retention_class": "VARCHAR"},
    "xid": "BIGINT",
    "data": {name: _SQL_TYPES[column.type] for name, column in PROMOTED.items()},
}
_FIELDS = ", ".join(
    [f"e.{name} AS {name}" for name, kind in _ENVELOPE.items() if isinstance(kind, str)]
    + ["e.pii.subject AS pii_subject", "e.pii.ciphertext AS pii_ciphertext", "e.pii.retention_class AS pii_class"]
    + [f"e.data.{name} AS data_{name}" for name in PROMOTED]
)
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_PLAIN = r'[^"\\\x00-\x1f]'
_SEALED_PATTERN = rf'\{{"subject": "{_PLAIN}+", "ciphertext": "{_PLAIN}+", "retention_class": "{_PLAIN}+"\}}'
# MATERIALIZED, or DuckDB computes what stands behind a name again for every use of it.
_TEMPLATE = """
WITH parsed AS MATERIALIZED (
  SELECT row, topic, partition, subject, position, value, {fields} FROM (SELECT *, {read} AS e FROM records)),
framed AS MATERIALIZED (
  SELECT parsed.*, family,
    concat('{{"specversion":"1.0","id":"', id, '","type":"', parsed.type, '","source":"/meridian/{region}","subject":"',
      subject, '","time":"', time, '","datacontenttype":"application/json","region":"{region}","merchant_id":"',
      merchant_id, '","livemode":', livemode, ',"sequence":', sequence, ',"schema_version":', schema_version,
      ',"correlation_id":', CASE WHEN correlation_id IS NULL THEN 'null' ELSE concat('"', correlation_id, '"') END,
      ',"data":') AS head,
    CASE WHEN pii_subject IS NOT NULL THEN concat('{{"subject": "', pii_subject, '", "ciphertext": "', pii_ciphertext,
      '", "retention_class": "', pii_class, '"}}') END AS pii,
    concat(',"pii":', coalesce(pii, 'null'), ',"xid":', coalesce(CAST(xid AS VARCHAR), 'null'), '}}') AS tail,
    substr(value, length(head) + 1, length(value) - length(head) - length(tail)) AS data
  FROM parsed JOIN kinds ON kinds.type = parsed.type AND version = schema_version AND kinds.topic = parsed.topic
  WHERE sequence >= 1 AND (xid IS NULL OR xid >= 1))
SELECT row, id AS event_id, type, family, subject, sequence, merchant_id, livemode,
  TRY_CAST(left(time, 26) AS TIMESTAMP) AS time, schema_version, correlation_id, data, pii, '{region}' AS region,
  topic AS kafka_topic, partition AS kafka_partition, position, xid{promoted}
FROM framed
WHERE starts_with(value, head) AND ends_with(value, tail)
  AND regexp_full_match(id, {uuid}) AND regexp_full_match(time, {moment})
  AND regexp_full_match(merchant_id, {name}) AND length(merchant_id) <= {name_max}
  AND regexp_full_match(subject, {name}) AND length(subject) <= {name_max}
  AND (correlation_id IS NULL OR regexp_full_match(correlation_id, {text}))
  AND (pii IS NULL OR regexp_full_match(pii, {pii}) AND greatest(length(pii_subject), length(pii_class)) <= {name_max})
  AND CASE {proofs} ELSE false END
"""
_NAME_MAX = 255


class Proven(NamedTuple):
    """Events as columns, without what the commit adds; and the records of which nothing was proven."""

    events: pa.Table
    unproven: list[Record]


class BulkParser:
    """One region's parser; a connection of its own, so one thread at a time."""

    def __init__(self, region: str, threads: int = 1) -> None:
        self._region = region
        self._connection = duckdb.connect(config={"threads": threads, "arrow_large_buffer_size": True})
        self._connection.execute("CREATE TABLE kinds (type VARCHAR, version INTEGER, family VARCHAR, topic VARCHAR)")
        self._sql = self._compile("from_json(value, {})")
        self._careful_sql = self._compile("CASE WHEN json_valid(value) THEN from_json(value, {}) END")

    def _compile(self, read: str) -> str:
        self._connection.execute("DELETE FROM kinds")
        proofs = []
        for kind in events.versions():
            try:
                pattern = data_pattern(kind.schema)
            except UnprovableError:
                continue
            row = (kind.name, kind.version, kind.family, events.topic(self._region, kind.family))
            self._connection.execute("INSERT INTO kinds VALUES (?, ?, ?, ?)", row)
            which = f"type = {_literal(kind.name)} AND schema_version = {kind.version:d}"
            proofs.append(f"WHEN {which} THEN regexp_full_match(data, {_literal(pattern)})")
        return _TEMPLATE.format(
            read=read.format(_literal(json.dumps(_ENVELOPE))),
            region=self._region,
            fields=_FIELDS,
            uuid=_literal(_UUID),
            moment=_literal(MOMENT),
            name=_literal(f"{_PLAIN}+"),
            name_max=_NAME_MAX,
            text=_literal(f"{_PLAIN}*"),
            pii=_literal(_SEALED_PATTERN),
            proofs=" ".join(proofs),
            promoted="".join(f", {_promoted(column)} AS {column.name}" for column in PROMOTED.values()),
        )

    def prove(self, chunks: Sequence[Chunk]) -> Proven:
        """Sort the records of some chunks into proven events and the rest; nothing is dropped."""
        records = _records(chunks)
        found = self._run(records)
        is_unproven = np.ones(records.num_rows, dtype=bool)
        is_unproven[found["row"].to_numpy()] = False
        ends = np.cumsum([len(chunk) for chunk in chunks])
        unproven = []
        for row in np.flatnonzero(is_unproven).tolist():
            place = int(np.searchsorted(ends, row, side="right"))
            unproven.append(chunks[place].record(row - int(ends[place]) + len(chunks[place])))
        return Proven(found.drop_columns(["row"]), unproven)

    def _run(self, records: pa.Table) -> pa.Table:
        self._connection.register("records", records)
        try:
            return self._connection.sql(self._sql).to_arrow_table()
        except duckdb.InvalidInputException:  # something is not JSON: look before each leap, which costs a parse more
            return self._connection.sql(self._careful_sql).to_arrow_table()
        finally:
            self._connection.unregister("records")


def _records(chunks: Sequence[Chunk]) -> pa.Table:
    """What DuckDB reads. Without key or value, or too large: NULL, which proves nothing."""
    values: list[bytes | None] = []
    for chunk in chunks:
        values += chunk.values
    if max(map(len, filter(None, values)), default=0) > VALUE_BYTES_MAX:
        values = [value if value is None or len(value) <= VALUE_BYTES_MAX else None for value in values]
    sizes = [len(chunk) for chunk in chunks]
    topics = pa.array([chunk.topic for chunk in chunks], pa.string())
    return pa.table(
        {
            "row": np.arange(len(values)),
            "topic": topics.take(pa.array(np.repeat(np.arange(len(chunks)), sizes))),
            "partition": pa.array(np.repeat(np.array([chunk.partition for chunk in chunks], np.int32), sizes)),
            "subject": _texts([key for chunk in chunks for key in chunk.keys]),
            "position": _texts([position for chunk in chunks for position in chunk.positions]),
            "value": _texts(values),
        }
    )


def _texts(values: list[bytes | None] | list[bytes]) -> pa.Array:
    """Bytes as text, NULL where they are no UTF-8."""
    try:
        return pa.array(values, pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:
        return pa.array([value if _is_text(value) else None for value in values], pa.large_binary()).cast(
            pa.large_string()
        )


def _is_text(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _promoted(column: Promoted) -> str:
    families = ", ".join(_literal(family) for family in sorted(column.families))
    return f"CASE WHEN family IN ({families}) THEN data_{column.name} END"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
