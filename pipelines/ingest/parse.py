"""From Kafka records to columns: bulk parsing, one reason for each record that is no event."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from regions import events
from regions.errors import EventContractError
from warehouse.lake_tables import EVENTS, QUARANTINE

VALUE_BYTES_MAX = 393_216  # an outbox row's 256 KiB of data and pii, its envelope, and room

_EVENTS_SCHEMA: pa.Schema = EVENTS.schema.as_arrow()
_QUARANTINE_SCHEMA: pa.Schema = QUARANTINE.schema.as_arrow()


class Record(NamedTuple):
    """A record as read from Kafka. `position` is empty for one that the relay did not send."""

    topic: str
    partition: int
    offset: int
    position: str
    key: bytes | None
    value: bytes | None


class Rejected(NamedTuple):
    """A record that is no event, and why."""

    record: Record
    reason: str


class _Parsed(NamedTuple):
    """One event as a row, in the order of EVENTS; `xid` comes last there, after what the commit itself adds."""

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
    columns: list[Any] = list(zip(*parsed, strict=True)) if parsed else [()] * len(_Parsed._fields)
    columns[-1:-1] = [[lake_seq] * len(parsed), [at] * len(parsed)]
    arrays = [_array(column, kind.type) for column, kind in zip(columns, _EVENTS_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_EVENTS_SCHEMA)


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
