"""Parsing in bulk: RE2 proves events valid, many at a time, and DuckDB hands them over as columns.

A record is proven when its value matches, whole, the pattern of its type: the envelope as `envelope_json` writes it,
around the pattern of its data (`regions.event_patterns`), which is narrower than the contract. Such a text is one JSON
object with each field once and no escapes around them, so what DuckDB reads from it is what stands there. What is not
proven goes to `parse.sort_records`, one by one: the two never disagree, only the quick one may not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ingest.parse import VALUE_BYTES_MAX
from pipelines.ingest.records import Chunk, Record
from pipelines.stamps import STAMP_BYTES, WIDTHS
from regions import events
from regions.event_patterns import MOMENT, UnprovableError, data_pattern
from regions.promoted import PROMOTED, Promoted

_SQL_TYPES = {"string": "VARCHAR", "long": "BIGINT"}
_ENVELOPE = {
    **dict.fromkeys(("id", "type", "subject", "time", "merchant_id", "correlation_id"), "VARCHAR"),
    "livemode": "BOOLEAN",
    "sequence": "BIGINT",
    "schema_version": "INTEGER",
    "pii": {"subject": "VARCHAR", "ciphertext": "VARCHAR", "retention_class": "VARCHAR"},
    "xid": "BIGINT",
    "data": {name: _SQL_TYPES[column.type] for name, column in PROMOTED.items()},
}
_FIELDS = ", ".join(
    [f"e.{name} AS e_{name}" for name, kind in _ENVELOPE.items() if isinstance(kind, str)]
    + ["e.pii.subject AS pii_subject", "e.pii.ciphertext AS pii_ciphertext", "e.pii.retention_class AS pii_class"]
    + [f"e.data.{name} AS data_{name}" for name in PROMOTED]
)
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_PLAIN = r'[^"\\\x00-\x1f]'
_NUMBER = "[1-9][0-9]{0,17}"
_SEALED = rf'\{{"subject": "{_PLAIN}+", "ciphertext": "{_PLAIN}+", "retention_class": "{_PLAIN}+"\}}'
_PLACE = ":".join(rf"\d{{{width}}}" for width in WIDTHS)
_STAMP = rf',"position":"{_PLACE}","after":"{_PLACE}"'
_VALUE = (
    rf'^\{{"specversion":"1\.0","id":"{_UUID}","type":"<type>","source":"/meridian/<region>","subject":"{_PLAIN}+",'
    rf'"time":"{MOMENT}","datacontenttype":"application/json","region":"<region>","merchant_id":"{_PLAIN}+",'
    rf'"livemode":(?:true|false),"sequence":{_NUMBER},"schema_version":<version>,'
    rf'"correlation_id":(?:null|"{_PLAIN}*"),"data":<data>,"pii":(?:null|{_SEALED}),"xid":(?:null|{_NUMBER})(?:{_STAMP})?\}}$'
)
# What stands before and behind `data`, counted: the parts that are the same for all, and those that are not.
_HEAD = (
    '{"specversion":"1.0","id":"","type":"","source":"/meridian/","subject":"","time":"",'
    '"datacontenttype":"application/json","region":"","merchant_id":"","livemode":,"sequence":,"schema_version":,'
    '"correlation_id":,"data":'
)
_TAIL = ',"pii":,"xid":}'
# MATERIALIZED, or DuckDB computes what stands behind a name again for every use of it.
_TEMPLATE = """
WITH parsed AS MATERIALIZED (
  SELECT row, topic, partition, subject, position, value, {fields} FROM (SELECT *, {read} AS e FROM records)),
framed AS MATERIALIZED (
  SELECT parsed.*, kind, family,
    CASE WHEN pii_subject IS NOT NULL THEN concat('{{"subject": "', pii_subject, '", "ciphertext": "', pii_ciphertext,
      '", "retention_class": "', pii_class, '"}}') END AS pii,
    {head} + length(e_id) + length(e_type) + length(subject) + length(e_time) + length(e_merchant_id)
      + CASE WHEN e_livemode THEN 4 ELSE 5 END + length(CAST(e_sequence AS VARCHAR))
      + length(CAST(e_schema_version AS VARCHAR)) + coalesce(length(e_correlation_id) + 2, 4) AS head,
    {tail} + coalesce(length(pii), 4) + coalesce(length(CAST(e_xid AS VARCHAR)), 4)
      + CASE WHEN suffix(value, '"}}') THEN {stamp} ELSE 0 END AS tail
  FROM parsed JOIN kinds ON kinds.type = e_type AND version = e_schema_version AND kinds.topic = parsed.topic
  WHERE e_subject = subject AND length(subject) <= {name_max} AND length(e_merchant_id) <= {name_max}
    AND (pii_subject IS NULL OR greatest(length(pii_subject), length(pii_class)) <= {name_max}))
