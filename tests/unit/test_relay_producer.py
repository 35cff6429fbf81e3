"""What the relay's producer waits for and what it believes, with a client that does as it is told."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from pipelines.relay import producer
from pipelines.relay.domain import Numbering
from pipelines.relay.envelope import Page, Place, RecordWriter
from pipelines.relay.librdkafka import MESSAGE, Messages
from pipelines.relay.producer import BatchProducer, DeliveryError, StoppedError
from pipelines.relay.repository import OutboxRow
from pipelines.stamps import blank

PLACES = [Place("eu.links.v1", 0, "eu.links.v1/0"), Place("eu.links.v1", 1, "eu.links.v1/1")]


class Client:
    """Takes records; acknowledges, refuses and fails them on demand."""

    def __init__(self, _settings: object) -> None:
        self.in_flight = 0
        self.most_in_flight = 0
        self.told: list[str] = []
        self.refuses = False
        self.on_wait: Callable[[], None] = lambda: None

    def produce(self, _topic: str, messages: Messages) -> None:
        messages["err"][-1] = -190 if self.refuses else 0
        self.in_flight += len(messages)
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def failures(self, seconds: float = 0.0) -> list[str]:
        if seconds:
            self.on_wait()
        return self.told

    def flush(self, _seconds: float) -> None:
        self.on_wait()

    def acknowledge(self) -> None:
        self.in_flight = 0

    def __len__(self) -> int:
        return self.in_flight

    def close(self) -> None:
        pass


@pytest.fixture
def sending(monkeypatch: pytest.MonkeyPatch) -> tuple[BatchProducer, Client, threading.Event]:
    monkeypatch.setattr(producer, "RawProducer", Client)
    monkeypatch.setattr(producer, "STALL_SECONDS", 0.0)
    stop = threading.Event()
    made = BatchProducer("127.0.0.1:1", "test", stop, lambda: False)
    made.start_batch()
    return made, made._producer, stop  # type: ignore[return-value]


def page(rows: int, size: int = 0) -> Page:
    value = b"{" + b"x" * size + blank(1, 1).encode()
    writer = RecordWriter({"links": PLACES}, PLACES[:1])
    return writer.page([OutboxRow(b"links/key%d" % number, value) for number in range(rows)], Numbering(1, 1))


@pytest.mark.parametrize(("rows", "size", "most"), [(25_000, 0, 50_000), (100, 350_000, 100)])
def test_no_more_waits_for_the_broker_than_there_is_room_for(
    sending: tuple[BatchProducer, Client, threading.Event], rows: int, size: int, most: int
) -> None:
    made, client, _ = sending
    client.on_wait = client.acknowledge
    given = page(rows, size)
    for _ in range(5):
        made.produce(given)
    assert client.most_in_flight == most
    client.on_wait = lambda: None
    with pytest.raises(DeliveryError, match="takes nothing more"):  # noqa: PT012 - whichever finds no room first
        for _ in range(5):
            made.produce(given)


def test_a_batch_is_done_when_nothing_is_in_flight_and_nothing_has_failed(
    sending: tuple[BatchProducer, Client, threading.Event],
) -> None:
    made, client, stop = sending
    made.produce(page(5))
    waits = iter(range(10))

    def acknowledge_at_last() -> None:
        if next(waits) == 7:
            client.acknowledge()

    client.on_wait = acknowledge_at_last
    made.await_acknowledgements()
    assert next(waits) == 8

    made.produce(page(5))
    client.told = ["it failed"]
    client.acknowledge()  # a record that failed is not in flight any more either
    with pytest.raises(DeliveryError, match="it failed"):
        made.await_acknowledgements()

    made.start_batch()  # with a client that knows nothing of it
    made.produce(page(5))
    stop.set()
    with pytest.raises(StoppedError):
        made.await_acknowledgements()


def test_a_record_that_the_client_refuses_breaks_the_batch(
    sending: tuple[BatchProducer, Client, threading.Event],
) -> None:
    made, client, _ = sending
    client.refuses = True
    with pytest.raises(DeliveryError, match="Unknown partition"):
        made.produce(page(5))


def test_the_layout_of_a_message_is_the_library_s() -> None:
    places = {name: MESSAGE.fields[name][1] for name in ("err", "topic", "partition", "payload", "len", "key")}
    assert places == {"err": 0, "topic": 8, "partition": 16, "payload": 24, "len": 32, "key": 40}
    assert MESSAGE.itemsize == 72
    assert np.zeros(2, MESSAGE).flags.c_contiguous
