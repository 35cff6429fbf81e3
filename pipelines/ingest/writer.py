"""Commits of the ingest: quarantine first, then events, each with how far it goes in the same commit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pyarrow as pa

from pipelines.ingest import parse
from pipelines.ingest.bulk import BulkParser
from pipelines.ingest.domain import Chains
from pipelines.ingest.parse import Rejected
from pipelines.ingest.records import Chunk, Record, records_of
from pipelines.positions import START, Position, format_positions, parse_positions, partition_key
from regions import faults
from warehouse.lake import FOREIGN_OFFSETS, LAKE_SEQ, OFFSETS, POSITIONS, Lake, read_lake_seq, read_map
from warehouse.lake_writer import stage_append

BULK_RECORDS_MIN = 500  # compiling the patterns of all types costs as much as judging so many records one by one
NOT_OURS = "the record carries no position: the relay did not send it"


@dataclass(slots=True)
class Intake:
    """What one commit takes in: accepted records, records without a position, and where that leaves every partition."""

    chains: Chains
    accepted: list[Chunk] = field(default_factory=list)
    foreign: list[Record] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.accepted or self.foreign)


class LakeWriter:
    """Appends to the two tables of the stream, always on the state that was read when it was made.

    After any error, known or unknown in its outcome, throw the writer away: a new one reads what the lake really holds.
    """

    def __init__(self, region: str, lake: Lake) -> None:
        lake.ensure_tables()
        self._lake = lake
        self._parser = BulkParser(region)
        self._region = region
        self._events = lake.events()
        self._quarantine = lake.quarantine()
        self._quarantined = parse_positions(read_map(self._quarantine, POSITIONS))
        self._foreign_offsets = {
            key: int(offset) for key, offset in read_map(self._quarantine, FOREIGN_OFFSETS).items()
        }

    @property
    def positions(self) -> dict[str, Position]:
        """The last accepted position per partition."""
        return parse_positions(read_map(self._events, POSITIONS))

    @property
    def offsets(self) -> dict[str, int]:
        """The next Kafka offset per partition as of the last commit: a hint."""
        return {key: int(offset) for key, offset in read_map(self._events, OFFSETS).items()}

    def is_new_foreign(self, key: str, offset: int) -> bool:
        """Whether a record without a position was not taken yet."""
        return offset >= self._foreign_offsets.get(key, 0)

    def forget_foreign(self, key: str, high: int) -> None:
        """The partition ends before our mark: it was wiped, and offsets begin anew."""
        if self._foreign_offsets.get(key, 0) > high:
            self._foreign_offsets[key] = 0

    def commit(self, intake: Intake, offsets: dict[str, int]) -> None:
        """Commit. A crash between the two commits repeats neither: each table has positions of its own."""
        at = parse.now()
        lake_seq = 1 + max(read_lake_seq(self._events), read_lake_seq(self._quarantine))
        proven, unproven = self._prove(intake.accepted)
        rest = parse.sort_records(self._region, unproven)
        self._commit_quarantine(rest.rejected, intake.foreign, lake_seq)
        if not intake.accepted:
            return
        properties = {
            POSITIONS: json.dumps(format_positions(intake.chains.last)),
            OFFSETS: json.dumps({key: str(offset) for key, offset in offsets.items()}),
            LAKE_SEQ: str(lake_seq),
        }
        rows = parse.events_table(rest.events, lake_seq, at)
        if proven is not None:
            rows = pa.concat_tables([parse.with_commit(proven, lake_seq, at), rows])
        staged = stage_append(self._lake, self._events, rows, properties)
        faults.reach("ingest.after_data_file")
        self._events = staged.commit()
        faults.reach("ingest.after_commit")

    def _prove(self, chunks: list[Chunk]) -> tuple[pa.Table | None, list[Record]]:
        """What is proven in bulk, and what to judge one by one: all of a batch too small to pay for the proof."""
        if sum(len(chunk) for chunk in chunks) < BULK_RECORDS_MIN:
            return None, list(records_of(chunks))
        return self._parser.prove(chunks)

    def _commit_quarantine(self, rejected: list[Rejected], foreign: list[Record], lake_seq: int) -> None:
        rows: list[Rejected] = []
        for item in rejected:
            key, position = _place(item.record)
            if position > self._quarantined.get(key, START):
                self._quarantined[key] = position
                rows.append(item)
        for record in foreign:
            key, _ = _place(record)
            self._foreign_offsets[key] = record.offset + 1
            rows.append(Rejected(record, NOT_OURS))
        if not rows:
            return
        properties = {
            POSITIONS: json.dumps(format_positions(self._quarantined)),
            FOREIGN_OFFSETS: json.dumps({key: str(offset) for key, offset in self._foreign_offsets.items()}),
            LAKE_SEQ: str(lake_seq),
        }
        table = parse.quarantine_table(rows, lake_seq, parse.now())
        self._quarantine = stage_append(self._lake, self._quarantine, table, properties).commit()


def _place(record: Record) -> tuple[str, Position]:
    return partition_key(record.topic, record.partition), Position.parse(record.position)
