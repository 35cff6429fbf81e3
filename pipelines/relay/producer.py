"""The relay's producer: idempotent, patient, and done only when every record is acknowledged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipelines.broker import client_settings
from pipelines.relay.librdkafka import MESSAGE, RawProducer, error_text

if TYPE_CHECKING:
    from pipelines.relay.envelope import Page

logger = logging.getLogger(__name__)

QUEUE_BYTES_MAX = 64 * 1024 * 1024  # what may wait in memory for the broker, were all values as large as the largest
QUEUE_RECORDS_MAX = 60_000
FULL_SECONDS = 0.02  # how long a full queue is waited for at once
STALL_SECONDS = 3.0  # without one acknowledgement for so long, the broker is looked at


class DeliveryError(Exception):
    """The broker refused a record, or the producer is beyond repair: the batch must be produced again whole."""


class StoppedError(Exception):
    """The process was asked to stop while records were in flight; the batch is produced again at the next start."""


class BatchProducer:
    """Produces one batch at a time.

    `message.timeout.ms=0`: a record never times out. One that did would leave a hole that its own resend cannot fill,
    because the records behind it are already in Kafka and would then come before it. `on_stall` is called while nothing
    is acknowledged, and says whether the broker answers at all.
    """

    def __init__(self, bootstrap: str, client_id: str, stop: threading.Event, on_stall: Callable[[], bool]) -> None:
        plain = {
            name: value
            for name, value in client_settings(bootstrap, client_id).items()
            if name not in {"logger", "error_cb"}
        }
        self._settings = plain | {
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 0,
            "linger.ms": 50,  # full requests while a backlog streams; the end of a batch is flushed and does not linger
            # How much may wait we count ourselves: the client would refuse a record of a page and take the one behind.
            "queue.buffering.max.messages": 0,
            "queue.buffering.max.kbytes": 2_147_483_647,
            # Only failures are told, and what is still in flight is what the client counts. No record is ever given up
            # silently: it leaves that count when the broker has acknowledged it, or when its failure was told.
            "delivery.report.only.error": True,
        }
        self._stop = stop
        self._on_stall = on_stall
        self._producer = RawProducer(self._settings)
        self._reset()

    def _reset(self) -> None:
        self._sent = 0
        self._acknowledged = 0
        self._largest = 1
        self._failure: str | None = None
        self._progress_at = time.monotonic()
        self._is_stalled = False
        self._answers = 0

    def start_batch(self) -> None:
        """Begin a batch, with a fresh producer if the last batch did not end well."""
        if len(self._producer) or self._failure is not None or self._producer.failures():
            fresh = RawProducer(self._settings)
            self.close()
            self._producer = fresh
        self._reset()

    def produce(self, page: Page) -> None:
        """Queue a page in order, topic by topic.

        Raises DeliveryError, also when a full queue does not move: nothing may wait for a dead broker inside the
        transaction that reads the batch.
        """
        sizes = page.value_sizes()
        self._await_room(len(page), int(sizes.max(initial=0)))
        messages = np.zeros(len(page), MESSAGE)
        messages["partition"] = np.array([place.partition for place in page.places], np.int32)[page.codes]
        messages["payload"] = page.values.ctypes.data + page.value_ends - sizes
        messages["len"] = sizes
        messages["key"] = page.routes.ctypes.data + page.route_ends - page.key_sizes
        messages["key_len"] = page.key_sizes
        names = list(dict.fromkeys(place.topic for place in page.places))
        topics = np.array([names.index(place.topic) for place in page.places])[page.codes]
        for number in np.unique(topics).tolist():
            of_topic = messages[topics == number]
            self._producer.produce(names[number], of_topic)
            if refused := np.flatnonzero(of_topic["err"]).tolist():
                self._failure = error_text(int(of_topic["err"][refused[0]]))
                self._raise_failure()
        self._sent += len(page)
        self._poll(0)

    def _await_room(self, count: int, largest: int) -> None:
        self._largest = max(self._largest, largest)
        room = min(QUEUE_RECORDS_MAX, QUEUE_BYTES_MAX // self._largest)
        while (waiting := len(self._producer)) and waiting + count > room:
            self._poll(FULL_SECONDS)
            if self._is_stalled:
                raise DeliveryError("the broker takes nothing more")

    def await_acknowledgements(self) -> None:
        """Wait, as long as it takes, until every record of the batch is acknowledged. Raises DeliveryError."""
        while len(self._producer):
            self._poll(0.05, is_flushing=True)
        self._take_failures(0)
        self._raise_failure()

    def _poll(self, seconds: float, *, is_flushing: bool = False) -> None:
        """Let the client work for so long at most; flushing, it does not linger."""
        if is_flushing:
            self._producer.flush(seconds)
            seconds = 0
        self._take_failures(seconds)
        self._raise_failure()
        if self._stop.is_set():
            raise StoppedError
        acknowledged = self._sent - len(self._producer)
        if acknowledged > self._acknowledged or acknowledged == self._sent:
            self._acknowledged = acknowledged
            self._progress_at = time.monotonic()
            if self._is_stalled:
                self._is_stalled = False
                self._answers = 0
                logger.info("the broker acknowledges again")
        elif time.monotonic() - self._progress_at > STALL_SECONDS:
            if not self._is_stalled:
                logger.warning(
                    "the broker acknowledges nothing: waiting", extra={"unacknowledged": len(self._producer)}
                )
            self._is_stalled = True
            self._look_at_broker()
            self._progress_at = time.monotonic()

    def _take_failures(self, seconds: float) -> None:
        """A fatal error ends only this producer, not the relay."""
        failures = self._producer.failures(seconds)
        if self._failure is None and failures:
            self._failure = failures[0]

    def _look_at_broker(self) -> None:
        """A broker that answers but acknowledges nothing, twice, does not know this producer: it was wiped."""
        self._answers = self._answers + 1 if self._on_stall() else 0
        if self._answers > 1:
            self._failure = "the broker answers but acknowledges nothing"
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise DeliveryError(self._failure)

    def close(self) -> None:
        """Let go of what was not acknowledged: it is produced again from the outbox."""
        self._producer.close()
