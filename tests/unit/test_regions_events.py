import json
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from regions import events
from regions.errors import EventContractError
from regions.ids import new_id

AT = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
PII = {"subject": "subj_eu_1", "retention_class": "payment_record", "ciphertext": "AQID"}


def envelope(**changes: Any) -> bytes:
    values: dict[str, Any] = {
        "event_id": "019ce25a-3b4c-7d5e-8f60-718293a4b5c6",
        "type": "link.deactivated",
        "region": "eu",
        "subject": "plink_eu_1",
        "time": AT,
        "merchant_id": "merch_eu_1",
        "livemode": False,
        "sequence": 2,
        "schema_version": 1,
        "correlation_id": None,
        "data": {"link_id": "plink_eu_1"},
        "pii": None,
        "xid": 731,
    }
    return events.envelope_json(**{**values, **changes})


def test_the_record_value_is_a_cloudevent() -> None:
    assert json.loads(envelope(pii=PII, correlation_id="req_eu_1")) == {
        "specversion": "1.0",
        "id": "019ce25a-3b4c-7d5e-8f60-718293a4b5c6",
        "type": "link.deactivated",
        "source": "/meridian/eu",
        "subject": "plink_eu_1",
        "time": "2026-03-14T09:26:53.589793Z",
        "datacontenttype": "application/json",
        "region": "eu",
        "merchant_id": "merch_eu_1",
        "livemode": False,
        "sequence": 2,
        "schema_version": 1,
        "correlation_id": "req_eu_1",
        "data": {"link_id": "plink_eu_1"},
        "pii": PII,
        "xid": 731,
    }


def test_json_text_from_the_database_is_passed_on() -> None:
    whole = envelope(pii=PII)
    assert json.loads(envelope(data='{"link_id": "plink_eu_1"}', pii=json.dumps(PII).encode())) == json.loads(whole)


def test_what_is_written_parses_back() -> None:
    parsed = events.parse_envelope(envelope(pii=PII))
    assert parsed["pii"] == PII
    assert parsed["data"] == {"link_id": "plink_eu_1"}
    assert set(parsed) == set(events.Envelope.__annotations__)


BROKEN: list[tuple[str, Any]] = [
    ("/specversion", "0.3"),
    ("/id", "not-a-uuid"),
    ("/id", "019ce25a-3b4c-4d5e-8f60-718293a4b5c6"),  # a UUIDv4
    ("/type", ""),
    ("/source", "/elsewhere/eu"),
    ("/source", "/meridian/us"),  # of another region
    ("/subject", None),
    ("/time", "2026-03-14T09:26:53Z"),
    ("/time", "2026-03-14T09:26:53.589793+00:00"),
    ("/time", "2026-02-30T09:26:53.589793Z"),
    ("/datacontenttype", "text/plain"),
    ("/region", "EU"),
    ("/merchant_id", 1),
    ("/livemode", "false"),
    ("/livemode", 0),
    ("/sequence", 0),
    ("/sequence", 1.0),
    ("/sequence", True),
    ("/schema_version", "1"),
    ("/correlation_id", 1),
    ("/data", []),
    ("/data", None),
    ("/pii", "payer@example.com"),
    ("/pii/email", {**PII, "email": "payer@example.com"}),
    ("/pii/ciphertext", {"subject": "subj_eu_1", "retention_class": "payment_record"}),
]


@pytest.mark.parametrize(("pointer", "value"), BROKEN)
def test_a_broken_envelope_is_refused_by_name(pointer: str, value: Any) -> None:
    document = json.loads(envelope(pii=PII))
    document[pointer.split("/")[1]] = value
    with pytest.raises(EventContractError) as caught:
        events.parse_envelope(json.dumps(document).encode())
    assert caught.value.pointer == pointer
    assert "payer@example.com" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(events.Envelope.__annotations__) - {"xid"}))
def test_every_attribute_but_the_newest_is_needed(name: str) -> None:
    document = json.loads(envelope())
    del document[name]
    with pytest.raises(EventContractError, match=f"/{name} is missing"):
        events.parse_envelope(json.dumps(document).encode())


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"text"', b"\x00" * 10])
def test_bytes_that_are_no_envelope_are_refused(value: bytes) -> None:
    with pytest.raises(EventContractError):
        events.parse_envelope(value)


def test_attributes_of_a_newer_writer_are_tolerated() -> None:
    document = {**json.loads(envelope()), "traceparent": "00-1"}
    assert events.parse_envelope(json.dumps(document).encode())["sequence"] == 2


def test_times_are_utc_with_microseconds() -> None:
    assert events.timestamp(datetime(2026, 3, 14, 14, 56, 53, tzinfo=timezone(timedelta(hours=5, minutes=30)))) == (
        "2026-03-14T09:26:53.000000Z"
    )
    with pytest.raises(ValueError, match="time zone"):
        events.timestamp(datetime(2026, 3, 14))  # noqa: DTZ001


def test_topics_are_named_after_region_and_family() -> None:
    assert events.topic("eu", "links") == "eu.links.v1"
    assert set(events.topics("in")) == {
        f"in.{family}.v1"
        for family in (
            *("links", "merchants", "checkout", "payments", "payment_methods", "payouts", "ledger", "risk", "webhooks"),
            "settlement",
        )
    }
    assert all(family.partitions == 3 for family in events.topics("in").values())
    with pytest.raises(EventContractError, match="'orders' is no family"):
        events.topic("eu", "orders")


def test_partitions_are_stable_and_even() -> None:
    assert events.partition_for("pay_eu_1", 3) == zlib.crc32(b"pay_eu_1") % 3
    # Written down once: another answer would break the order of every object that is in flight.
    assert [events.partition_for(f"pay_eu_{n}", 3) for n in range(6)] == [1, 2, 1, 0, 2, 1]
    counts = Counter(events.partition_for(new_id("payment", "eu"), 3) for _ in range(3000))
    assert min(counts.values()) > 850
