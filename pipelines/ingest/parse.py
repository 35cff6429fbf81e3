"""From Kafka records to columns, one by one: the judge of what `bulk` cannot prove, with a reason for each refusal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from pipelines.ingest.records import Record
from regions import events
from regions.errors import EventContractError
from regions.promoted import PROMOTED
from warehouse.lake_tables import EVENTS, QUARANTINE

__all__ = ["EVENTS_SCHEMA", "VALUE_BYTES_MAX", "Record", "Rejected", "Sorted", "events_table", "sort_records"]

VALUE_BYTES_MAX = 393_216  # an outbox row's 256 KiB of data and pii, its envelope, and room

EVENTS_SCHEMA: pa.Schema = EVENTS.schema.as_arrow()
_QUARANTINE_SCHEMA: pa.Schema = QUARANTINE.schema.as_arrow()


class Rejected(NamedTuple):
    """A record that is no event, and why."""

    record: Record
    reason: str


class _Parsed(NamedTuple):
    """One event as a row; `promoted` are the fields that have a column of their own, as declared."""

    event_id: str
    type: str
    family: str
    subject: str
    sequence: int
    merchant_id: str
    livemode: bool
    time: datetime
    schema_version: int
    correlation_id: str | None
    data: bytes
    pii: bytes | None
    region: str
    kafka_topic: str
    kafka_partition: int
    position: str
    xid: int | None
    promoted: tuple[object, ...]


@dataclass(slots=True)
class Sorted:
    """Records sorted into events and rejected ones, each in the order they came."""

    events: list[_Parsed] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def sort_records(region: str, records: list[Record]) -> Sorted:
    """Parse every record and check it against its contract; nothing is dropped."""
    result = Sorted()
    for record in records:
        try:
            result.events.append(_parse(region, record))
        except EventContractError as error:
            result.rejected.append(Rejected(record, str(error)))
    return result


def _parse(region: str, record: Record) -> _Parsed:
    value = record.value or b""
    if len(value) > VALUE_BYTES_MAX:
        raise EventContractError(f"the record has {len(value)} bytes, more than {VALUE_BYTES_MAX}")
    envelope = events.parse_envelope(value)
    kind = events.event_type(envelope["type"], envelope["schema_version"])
    events.validate_data(kind.name, envelope["data"], kind.version, is_reader=True)
    if envelope["region"] != region:
        raise EventContractError(f"the event belongs to region {envelope['region']}, not to {region}", "/region")
    if record.topic != events.topic(region, kind.family):
        raise EventContractError(f"{kind.name} belongs to family {kind.family}, not into {record.topic}", "/type")
    if record.key != envelope["subject"].encode():
        raise EventContractError("the record's key is not the event's subject", "/subject")
    pii = envelope["pii"]
    return _Parsed(
        event_id=envelope["id"],
        type=kind.name,
        family=kind.family,
        subject=envelope["subject"],
        sequence=_in_range(envelope["sequence"], "/sequence"),
        merchant_id=envelope["merchant_id"],
        livemode=envelope["livemode"],
        time=_moment(envelope["time"]),
        schema_version=kind.version,
        correlation_id=envelope["correlation_id"],
        data=orjson.dumps(envelope["data"]),
        pii=None if pii is None else orjson.dumps(pii),
        region=region,
        kafka_topic=record.topic,
        kafka_partition=record.partition,
        position=record.position,
        xid=_transaction(envelope.get("xid")),
        promoted=tuple(
            envelope["data"].get(name) if kind.family in column.families else None for name, column in PROMOTED.items()
        ),
    )


def _in_range(number: int, pointer: str) -> int:
    if number >= 1 << 63:
        raise EventContractError(f"{pointer} does not fit 64 bits", pointer)
    return number


def _transaction(xid: int | None) -> int | None:
    return None if xid is None else _in_range(xid, "/xid")


def _moment(text: str) -> datetime:
    """The envelope's time; its form is checked, its digits may still be no date."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise EventContractError("/time is no date", "/time") from None


def events_table(parsed: list[_Parsed], lake_seq: int, at: datetime) -> pa.Table:
    """The columns of the lake's events table for one commit."""
    rows = [(*item[:-1], *item.promoted) for item in parsed]
    names = (*_Parsed._fields[:-1], *PROMOTED)
    columns: dict[str, Any] = (
        dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    )
    columns |= {"lake_seq": [lake_seq] * len(rows), "ingested_at": [at] * len(rows)}
    arrays = [_array(columns[kind.name], kind.type) for kind in EVENTS_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=EVENTS_SCHEMA)


def with_commit(rows: pa.Table, lake_seq: int, at: datetime) -> pa.Table:
    """Rows that were proven in bulk, with what the commit adds, as columns of the lake's events table."""
    rows = rows.append_column("lake_seq", pa.repeat(pa.scalar(lake_seq, pa.int64()), rows.num_rows))
    rows = rows.append_column("ingested_at", pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), rows.num_rows))
    return rows.select(EVENTS_SCHEMA.names).cast(EVENTS_SCHEMA)


def quarantine_table(rejected: list[Rejected], lake_seq: int, at: datetime) -> pa.Table:
    """The columns of the quarantine table for one commit."""
    rows = [
        (
            item.record.topic,
            item.record.partition,
            item.record.offset,
            item.record.position or None,
            item.record.key,
            item.record.value,
            item.reason,
            lake_seq,
            at,
        )
        for item in rejected
    ]
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(_QUARANTINE_SCHEMA)
    arrays = [_array(column, kind.type) for column, kind in zip(columns, _QUARANTINE_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_QUARANTINE_SCHEMA)


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    """A column; JSON comes as UTF-8 bytes and becomes text without a detour through str."""
    if pa.types.is_large_string(kind) or pa.types.is_string(kind):
        is_bytes = any(isinstance(item, bytes) for item in column)
        return pa.array(column, pa.large_binary()).cast(kind) if is_bytes else pa.array(column, kind)
    return pa.array(column, kind)


def now() -> datetime:
    """The wall clock, for `ingested_at` and `quarantined_at` only."""
    return datetime.now(UTC)
