"""What every reader of the stream does about its partitions' chains: judge records, and repair a chain that broke."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from pipelines.broker import topic_partitions
from pipelines.ingest import repository
from pipelines.ingest.domain import Chains, Diagnosis, Repair, Verdict, rewind_request
from pipelines.positions import START, Position, parse_positions, partition_key
from regions.errors import UnavailableError

if TYPE_CHECKING:
    import psycopg

    from pipelines.ingest.reader import PartitionReader
    from pipelines.ingest.records import Chunk
    from regions.region import Region

logger = logging.getLogger(__name__)


class PartitionsGrewError(UnavailableError):
    """The relay writes to partitions that this consumer does not read: start over, and read them."""


class ReaderStuckError(UnavailableError):
    """Kafka holds records that the client does not hand out: start over, with another client."""


def partitions_of(region: Region, connection: psycopg.Connection) -> list[str]:
    """Every partition to read: those of the contracts, and those that the relay has written to."""
    declared = {
        partition_key(topic, number) for topic, count in topic_partitions(region).items() for number in range(count)
    }
    return sorted(declared | repository.relay_state(connection).partitions.keys())


class ChainWatch:
    """Looks for partitions that stand still although the relay has sent more, and has them repaired.

    `forget` hears of each such partition's end, before it is judged.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        reader: PartitionReader,
        consumer: str,
        forget: Callable[[str, int], None] = lambda _key, _high: None,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._consumer = consumer
        self._forget = forget
        self._diagnoses: dict[str, Diagnosis] = {}
        self._last_at_check: dict[str, Position] = {}

    def check(self, last: dict[str, Position]) -> None:
        """`last` is what was accepted and is committed."""
        state = repository.relay_state(self._connection, self._consumer)  # before the partitions' ends are looked up
        sent = parse_positions(state.partitions)
        if unread := sent.keys() - self._reader.next_offsets.keys():
            raise PartitionsGrewError(
                f"the relay writes to partitions that were not there: {', '.join(sorted(unread))}"
            )
        standing = {
            key: position
            for key, position in sent.items()
            if last.get(key, START) == self._last_at_check.get(key, START)
        }
        self._last_at_check = dict(last)
        lost = {
            key: position
            for key, position in standing.items()
            if self._is_lost(key, is_behind=last.get(key, START) < position, is_rewind_pending=state.is_rewind_pending)
        }
        after = rewind_request(last, lost)
        if after is not None:
            logger.error(
                "Kafka has lost records: asking the relay to send them again",
                extra={"after": str(after), "partitions": ", ".join(sorted(lost))},
            )
            repository.request_rewind(self._connection, str(after), self._consumer)

    def _is_lost(self, key: str, *, is_behind: bool, is_rewind_pending: bool) -> bool:
        """Whether Kafka no longer holds what the relay had sent to a partition; reads it again first."""
        diagnosis = self._diagnoses.setdefault(key, Diagnosis())
        if not is_behind:
            diagnosis.is_reread = False
            return False
        try:
            low, high, next_offset = self._reader.extent(key)
        except KafkaException as error:
            logger.warning("the end of %s is unknown: %s", key, error.args[0])
            return False
        self._forget(key, high)
        if next_offset < high:
            if diagnosis.stands_still(next_offset):
                raise ReaderStuckError(f"nothing is read of {key} although Kafka holds offsets {next_offset} to {high}")
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
        chunk.name, chunk.position(0), chunk.position(len(chunk) - 1), chunk.after(0)
    ):
        return chunk, 0
    accepted, ahead = [], 0
    for index in range(len(chunk)):
        verdict = chains.offer(chunk.name, chunk.position(index), chunk.after(index))
        if verdict is Verdict.ACCEPTED:
            accepted.append(index)
        elif verdict is Verdict.AHEAD:
            ahead += 1
    return chunk.take(accepted), ahead
