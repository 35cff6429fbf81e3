"""What the relay sends, without a broker: whole batches, in each object's order, the very same again after a crash."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from pipelines import broker
from pipelines.ingest import repository as ingest_repository
from pipelines.ingest.domain import Chains, Verdict
from pipelines.leadership import Task, connect, lead
from pipelines.positions import START, Position, partition_key
from pipelines.relay import repository, service
from pipelines.relay.envelope import Page, Record
from pipelines.relay.producer import DeliveryError
from pipelines.relay.service import Relay
from pipelines.stamps import STAMP_BYTES
from regions import events
from regions.region import load_region
from tests.support.regional import RegionDatabase
from tests.support.stream import seeded

APPEND = "SELECT event_id::text FROM append_event(%s, %s, %s, %s, %s, 1::smallint, %s, %s, %s)"


class Sink:
    """Takes what a producer would send; `fail_after` records it breaks."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fail_after: int | None = None

    def start_batch(self) -> None:
        pass

    def produce(self, page: Page) -> None:
        for record in page.records():
            if self.fail_after is not None and len(self.records) >= self.fail_after:
                raise DeliveryError("broken on purpose")
            self.records.append(record)

    def await_acknowledgements(self) -> None:
        pass


@pytest.fixture
def database(new_region_database: Callable[..., RegionDatabase]) -> RegionDatabase:
    return new_region_database()


@contextmanager
def relay_of(database: RegionDatabase, sink: Sink) -> Iterator[Relay]:
    region = load_region(database.region)
    with connect(region, database.role_urls["relay"], "test relay") as connection:
        assert lead(connection, Task.RELAY, threading.Event())
        yield Relay(region, connection, sink)  # type: ignore[arg-type]


