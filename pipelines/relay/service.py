"""The relay: from the outbox to Kafka, batch by batch, in an order and with positions that never change."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from pipelines.broker import topic_partitions, unrouted_topic
from pipelines.positions import partition_key
from pipelines.relay import repository
from pipelines.relay.domain import Numbering, partition_counts, rewind_target, with_declared
from pipelines.relay.envelope import Place, RecordWriter
from regions import events, faults

if TYPE_CHECKING:
    import psycopg

    from pipelines.relay.producer import BatchProducer
    from pipelines.relay.repository import Batch, Cursor
    from regions.region import Region

logger = logging.getLogger(__name__)


class Relay:
    """Sends what was committed. The connection must hold the relay's lock (`pipelines.leadership`)."""

    def __init__(self, region: Region, connection: psycopg.Connection, producer: BatchProducer) -> None:
        self._region = region
        self._connection = connection
        self._producer = producer
        self._declared = topic_partitions(region)
        self._writers: dict[frozenset[str], RecordWriter] = {}

    def step(self) -> int:
        """Send one batch, and count its events; 0 when nothing new was committed.

        A batch that an earlier process began is sent first, exactly as it was. Raises DeliveryError: call again.
        """
        cursor = repository.read_cursor(self._connection)
        if cursor.next_snapshot is None:
            self._honour_rewinds(cursor)
            if not repository.has_new_rows(self._connection, cursor):
                return 0
            partitions = with_declared(cursor.partitions, self._declared)
            batch = repository.persist_next_snapshot(self._connection, cursor, partitions)
        else:
            batch = repository.Batch(
                cursor.epoch, cursor.batch + 1, cursor.snapshot, cursor.next_snapshot, cursor.partitions
            )
        faults.reach("relay.after_snapshot")
        numbering = self._send(batch)
        faults.reach("relay.after_produce")
        repository.move_cursor(self._connection, batch, numbering.partitions, numbering.count)
        faults.reach("relay.after_cursor")
        return numbering.count

    def _send(self, batch: Batch) -> Numbering:
        """Produce a batch and wait for every acknowledgement."""
        numbering = Numbering(batch.epoch, batch.number, dict(batch.partitions))
        writer = self._writer(batch)
        self._producer.start_batch()
        with closing(repository.rows_of(self._connection, batch, self._region.code)) as pages:
            for page in pages:
                self._producer.produce(writer.page(page, numbering))
                faults.reach("relay.in_batch")
        self._producer.await_acknowledgements()
        return numbering

    def _writer(self, batch: Batch) -> RecordWriter:
        """The writer for the partitions that the batch names: those of its own time, however many there are now."""
        named = frozenset(batch.partitions)
        if named not in self._writers:
            counts = partition_counts(named)

            def places(topic: str) -> list[Place]:
                count = counts.get(topic, self._declared[topic])
                return [Place(topic, number, partition_key(topic, number)) for number in range(count)]

            families = {family: places(events.topic(self._region.code, family)) for family in events.FAMILIES}
            self._writers[named] = RecordWriter(families, places(unrouted_topic(self._region)))
        return self._writers[named]

    def _honour_rewinds(self, cursor: Cursor) -> None:
        """Send again, with the same positions, what consumers have lost; who has a record already drops it."""
        requests = repository.rewind_requests(self._connection)
        target = rewind_target(requests.values())
        if target is None:
            return
        batches = repository.sent_batches(self._connection, target.epoch, target.batch)
        logger.warning(
            "sending again for consumers that lost records",
            extra={"consumers": ", ".join(sorted(requests)), "after": str(target), "batches": len(batches)},
        )
        for batch in batches:
            self._send(batch)
        repository.clear_rewind_requests(self._connection, requests)
        logger.info("sent again", extra={"upto": f"{cursor.epoch}:{cursor.batch}"})
