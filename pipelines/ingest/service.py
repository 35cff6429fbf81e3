"""The ingest: from Kafka to the lake, each event once."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from pipelines.ingest import repository
from pipelines.ingest.chains import ChainWatch, judge
from pipelines.ingest.domain import Chains
from pipelines.ingest.reader import Limits
from pipelines.ingest.writer import Intake
from pipelines.positions import format_positions, partition_key

if TYPE_CHECKING:
    import psycopg

    from pipelines.ingest.reader import Incoming, PartitionReader
    from pipelines.ingest.writer import LakeWriter

logger = logging.getLogger(__name__)

LIMITS = Limits(records=100_000, size=96 * 1024 * 1024)  # of one commit
CHECK_SECONDS = 1.0


class Ingest:
    """One leader's reading and committing. After an error, make a new one: the lake says where to go on."""

    def __init__(self, connection: psycopg.Connection, writer: LakeWriter, reader: PartitionReader) -> None:
        self._connection = connection
        self._writer = writer
        self._reader = reader
        self._chains = Chains(writer.positions)
        self._committer = ThreadPoolExecutor(1, "commit")
        self._pending: Future[None] | None = None
        self._watch = ChainWatch(connection, reader, repository.CONSUMER, writer.forget_foreign)
        self._check_at = time.monotonic() + CHECK_SECONDS
        repository.register(connection, format_positions(self._chains.last))

    def step(self, seconds: float) -> int:
        """Read for up to `seconds`, hand over what was accepted, and count it.

        While one batch is parsed, written and committed, the next is read and judged. Whatever goes wrong with a commit
        is raised by a later step; then what was judged on top of it is worth nothing, and neither is this object.
        """
        incoming = self._reader.read(LIMITS, seconds, self._is_idle)
        intake = self._judge(incoming)
        if intake or self._is_idle():
            self._await_commit()
        if intake:
            offsets = dict(self._reader.next_offsets)
            self._chains = intake.chains
            self._pending = self._committer.submit(self._writer.commit, intake, offsets)
        if time.monotonic() >= self._check_at:
            self._check_chains()
            self._check_at = time.monotonic() + CHECK_SECONDS
        return sum(len(chunk) for chunk in intake.accepted)

    def close(self) -> None:
        """Let a commit that is under way end. Its outcome is for the next ingest to read, from the lake."""
        self._committer.shutdown(wait=True)

    def _is_idle(self) -> bool:
        return self._pending is None or self._pending.done()

    def _await_commit(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()
            repository.register(self._connection, format_positions(self._writer.positions))

    def _judge(self, incoming: Incoming) -> Intake:
        intake = Intake(self._chains.copy())
        ahead = 0
        for chunk in incoming.chunks:
            accepted, beyond = judge(intake.chains, chunk)
            ahead += beyond
            if len(accepted):
                intake.accepted.append(accepted)
        intake.foreign = [
            record
            for record in incoming.foreign
            if self._writer.is_new_foreign(partition_key(record.topic, record.partition), record.offset)
        ]
        if ahead:
            logger.warning("records ahead of a hole were left out", extra={"records": ahead})
        return intake

    def _check_chains(self) -> None:
        """Look for partitions that stand still although the relay has sent more, and repair them."""
        self._await_commit()  # what is judged but not committed stands on nothing yet
        self._watch.check(self._chains.last)
