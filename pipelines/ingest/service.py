"""The ingest: from Kafka to the lake, each event once."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from pipelines.ingest import repository
from pipelines.ingest.domain import Chains, Diagnosis, Repair, Verdict, rewind_request
from pipelines.ingest.writer import Intake
from pipelines.positions import START, Position, format_positions, parse_positions

if TYPE_CHECKING:
    import psycopg

    from pipelines.ingest.reader import Incoming, PartitionReader
    from pipelines.ingest.writer import LakeWriter

logger = logging.getLogger(__name__)

COMMIT_RECORDS_MAX = 20_000
COMMIT_BYTES_MAX = 32 * 1024 * 1024
CHECK_SECONDS = 1.0


class Ingest:
    """One leader's reading and committing. After an error, make a new one: the lake says where to go on."""

    def __init__(self, connection: psycopg.Connection, writer: LakeWriter, reader: PartitionReader) -> None:
        self._connection = connection
        self._writer = writer
        self._reader = reader
        self._chains = Chains(writer.positions)
        self._diagnoses: dict[str, Diagnosis] = {}
        self._last_at_check: dict[str, Position] = {}
        self._check_at = time.monotonic() + CHECK_SECONDS
        repository.register(connection, format_positions(self._chains.last))

    def step(self, seconds: float) -> int:
        """Read for up to `seconds`, commit what was accepted, and count it."""
        intake = self._judge(self._reader.read(COMMIT_RECORDS_MAX, COMMIT_BYTES_MAX, seconds))
        if intake:
            self._writer.commit(intake, self._reader.next_offsets)
            self._chains = intake.chains
            repository.register(self._connection, format_positions(self._chains.last))
        if time.monotonic() >= self._check_at:
            self._check_chains()
            self._check_at = time.monotonic() + CHECK_SECONDS
        return len(intake.accepted)

    def _judge(self, incoming: list[Incoming]) -> Intake:
        intake = Intake(self._chains.copy())
        ahead = 0
        for partition, position, after, record in incoming:
            if position is None or after is None:
                if self._writer.is_new_foreign(partition, record.offset):
                    intake.foreign.append(record)
                continue
            verdict = intake.chains.offer(partition, position, after)
            if verdict is Verdict.ACCEPTED:
                intake.accepted.append(record)
            elif verdict is Verdict.AHEAD:
                ahead += 1
        if ahead:
            logger.warning("records ahead of a hole were left out", extra={"records": ahead})
        return intake

    def _check_chains(self) -> None:
        """Look for partitions that stand still although the relay has sent more, and repair them."""
        state = repository.relay_state(self._connection)  # before the partitions' ends are looked up
        sent = parse_positions(state.partitions)
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
