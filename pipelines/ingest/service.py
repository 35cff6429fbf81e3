"""The ingest: from Kafka to the lake, each event once."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from pipelines.ingest import repository
from pipelines.ingest.domain import Chains, Diagnosis, Repair, Verdict, rewind_request
from pipelines.ingest.reader import Limits
from pipelines.ingest.writer import Intake
from pipelines.positions import START, Position, format_positions, parse_positions, partition_key
from regions.errors import UnavailableError

if TYPE_CHECKING:
    import psycopg

    from pipelines.ingest.reader import Incoming, PartitionReader
    from pipelines.ingest.records import Chunk
    from pipelines.ingest.writer import LakeWriter

logger = logging.getLogger(__name__)

LIMITS = Limits(records=100_000, size=96 * 1024 * 1024)  # of one commit
CHECK_SECONDS = 1.0


class PartitionsGrewError(UnavailableError):
    """The relay writes to partitions that this ingest does not read: start over, and read them."""


class Ingest:
    """One leader's reading and committing. After an error, make a new one: the lake says where to go on."""

    def __init__(self, connection: psycopg.Connection, writer: LakeWriter, reader: PartitionReader) -> None:
        self._connection = connection
        self._writer = writer
        self._reader = reader
        self._chains = Chains(writer.positions)
        self._committer = ThreadPoolExecutor(1, "commit")
        self._pending: Future[None] | None = None
        self._diagnoses: dict[str, Diagnosis] = {}
        self._last_at_check: dict[str, Position] = {}
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
        state = repository.relay_state(self._connection)  # before the partitions' ends are looked up
        sent = parse_positions(state.partitions)
        if unread := sent.keys() - self._reader.next_offsets.keys():
            raise PartitionsGrewError(
                f"the relay writes to partitions that were not there: {', '.join(sorted(unread))}"
            )
        standing = {
            key: position
            for key, position in sent.items()
            if self._chains.last.get(key, START) == self._last_at_check.get(key, START)
        }
        self._last_at_check = dict(self._chains.last)
        lost = {
            key: position
            for key, position in standing.items()
            if self._is_lost(key, position, is_rewind_pending=state.is_rewind_pending)
        }
        after = rewind_request(self._chains.last, lost)
        if after is not None:
            logger.error(
                "Kafka has lost records: asking the relay to send them again",
                extra={"after": str(after), "partitions": ", ".join(sorted(lost))},
            )
            repository.request_rewind(self._connection, str(after))

    def _is_lost(self, key: str, sent: Position, *, is_rewind_pending: bool) -> bool:
        """Whether Kafka no longer holds what the relay had sent to a partition; reads it again first."""
        is_behind = self._chains.last.get(key, START) < sent
        diagnosis = self._diagnoses.setdefault(key, Diagnosis())
        if not is_behind:
            diagnosis.is_reread = False
            return False
        try:
            low, high, next_offset = self._reader.extent(key)
        except KafkaException as error:
            logger.warning("the end of %s is unknown: %s", key, error.args[0])
            return False
        self._writer.forget_foreign(key, high)
        if next_offset < high:
            return False
        repair = diagnosis.at_end(is_behind=True, is_rewind_pending=is_rewind_pending)
        if repair is Repair.REREAD or next_offset > high:
            logger.warning("the chain of %s is broken: reading it again from its start", key)
            self._reader.reread(key, low)
        return repair is Repair.REWIND


def judge(chains: Chains, chunk: Chunk) -> tuple[Chunk, int]:
    """The records of a chunk that its chain accepts, in order, and how many lie ahead of a hole."""
    if not len(chunk):
        return chunk, 0
    if chunk.is_run() and chains.offer_run(
        chunk.name, _position(chunk.positions[0]), _position(chunk.positions[-1]), _position(chunk.afters[0])
    ):
        return chunk, 0
    accepted, ahead = [], 0
    for index, (position, after) in enumerate(zip(chunk.positions, chunk.afters, strict=True)):
        verdict = chains.offer(chunk.name, _position(position), _position(after))
        if verdict is Verdict.ACCEPTED:
            accepted.append(index)
        elif verdict is Verdict.AHEAD:
            ahead += 1
    return chunk.take(accepted), ahead


def _position(header: bytes) -> Position:
    return Position.parse(header.decode("ascii"))
