"""Relay numbering and ingest acceptance against an adversary: what is accepted is always what was committed."""

import re
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.ingest.domain import Chains, Diagnosis, Repair, Verdict, rewind_request
from pipelines.ingest.reader import of_headers
from pipelines.positions import START, Position, PositionError, missing, parse_positions
from pipelines.relay.domain import Numbering, rewind_target
from pipelines.relay.envelope import Place, RecordWriter
from pipelines.relay.repository import OutboxRow
from pipelines.stamps import STAMP_BYTES, StampError, blank, padded, read_stamps

PARTITIONS = ("eu.links.v1/0", "eu.links.v1/1", "eu.payments.v1/0")
positions = st.builds(Position, *[st.integers(min_value=0, max_value=2**40)] * 3)


@given(positions, positions)
def test_positions_sort_as_their_numbers_do_and_survive_text(left: Position, right: Position) -> None:
    assert Position.parse(str(left)) == left
    assert (left < right) == ((left.epoch, left.batch, left.ordinal) < (right.epoch, right.batch, right.ordinal))


@pytest.mark.parametrize("text", ["1:2", "1:2:3:4", "1:-2:3", "a:b:c", "1:2:3 ", "1::3", "\u0661:\u0662:\u0663"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(PositionError):
        Position.parse(text)


def test_the_empty_text_stands_before_everything() -> None:
    assert Position.parse("") == START < Position(1, 1, 1)


@given(st.lists(st.sampled_from(PARTITIONS)), st.lists(st.sampled_from(PARTITIONS)))
def test_numbering_the_same_batch_again_gives_the_same_stamps(before: list[str], batch: list[str]) -> None:
    first = Numbering(1, 1)
    for partition in before:
        first.stamp(partition)
    again = [Numbering(1, 2, dict(first.partitions)) for _ in range(2)]
    stamps = [[numbering.stamp(partition) for partition in batch] for numbering in again]
    assert stamps[0] == stamps[1]
    assert again[0].partitions == again[1].partitions


pages = st.lists(st.lists(st.tuples(st.sampled_from(("links", "none")), st.integers(0, 40)), min_size=1), max_size=4)
starts = st.dictionaries(
    st.sampled_from(PARTITIONS[:2]), st.builds(Position, st.just(1), st.just(8), st.integers(1, 9))
)


@settings(max_examples=60)
@given(pages, starts)
def test_pages_are_stamped_as_one_record_after_the_other_would_be(
    given_pages: list[list[tuple[str, int]]], before: dict[str, Position]
) -> None:
    links, rest = ([Place(f"eu.{name}.v1", n, f"eu.{name}.v1/{n}") for n in (0, 1)] for name in ("links", "payments"))
    writer, bulk = RecordWriter({"links": links}, rest), Numbering(1, 9, {k: str(v) for k, v in before.items()})
    single = Numbering(1, 9, dict(bulk.partitions))
    for page in given_pages:
        rows = [OutboxRow(f"{family}/ö{key}".encode(), f"{{{'x' * key}{blank(1, 9)}".encode()) for family, key in page]
        made = writer.page(rows, bulk)
        numbers, is_stamped = read_stamps(made.values, made.value_ends, made.value_sizes())
        assert is_stamped.all()
        for (_, key), record, found in zip(page, made.records(), numbers.tolist(), strict=True):
            expected = single.stamp(f"{record.topic}/{record.partition}")
            assert (Position(*found[:3]), Position(*found[3:])) == tuple(map(Position.parse, expected))
            assert (record.key.decode(), record.value[:-STAMP_BYTES]) == (f"ö{key}", b"{" + b"x" * key)
    assert (bulk.partitions, bulk.count) == (single.partitions, single.count)


@given(st.integers(0, STAMP_BYTES), st.binary(min_size=1, max_size=3))
def test_what_is_no_stamp_is_not_taken_for_one(place: int, other: bytes) -> None:
    value = b"{" + blank(1, 2).encode()
    spoilt = value[: 1 + place] + other + value[1 + place + len(other) :]
    values = [value, spoilt, b"", value[1:], value[:-1]]
    sizes = np.array([len(one) for one in values])
    _, is_stamped = read_stamps(np.frombuffer(b"".join(values), np.uint8), sizes.cumsum(), sizes)
    shape = re.compile(rb',"position":"\d{6}:\d{12}:\d{12}","after":"\d{6}:\d{12}:\d{12}"}')
    assert is_stamped.tolist() == [
        True,
        len(spoilt) > STAMP_BYTES and shape.fullmatch(spoilt[-STAMP_BYTES:]) is not None,
        False,
        False,
        False,
    ]


def test_a_position_too_large_for_a_stamp_is_refused() -> None:
    assert padded(Position(1, 10**12 - 1, 2)) == "000001:999999999999:000000000002"
    with pytest.raises(StampError):
        padded(Position(1, 10**12, 2))


def test_records_sent_before_there_were_stamps_are_read_by_their_headers() -> None:
    assert of_headers([("position", b"1:22:333"), ("after", b"")]) == (1, 22, 333, 0, 0, 0)
    assert of_headers({"after": b"1:2:3", "position": b"1:22:333", "more": b""}) == (1, 22, 333, 1, 2, 3)
    for wrong in (
        None,
        [],
        [("position", b"1:2:3")],
        [("position", b"1:2:3"), ("after", b"x")],
        [("position", b"1:2"), ("after", b"")],
        [("position", "1:2:3"), ("after", b"")],
    ):
        assert of_headers(wrong) is None


@given(st.dictionaries(st.sampled_from(PARTITIONS), positions), st.dictionaries(st.sampled_from(PARTITIONS), positions))
def test_a_rewind_never_starts_after_anything_that_is_missing(
    last: dict[str, Position], sent: dict[str, Position]
) -> None:
    after = rewind_request(last, sent)
    gaps = missing(sent, last)
    assert (after is None) == (not gaps)
    assert after is None or all(after <= reached for reached in gaps.values())


@dataclass(frozen=True)
class Sent:
    """A record as it lies in Kafka."""

    event: int
    position: Position
    after: Position


@dataclass
class World:
    """Outbox, relay, Kafka and lake, each reduced to what decides about order, loss and repeats."""

    random: Random
    holes: float
    batches: list[list[tuple[str, int]]] = field(default_factory=list)  # acknowledged or begun: (partition, event)
    starts: list[dict[str, str]] = field(default_factory=list)  # the relay's positions before each batch
    acknowledged: int = 0
    cursor: dict[str, str] = field(default_factory=dict)
    kafka: dict[str, list[Sent]] = field(default_factory=lambda: {key: [] for key in PARTITIONS})
    lake: dict[str, list[int]] = field(default_factory=lambda: {key: [] for key in PARTITIONS})
    committed: Chains = field(default_factory=Chains)
    committed_offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, 0))
    offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, 0))
    diagnoses: dict[str, Diagnosis] = field(default_factory=lambda: {key: Diagnosis() for key in PARTITIONS})
    rewind_to: str | None = None
    events: int = 0

    # --- relay

    def transact(self) -> None:
        """Commit some events; they become a batch."""
        batch = [(self.random.choice(PARTITIONS), self.events + number) for number in range(self.random.randint(1, 6))]
        self.events += len(batch)
        self.batches.append(batch)

    def produce(self, number: int, start: dict[str, str], *, upto: int | None = None) -> Numbering:
        """Put a batch, or its beginning, into Kafka; the adversary drops, repeats and swaps records."""
        numbering = Numbering(1, number + 1, dict(start))
        for partition, event in self.batches[number][:upto]:
            position, after = numbering.stamp(partition)
            record = Sent(event, Position.parse(position), Position.parse(after))
            if self.random.random() < self.holes:
                continue
            log = self.kafka[partition]
            log.extend([record] * self.random.choice((1, 1, 1, 2)))
            if self.random.random() < self.holes and len(log) > 1:
                log[-1], log[-2] = log[-2], log[-1]
        return numbering

    def relay(self) -> None:
        """Honour a rewind or send the next batch; it may crash half-way or before the cursor moves."""
        if self.rewind_to is not None:
            target = rewind_target([self.rewind_to])
            assert target is not None
            for number in range(max(0, target.batch - 1), self.acknowledged):
                self.produce(number, self.starts[number])
            self.rewind_to = None
        if self.acknowledged == len(self.batches):
            return
        fate = self.random.random()
        batch = self.batches[self.acknowledged]
        if fate < self.holes:
            self.produce(self.acknowledged, self.cursor, upto=self.random.randint(0, len(batch)))
            return
        numbering = self.produce(self.acknowledged, self.cursor)
        if fate < 2 * self.holes:
            return
        self.starts.append(dict(self.cursor))
        self.cursor = numbering.partitions
        self.acknowledged += 1

    def wipe(self) -> None:
        """The broker comes back empty."""
        self.kafka = {key: [] for key in PARTITIONS}

    # --- ingest

    def ingest(self) -> None:
        """Read some of each partition and commit, or crash and start again from the last commit."""
        chains = self.committed.copy()
        accepted: list[tuple[str, int]] = []
        for partition in PARTITIONS:
            log, offset = self.kafka[partition], self.offsets[partition]
            for record in log[offset : offset + self.random.randint(0, 9)]:
                self.offsets[partition] += 1
                if chains.offer(partition, record.position, record.after) is Verdict.ACCEPTED:
                    accepted.append((partition, record.event))
        if self.random.random() < self.holes:
            self.offsets = dict(self.committed_offsets)
            self.diagnoses = {key: Diagnosis() for key in PARTITIONS}
            return
        for partition, event in accepted:
            self.lake[partition].append(event)
        if accepted:
            self.committed_offsets = dict(self.offsets)
        self.committed = chains

    def check(self) -> None:
        """Look for broken chains at the partitions' ends, as the ingest does now and then."""
        sent = parse_positions(self.cursor)
        lost: dict[str, Position] = {}
        for partition in missing(sent, self.committed.last):
            end, offset = len(self.kafka[partition]), self.offsets[partition]
            if offset < end:
                continue
            pending = self.rewind_to is not None
            repair = self.diagnoses[partition].at_end(is_behind=True, is_rewind_pending=pending)
            if repair is Repair.REREAD or offset > end:
                self.offsets[partition] = 0
            if repair is Repair.REWIND:
                lost[partition] = sent[partition]
        after = rewind_request(self.committed.last, lost)
        if after is not None:
            self.rewind_to = str(after)

    def expected(self) -> dict[str, list[int]]:
        """What was committed, per partition in order."""
        return {key: [event for batch in self.batches for place, event in batch if place == key] for key in PARTITIONS}


def storm(seed: int, steps: int) -> World:
    """Everything goes wrong for a while, then nothing does; every prefix on the way is checked."""
    random = Random(seed)
    world = World(random, holes=random.choice((0.05, 0.2, 0.4)))
    actions = (world.transact, world.relay, world.relay, world.ingest, world.ingest, world.check)
    for _ in range(steps):
        random.choice(actions)()
        if random.random() < world.holes / 20:
            world.wipe()
        expected = world.expected()
        for partition, events in world.lake.items():
            assert events == expected[partition][: len(events)], f"seed {seed}: {partition} is no prefix"
    world.holes = 0.0
    for _ in range(40 + 20 * len(world.batches)):
        world.relay()
        world.ingest()
        world.check()
    return world


@settings(max_examples=150, deadline=None)
@example(seed=0)
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_the_lake_holds_every_committed_event_once_and_in_order(seed: int) -> None:
    world = storm(seed, 120)
    assert world.lake == world.expected(), f"seed {seed}"


@pytest.mark.campaign
def test_three_thousand_storms() -> None:
    for seed in range(3000):
        world = storm(seed, 200)
        assert world.lake == world.expected(), f"seed {seed}"