def append(connection: psycopg.Connection, database: RegionDatabase, subject: str, *, data: str = "{}") -> str:
    row = connection.execute(
        APPEND, ["link.created", "links", subject, database.merchant_id, False, None, data, None]
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_every_value_is_what_the_contract_writes(database: RegionDatabase) -> None:
    odd = ("plain", 'quo"te', "back\\slash", "newline\n", "ümläut €", "\u2028", "%s {} $1", "")
    sealed = json.dumps({"subject": "subj_eu_x", "retention_class": "payments", "ciphertext": "AAAA"})
    with database.connect("worker") as worker:
        for number, text in enumerate(odd):
            family = ("links", "payments", "gossip")[number % 3]
            data = json.dumps({"text": text, "number": 2**53, "none": None})
            values = [f"kind.{text}", family, f"o_{text}", f"m_{text}", bool(number % 2), text or None, data]
            worker.execute(APPEND, [*values, sealed if number % 2 else None])
        for fraction in ("", ".1", ".123450", ".000001", ".999999"):  # PostgreSQL shows no zeros at the end
            odd = (*odd, fraction)
            append(worker, database, f"time{fraction}")
    sink = Sink()
    with database.connect("postgres") as admin:
        admin.execute(
            """UPDATE outbox SET time = ('2026-03-14 09:26:53' || substr(subject, 5) || '+00')::timestamptz
                WHERE subject LIKE 'time%'"""
        )
        admin.execute("ALTER ROLE relay SET datestyle = 'German'")
        admin.execute("ALTER ROLE relay SET timezone = 'Asia/Kolkata'")
        try:
            with relay_of(database, sink) as relay:
                assert relay.step() == len(odd)
        finally:
            admin.execute("ALTER ROLE relay RESET ALL")
    columns = "id::text, family, type, subject, merchant_id, livemode, time, sequence, schema_version, correlation_id"
    with database.connect("reader") as reader:
        rows = reader.execute(
            f"SELECT {columns}, data::text, pii::text, xid::text::bigint FROM outbox ORDER BY outbox.id"
        ).fetchall()
    for row, (topic, partition, key, value) in zip(rows, sink.records, strict=True):
        event_id, family, kind, subject, merchant_id, livemode, time, sequence, version, correlation, *rest = row
        expected = events.envelope_json(
            event_id=event_id, type=kind, region="eu", subject=subject, time=time, merchant_id=merchant_id,
            livemode=livemode, sequence=sequence, schema_version=version, correlation_id=correlation,
            data=rest[0], pii=rest[1], xid=rest[2],
        )  # fmt: skip
        assert value[:-STAMP_BYTES] + b"}" == expected
        assert (key.decode(), topic) == (subject, f"eu.{family}.v1" if family != "gossip" else "eu.unrouted.v1")
        family_partitions = events.FAMILIES[family].partitions if family in events.FAMILIES else 1
        assert partition == events.partition_for(subject, family_partitions)
        assert json.loads(value).keys() - json.loads(expected).keys() == {"position", "after"}


def test_order_holds_per_object_under_writers_that_lock_late(database: RegionDatabase) -> None:
    """Transactions take their ids early and their locks late, hold several objects, roll back."""
    random, subjects = seeded(), [f"plink_{number}" for number in range(6)]
    writers, stop, sink = 6, threading.Event(), Sink()

    def write(seed: int) -> list[str]:
        dice, ids = Random(seed), []
        with database.connect("worker") as worker:
            for _ in range(25):
                written: list[str] = []
                with worker.transaction() as transaction:
                    worker.execute("SELECT pg_current_xact_id()")  # a low transaction id …
                    if dice.random() < 0.5:
                        worker.execute("SELECT pg_sleep(%s)", [dice.uniform(0, 0.02)])
                    for subject in sorted(dice.sample(subjects, dice.randint(1, 3))):  # … and the locks much later
                        written += [append(worker, database, subject) for _ in range(dice.randint(1, 2))]
                    if dice.random() < 0.15:
                        written.clear()
                        raise psycopg.Rollback(transaction)
                ids += written
        return ids

    def relaying() -> None:
        with relay_of(database, sink) as relay:
            while not stop.is_set():
                relay.step()
            while relay.step():
                pass

    with ThreadPoolExecutor(writers + 1) as pool:
        sent = pool.submit(relaying)
        committed = [event for ids in pool.map(write, [random.random() for _ in range(writers)]) for event in ids]
        stop.set()
        sent.result(timeout=60)
    documents = [json.loads(record.value) for record in sink.records]
    assert Counter(document["id"] for document in documents) == Counter(committed)
    of_subject = defaultdict(list)
    for document in documents:
        of_subject[document["subject"]].append(document["sequence"])
    assert all(found == list(range(1, len(found) + 1)) for found in of_subject.values())
    assert len({document["position"].rpartition(":")[0] for document in documents}) > 3, (
        "several batches, or nothing raced"
    )


@pytest.mark.parametrize("long_rows", [1, 10_000])
def test_a_batch_that_broke_is_sent_again_the_very_same(
    database: RegionDatabase, monkeypatch: pytest.MonkeyPatch, long_rows: int
) -> None:
    """Also by the path for long backlogs, and although younger rows have been committed between its rows meanwhile."""
    monkeypatch.setattr(repository, "LONG_ROWS", long_rows)
    monkeypatch.setattr(repository, "PAGE_ROWS", 7)
    with database.connect("worker") as worker, database.connect("worker") as slow:
        with slow.transaction():
            late = append(slow, database, "late")
            with database.connect("worker") as early, early.transaction():
                early.execute("SELECT pg_current_xact_id()")  # a low transaction id, and high event ids
                ids = [append(worker, database, f"object_{number % 5}") for number in range(50)]
                ids += [append(early, database, f"object_{number % 5}") for number in range(10)]
            broken, again = Sink(), Sink()
            broken.fail_after = 31
            with relay_of(database, broken) as relay, pytest.raises(DeliveryError):
                relay.step()
        ids += [append(worker, database, "younger")]
        with relay_of(database, again) as relay:
            assert relay.step() == 60
            first = list(again.records)
            assert relay.step() == 2
            assert relay.step() == 0
    assert first[:31] == broken.records
    sent = [json.loads(record.value)["id"] for record in again.records]
    assert sent[:60] == ids[:60] == sorted(ids[:60])
    assert sent[60:] == [late, ids[60]]


def test_topics_grow_and_what_is_sent_again_goes_where_it_went(
    database: RegionDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a consumer that has an event from one partition would take it again from another."""

    def declare(count: int) -> None:
        region = load_region(database.region)
        monkeypatch.setattr(
            service, "topic_partitions", lambda _: dict.fromkeys(broker.topic_partitions(region), count)
        )

    sink, ids = Sink(), []
    with database.connect("worker") as worker:
        for count in (2, 5, 3):  # whoever declares fewer than are in use changes nothing
            declare(count)
            with relay_of(database, sink) as relay:
                for _ in range(2):
                    ids += [append(worker, database, f"object_{number}") for number in range(20)]
                    assert relay.step() == 20
    first = list(sink.records)
    used = [sorted({record.partition for record in first[start : start + 40]}) for start in (0, 40, 80)]
    assert used == [[0, 1], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    with database.connect("lake") as lake:
        ingest_repository.register(lake, {})
        ingest_repository.request_rewind(lake, str(START))
    with relay_of(database, sink) as relay:
        assert relay.step() == 0
    assert sink.records[len(first) :] == first
    chains, taken = Chains(), []
    for topic, partition, _, value in sink.records:
        event = json.loads(value)
        position, after = Position.parse(event["position"]), Position.parse(event["after"])
        if chains.offer(partition_key(topic, partition), position, after) is Verdict.ACCEPTED:
            taken.append(event["id"])
    assert taken == ids


@pytest.mark.timeout(60)
def test_who_stops_reading_a_batch_early_leaves_the_connection_free(
    database: RegionDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the stream is cancelled: an open one would hold the connection for ever."""
    monkeypatch.setattr(repository, "PAGE_ROWS", 7)
    region = load_region(database.region)
    with database.connect("worker") as worker, worker.transaction():
        ids = [append(worker, database, f"object_{number}") for number in range(30)]
    with connect(region, database.role_urls["relay"], "test relay") as relay:
        batch = repository.persist_next_snapshot(relay, repository.read_cursor(relay), {})
        pages = repository.rows_of(relay, batch, region.code)
        assert [json.loads(row[1][:-STAMP_BYTES] + b"}")["id"] for row in next(pages)] == ids[:7]
        pages.close()
        assert relay.info.transaction_status == TransactionStatus.IDLE
        assert [len(page) for page in repository.rows_of(relay, batch, region.code)] == [7, 7, 7, 7, 2]
