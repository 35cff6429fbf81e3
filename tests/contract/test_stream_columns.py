"""What the relay puts into a record, the ingest turns into columns; and every way to be no event."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import duckdb
import orjson
import pyarrow.parquet as pq
import pytest

from pipelines.broker import UNROUTED, topic_partitions, unrouted_topic
from pipelines.ingest.parse import VALUE_BYTES_MAX, Record, events_table, quarantine_table, sort_records
from regions import events
from regions.region import load_region, region_codes
from warehouse.lake_files import Column, TableFiles

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
KINDS = sorted(events.registry())


class OutboxRow(NamedTuple):
    """An event as it was appended; `data` and `pii` are JSON text."""

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
    data: str
    pii: str | None
    xid: int


def record_value(region: str, sent: OutboxRow) -> bytes:
    return events.envelope_json(region=region, **{k: v for k, v in sent._asdict().items() if k != "family"})


def row(kind: str, number: int = 0, **changed: object) -> OutboxRow:
    found = events.registry()[kind]
    sealed = {"subject": "subj_eu_x", "retention_class": "payments", "ciphertext": "AAAA"}
    base = OutboxRow(
        event_id=f"00000000-0000-7000-8000-{number:012d}",
        type=kind,
        family=found.family,
        subject="object_1",
        sequence=number + 1,
        merchant_id="merch_eu_x",
        livemode=bool(number % 2),
        time=AT,
        schema_version=found.version,
        correlation_id=None if number % 2 else "req_eu_x",
        data=orjson.dumps(found.examples[0], option=orjson.OPT_INDENT_2).decode(),
        pii=orjson.dumps(sealed).decode() if number % 2 else None,
        xid=2**32 + number,
    )
    return base._replace(**changed)


def record(sent: OutboxRow, topic: str | None = None) -> Record:
    key, value = sent.subject.encode(), record_value("eu", sent)
    return Record(topic or events.topic("eu", sent.family), 1, 42, "1:2:3", key, value)


def test_every_type_of_event_arrives_column_by_column() -> None:
    sent = [row(kind, number) for number, kind in enumerate(KINDS)]
    found = sort_records("eu", [record(item) for item in sent])
    assert found.rejected == []
    columns = events_table(found.events, 7, AT).to_pylist()
    for item, arrived in zip(sent, columns, strict=True):
        for name in ("event_id", "type", "family", "subject", "sequence", "merchant_id", "livemode", "time", "xid"):
            assert arrived[name] == getattr(item, name), name
        assert arrived["schema_version"] == item.schema_version
        assert arrived["correlation_id"] == item.correlation_id
        assert orjson.loads(arrived["data"]) == orjson.loads(item.data)
        assert (arrived["pii"] and orjson.loads(arrived["pii"])) == (item.pii and orjson.loads(item.pii))
        assert (arrived["region"], arrived["position"], arrived["kafka_partition"]) == ("eu", "1:2:3", 1)
        assert (arrived["lake_seq"], arrived["ingested_at"]) == (7, AT)
        assert UUID(arrived["event_id"]).version == 7


def test_a_record_of_before_the_transaction_was_told_has_none() -> None:
    old = orjson.loads(GOOD.value or b"")
    del old["xid"]
    found = sort_records("eu", [GOOD, GOOD._replace(value=orjson.dumps(old))])
    assert found.rejected == []
    assert events_table(found.events, 7, AT)["xid"].to_pylist() == [2**32, None]


def test_no_records_make_an_empty_table_with_all_columns() -> None:
    assert events_table([], 1, AT).num_rows == 0
    assert quarantine_table([], 1, AT).num_rows == 0


def changed(value: bytes, **attributes: object) -> bytes:
    return orjson.dumps(orjson.loads(value) | attributes)


GOOD = record(row("link.created"))
BAD = {
    "nothing": (GOOD._replace(value=None), "not JSON"),
    "no JSON": (GOOD._replace(value=b"\xff{"), "not JSON"),
    "no object": (GOOD._replace(value=b"[]"), "/"),
    "too large": (GOOD._replace(value=b" " * (VALUE_BYTES_MAX + 1)), f"more than {VALUE_BYTES_MAX}"),
    "unknown type": (GOOD._replace(value=changed(GOOD.value or b"", type="link.exploded")), "link.exploded"),
    "unknown version": (GOOD._replace(value=changed(GOOD.value or b"", schema_version=99)), "version 99"),
    "data against the contract": (GOOD._replace(value=changed(GOOD.value or b"", data={})), "link.created /"),
    "another region": (
        GOOD._replace(value=changed(GOOD.value or b"", region="us", source="/meridian/us")),
        "region us, not to eu",
    ),
    "another family's topic": (GOOD._replace(topic="eu.payments.v1"), "not into eu.payments.v1"),
    "another key": (GOOD._replace(key=b"object_2"), "key is not the event's subject"),
    "no key": (GOOD._replace(key=None), "key is not the event's subject"),
    "no date": (GOOD._replace(value=changed(GOOD.value or b"", time="2026-02-31T12:00:00.000000Z")), "/time"),
    "a transaction that is none": (GOOD._replace(value=changed(GOOD.value or b"", xid=0)), "/xid"),
    "a transaction beyond 64 bits": (GOOD._replace(value=changed(GOOD.value or b"", xid=2**63)), "64 bits"),
    "a sequence beyond 64 bits": (GOOD._replace(value=changed(GOOD.value or b"", sequence=2**63)), "64 bits"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_event_is_named_and_the_rest_flows_on(name: str) -> None:
    bad, reason = BAD[name]
    found = sort_records("eu", [GOOD, bad, GOOD])
    assert len(found.events) == 2
    [rejected] = found.rejected
    assert reason in rejected.reason
    [kept] = quarantine_table(found.rejected, 3, AT).to_pylist()
    assert (kept["key"], kept["value"], kept["position"]) == (bad.key, bad.value, "1:2:3")


def test_a_field_that_a_newer_writer_added_is_kept() -> None:
    data = {**events.registry()["link.created"].examples[0], "brand_new": 1}
    found = sort_records("eu", [record(row("link.created", data=orjson.dumps(data).decode()))])
    assert found.rejected == []
    assert "brand_new" in events_table(found.events, 1, AT)["data"][0].as_py()


def test_every_family_has_a_topic_and_rows_of_no_family_have_one_too() -> None:
    for code in region_codes():
        region = load_region(code)
        partitions = topic_partitions(region)
        assert {events.topic(code, family) for family in events.FAMILIES} < set(partitions)
        assert partitions[unrouted_topic(region)] == 1
    assert UNROUTED not in events.FAMILIES


def test_a_renamed_column_keeps_its_data_and_a_new_one_is_null(tmp_path: Path) -> None:
    table = events_table(sort_records("eu", [GOOD]).events, 1, AT)
    path = tmp_path / "it's.parquet"
    pq.write_table(table, path)
    columns = (Column(2, "kind", "VARCHAR"), Column(5, "sequence", "BIGINT"), Column(99, "added", "VARCHAR"))
    sql = TableFiles("events", 1, 1, (str(path),), columns).duckdb_sql()
    assert duckdb.sql(f"SELECT kind, sequence, added FROM {sql}").fetchall() == [("link.created", 1, None)]
    empty = TableFiles("events", None, 0, (), columns).duckdb_sql()
    assert duckdb.sql(f"SELECT * FROM {empty}").columns == ["kind", "sequence", "added"]