SELECT row, kind, e_id AS event_id, e_type AS type, family, subject, e_sequence AS sequence,
  e_merchant_id AS merchant_id, e_livemode AS livemode, TRY_CAST(left(e_time, 26) AS TIMESTAMP) AS time,
  e_schema_version AS schema_version, e_correlation_id AS correlation_id,
  substr(value, head + 1, length(value) - head - tail) AS data, pii, '{region}' AS region, topic AS kafka_topic,
  partition AS kafka_partition, position, e_xid AS xid{promoted}
FROM framed
"""
_NAME_MAX = 255


Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Proven(NamedTuple):
    """Events as columns, without what the commit adds; and the records of which nothing was proven."""

    events: pa.Table
    unproven: list[Record]


class BulkParser:
    """One region's parser; a connection of its own, so one thread at a time."""

    def __init__(self, region: str, threads: int = 1) -> None:
        self._region = region
        self._connection = duckdb.connect(config={"threads": threads, "arrow_large_buffer_size": True})
        self._connection.execute(
            "CREATE TABLE kinds (kind INTEGER, type VARCHAR, version INTEGER, family VARCHAR, topic VARCHAR)"
        )
        self._patterns = self._learn_kinds()
        self._sql = self._compile("from_json(value, {})")
        self._careful_sql = self._compile("CASE WHEN json_valid(value) THEN from_json(value, {}) END")

    def _learn_kinds(self) -> list[str]:
        """The pattern of a whole record, for every kind of event whose data a pattern can say."""
        patterns: list[str] = []
        for kind in events.versions():
            try:
                data = data_pattern(kind.schema)
            except UnprovableError:
                continue
            topic = events.topic(self._region, kind.family)
            row = (len(patterns), kind.name, kind.version, kind.family, topic)
            self._connection.execute("INSERT INTO kinds VALUES (?, ?, ?, ?, ?)", row)
            fixed = {"<type>": re.escape(kind.name), "<region>": self._region, "<version>": str(kind.version)}
            pattern = _VALUE
            for name, text in (*fixed.items(), ("<data>", data)):
                pattern = pattern.replace(name, text)
            patterns.append(pattern)
        return patterns

    def _compile(self, read: str) -> str:
        return _TEMPLATE.format(
            read=read.format(_literal(json.dumps(_ENVELOPE))),
            region=self._region,
            fields=_FIELDS,
            head=len(_HEAD) + 2 * len(self._region),
            tail=len(_TAIL),
            stamp=STAMP_BYTES - 1,
            name_max=_NAME_MAX,
            promoted="".join(f", {_promoted(column)} AS {column.name}" for column in PROMOTED.values()),
        )

    def prove(self, chunks: Sequence[Chunk]) -> Proven:
        """Sort the records of some chunks into proven events and the rest; nothing is dropped."""
        records = _records(chunks)
        found = self._run(records)
        is_proven = self._match(records["value"], found["row"].to_numpy(), found["kind"].to_numpy())
        if not is_proven.all():
            found = found.filter(pa.array(is_proven))
        is_unproven = np.ones(records.num_rows, dtype=bool)
        is_unproven[found["row"].to_numpy()] = False
        ends = np.cumsum([len(chunk) for chunk in chunks])
        unproven = []
        for row in np.flatnonzero(is_unproven).tolist():
            place = int(np.searchsorted(ends, row, side="right"))
            unproven.append(chunks[place].record(row - int(ends[place]) + len(chunks[place])))
        return Proven(found.drop_columns(["row", "kind"]), unproven)

    def _match(self, values: pa.ChunkedArray, rows: Rows, kinds: Rows) -> Flags:
        """Whether the value of each row matches the pattern of its kind."""
        is_match = np.zeros(len(rows), dtype=bool)
        for kind in np.unique(kinds).tolist():
            places = np.flatnonzero(kinds == kind)
            is_all = len(places) == len(values)
            texts = values if is_all else values.take(pa.array(rows[places]))
            found = pc.match_substring_regex(texts, self._patterns[kind]).to_numpy()
            is_match[places] = found[rows] if is_all else found
        return is_match

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
            "position": _positions(chunks),
            "value": _texts(values),
        }
    )


def _positions(chunks: Sequence[Chunk]) -> pa.Array:
    numbers = [np.concatenate([chunk.numbers[:, column] for chunk in chunks]) for column in range(3)]
    return pc.binary_join_element_wise(*(pa.array(column).cast(pa.string()) for column in numbers), ":")


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
