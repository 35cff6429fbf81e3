"""What a partition that stands still is taken for: its reader may be stuck, or Kafka may have lost records."""

from typing import Any, cast

import pytest

from pipelines.ingest import repository
from pipelines.ingest.chains import ChainWatch, ReaderStuckError
from pipelines.ingest.domain import STANDING_LOOKS_MAX
from pipelines.ingest.reader import Extent, PartitionReader

PARTITION = "eu.links.v1/0"


class Reader:
    """Reads nothing by itself."""

    def __init__(self, high: int) -> None:
        self.next_offsets = {PARTITION: 0}
        self.high = high

    def extent(self, key: str) -> Extent:
        return Extent(0, self.high, self.next_offsets[key])

    def reread(self, key: str, low: int) -> None:
        self.next_offsets[key] = low


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the relay is asked for; it has sent one record."""
    asked: list[str] = []
    monkeypatch.setattr(
        repository, "relay_state", lambda *_: repository.RelayState({PARTITION: "1:1:1"}, is_rewind_pending=bool(asked))
    )
    monkeypatch.setattr(repository, "request_rewind", lambda _connection, after, _consumer: asked.append(after))
    return asked


def watch_of(reader: Reader) -> ChainWatch:
    return ChainWatch(cast("Any", None), cast("PartitionReader", reader), "lake")


def test_a_reader_that_hands_out_nothing_of_what_kafka_holds_is_given_up(asked: list[str]) -> None:
    watch = watch_of(Reader(high=5))
    for _ in range(STANDING_LOOKS_MAX - 1):
        watch.check({})
    with pytest.raises(ReaderStuckError, match="offsets 0 to 5"):
        watch.check({})
    assert asked == []


def test_a_reader_that_moves_however_slowly_is_left_alone(asked: list[str]) -> None:
    reader = Reader(high=10 * STANDING_LOOKS_MAX)
    watch = watch_of(reader)
    for look in range(2 * STANDING_LOOKS_MAX):
        watch.check({})
        if look % 3 == 0:
            reader.next_offsets[PARTITION] += 1
    assert asked == []


def test_what_kafka_does_not_hold_is_asked_for(asked: list[str]) -> None:
    watch = watch_of(Reader(high=0))
    watch.check({})  # read again from the start
    watch.check({})
    assert asked == ["0:0:0"]
