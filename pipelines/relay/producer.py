"""The relay's producer: idempotent, patient, and done only when every record is acknowledged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.broker import client_settings

if TYPE_CHECKING:
    from pipelines.relay.envelope import Record

logger = logging.getLogger(__name__)

QUEUE_KIB_MAX = 65_536  # what may wait in memory for the broker
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
        self._settings = client_settings(bootstrap, client_id) | {
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 0,
            "linger.ms": 50,  # full requests while a backlog streams; the end of a batch is flushed and does not linger
            "queue.buffering.max.kbytes": QUEUE_KIB_MAX,
            # A call into Python per record would cost more than the record: only failures are told, and what is still
            # in flight is what the client counts. No record is ever given up silently: it fails, or it is waited for.
            "delivery.report.only.error": True,
        }
        self._stop = stop
        self._on_stall = on_stall
        self._producer = self._new_producer()
        self._reset()

    def _new_producer(self) -> Producer:
        """A producer whose late failures cannot touch the batches of the one after it."""
        failed: list[KafkaError] = []

        def on_failure(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error)

        self._failed = failed
        return Producer(self._settings | {"on_delivery": on_failure})

    def _reset(self) -> None:
        self._sent = 0
        self._acknowledged = 0
        self._failure: KafkaError | None = None
        self._progress_at = time.monotonic()
        self._is_stalled = False
        self._answers = 0

    def start_batch(self) -> None:
        """Begin a batch, with a fresh producer if the last batch did not end well."""
        if len(self._producer) or self._failure is not None or self._failed:
            self.close()
            self._producer = self._new_producer()
        self._reset()

    def produce(self, records: Iterable[Record]) -> None:
        """Queue records in order.

        Raises DeliveryError, also when a full queue does not move: nothing may wait for a dead broker inside the
        transaction that reads the batch.
        """
        produce = self._producer.produce
        for topic, value, key, partition, headers in records:
            while True:
                try:
                    produce(topic, value, key, partition, headers=headers)
                except BufferError:
                    self._poll(FULL_SECONDS)
                    if self._is_stalled:
                        raise DeliveryError("the broker takes nothing more") from None
                except KafkaException as error:
                    raise DeliveryError(f"{error.args[0].str()}") from error
                else:
                    break
            self._sent += 1
        self._poll(0)

    def await_acknowledgements(self) -> None:
        """Wait, as long as it takes, until every record of the batch is acknowledged. Raises DeliveryError."""
        while len(self._producer):
            self._poll(0.05, is_flushing=True)
        self._raise_failure()

    def _poll(self, seconds: float, *, is_flushing: bool = False) -> None:
        """Let the client work for so long at most; flushing, it does not linger."""
        self._serve(lambda: (self._producer.flush if is_flushing else self._producer.poll)(seconds))
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

    def _serve(self, work: Callable[[], object]) -> None:
        """Let the client work. A fatal error comes out of any call, and ends only this producer, not the relay."""
        try:
            work()
        except KafkaException as error:
            self._failure = error.args[0]
            self._raise_failure()

    def _look_at_broker(self) -> None:
        """A broker that answers but acknowledges nothing, twice, does not know this producer: it was wiped."""
        self._answers = self._answers + 1 if self._on_stall() else 0
        if self._answers > 1:
            self._failure = KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, "the broker answers but acknowledges nothing")
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is None and self._failed:
            self._failure = self._failed[0]
        if self._failure is not None:
            raise DeliveryError(self._failure.str())

    def close(self) -> None:
        """Let go of what was not acknowledged: it is produced again from the outbox."""
        with suppress(
            KafkaException
        ):  # a producer with a fatal error may refuse even this; it is let go of all the same
            self._producer.purge()
