"""What is proven in bulk is what the validator accepts: never more, and in practice all that the platform sends."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest

from pipelines.ingest.bulk import BulkParser
from pipelines.ingest.parse import events_table, sort_records, with_commit
from pipelines.ingest.records import Record, chunks_of
from pipelines.positions import START, Position
from pipelines.stamps import STAMP, padded
from regions import events
from tests.support.stream import seeded

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
KINDS = sorted(events.registry())
SEALED = '{"subject": "subj_eu_x", "ciphertext": "QUJD", "retention_class": "payments"}'


def jsonb(value: Any) -> str:
    """As PostgreSQL writes it."""
    if isinstance(value, dict):
        fields = sorted(value.items(), key=lambda item: (len(item[0].encode()), item[0].encode()))
        return "{" + ", ".join(f"{json.dumps(name)}: {jsonb(item)}" for name, item in fields) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(jsonb, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def record(kind: str, number: int, data: str, pii: str | None = None, correlation: str | None = "req_x") -> Record:
    found = events.registry()[kind]
    value = events.envelope_json(
        event_id=f"00000000-0000-7000-8000-{number:012d}",
        type=kind,
        region="eu",
        subject=f"object_{number}",
        time=AT,
        merchant_id="merch_eu_x",
        livemode=bool(number % 2),
        sequence=number + 1,
        schema_version=found.version,
        correlation_id=correlation,
        data=data,
        pii=pii,
        xid=2**32 + number,
    )
    return Record(events.topic("eu", found.family), 1, number, f"1:2:{number + 1}", f"object_{number}".encode(), value)


@pytest.fixture(scope="module")
def parser() -> BulkParser:
    return BulkParser("eu")


def test_every_example_of_every_type_is_proven_and_comes_out_as_the_validator_would_have_it(parser: BulkParser) -> None:
    sent = [
        record(kind, number, jsonb(example), SEALED if number % 2 else None, None if number % 3 else "req_x")
        for kind in KINDS
        for number, example in enumerate(events.registry()[kind].examples * 3)
    ]
    stamp = STAMP.format(padded(Position(1, 2, 3)), padded(START)).encode()
    sent[::2] = [one._replace(value=(one.value or b"")[:-1] + stamp) for one in sent[::2]]  # the others are older
    proven = parser.prove(chunks_of(sent))
    assert proven.unproven == []
    quick = with_commit(proven.events, 7, AT).sort_by([("type", "ascending"), ("event_id", "ascending")]).to_pylist()
    slow = sort_records("eu", sent)
    assert slow.rejected == []
    exact = events_table(slow.events, 7, AT).sort_by([("type", "ascending"), ("event_id", "ascending")]).to_pylist()
    for one, other in zip(quick, exact, strict=True):
        for name in ("data", "pii"):
            assert (one[name] and orjson.loads(one[name])) == (other[name] and orjson.loads(other[name]))
        assert {name: value for name, value in one.items() if name not in {"data", "pii"}} == {
            name: value for name, value in other.items() if name not in {"data", "pii"}
        }


ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**53, 2**53 - 1, 10**15, 10**300, 1.0, 1.5, "", "x", "EUR", "eur", "EURO", "é", "x" * 129,
    "2026-02-30", "2026-02-29", "2026-13-01T00:00:00.000000Z", "2026-03-14T09:26:53.589793Z",
    "2026-03-14T24:00:00.000000Z",
    "2026-03-14T09:26:53Z", 'quo"te', "back\\slash", "line\nbreak", "\u2028", [], {}, [1], {"a": 1}, "pay_eu_x",
)  # fmt: skip


def spoilt(random: Random, value: Any) -> Any:
    """The value with one thing in it changed, at any depth."""
    if random.random() < 0.2 or not value:
        return random.choice(ODD)
    if isinstance(value, dict):
        return _spoilt_object(random, value)
    if isinstance(value, list):
        index = random.randrange(len(value))
        others = [value * random.randint(2, 12), value[1:]]
        return random.choice([*others, [*value[:index], spoilt(random, value[index]), *value[index + 1 :]]])
    if isinstance(value, str):
        at = random.randrange(len(value))
        put = random.choice(["", "_", "A", "9", '"', "\\", "é", "\n", " "])
        return value[:at] + put + value[at + random.randint(0, 1) :]
    return value * random.choice([-1, 0, 10**6, 10**12, 10**20]) + random.choice([0, 1])


def _spoilt_object(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    name = random.choice(sorted(value))
    choice = random.random()
    if choice < 0.15:
        return {key: item for key, item in value.items() if key != name}
    if choice < 0.25:
        return {**value, f"new_{random.randint(0, 9)}": random.choice(ODD)}
    return {**value, name: spoilt(random, value[name])}


def envelope_spoilt(random: Random, value: bytes) -> bytes:
    text, other = value.decode(), '"id":"00000000-0000-7000-8000-000000000666"'
    at = random.randrange(len(value))
    names = ("type", "time", "merchant_id", "livemode", "sequence", "schema_version", "correlation_id", "xid", "pii")
    put = random.choice([b"", b"\xff", b"}", b'"', b"0", b" "])
    return random.choice(
        [
            json.dumps(json.loads(text) | {random.choice(names): random.choice(ODD)}, separators=(",", ":")).encode(),
            text.replace('"livemode":', '"livemode": ', 1).encode(),
            f"{text[:-1]},{other}}}".encode(),
            f"{{{other},{text[1:]}".encode(),
            text.replace('"merchant_id":"merch', '"merchant_id":"mer\\"ch').encode(),
            text.replace('"merchant_id":"merch', '"merchant_id":"me\\u0041').encode(),
            text.replace('"data":{', '"data":{"a":1},"data":{', 1).encode(),
            value[:at] + put + value[at + 1 :],
            text.replace("2026-03-01T12", random.choice(["2026-02-30T12", "2026-03-01 12", "2026-03-01t12"])).encode(),
        ]
    )


def check(parser: BulkParser, random: Random, rounds: int) -> int:
    """Records that are spoilt in every way: each that is proven is accepted by the validator, with the same columns."""
    sent: list[Record] = []
    for number in range(rounds):
        kind = random.choice(KINDS)
        data = random.choice(events.registry()[kind].examples)
        for _ in range(random.choice([0, 0, 1, 1, 2])):
            data = spoilt(random, data)
        try:
            made = record(kind, number, jsonb(data), random.choice([None, SEALED, SEALED.replace("QUJD", "")]))
        except (ValueError, TypeError):
            continue
        if random.random() < 0.05:
            made = made._replace(key=random.choice([None, b"other", b"\xff"]))
        if random.random() < 0.4:
            made = made._replace(value=envelope_spoilt(random, made.value or b""))
        sent.append(made)
    proven = parser.prove(chunks_of(sent))
    unproven = {item.offset for item in proven.unproven}
    claimed = [item for item in sent if item.offset not in unproven]
    judged = sort_records("eu", claimed)
    assert [(item.reason, item.record.value) for item in judged.rejected] == [], "proven, and not valid"
    names = [name for name in proven.events.column_names if name not in {"data", "pii"}]
    order = [("position", "ascending")]
    exact = events_table(judged.events, 1, AT).sort_by(order)
    quick = with_commit(proven.events, 1, AT).sort_by(order)
    assert quick.select(names).to_pylist() == exact.select(names).to_pylist()
    assert [orjson.loads(text) for text in quick["data"].to_pylist()] == [
        orjson.loads(text) for text in exact["data"].to_pylist()
    ]
    return len(claimed)


def test_nothing_is_proven_that_the_validator_refuses(parser: BulkParser) -> None:
    random = seeded()
    assert sum(check(parser, random, 1500) for _ in range(2)) > 100, "the test must see both sides"


@pytest.mark.campaign
def test_nothing_is_proven_that_the_validator_refuses_many_times(parser: BulkParser) -> None:
    random = seeded()
    assert sum(check(parser, random, 5000) for _ in range(100)) > 1000
