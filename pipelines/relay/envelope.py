"""The records of a batch, written fast; values as in `regions.events.envelope_json` (a test compares them). Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import orjson

if TYPE_CHECKING:
    from pipelines.relay.domain import Numbering
    from pipelines.relay.repository import OutboxRow

Known = TypeVar("Known")
KEPT_MAX = 50_000  # texts whose JSON and hash are remembered, of each kind


class Place(NamedTuple):
    """A partition, and its name in position maps."""

    topic: str
    partition: int
    key: str


# Topic, value, key, partition and headers: confluent_kafka's `produce` takes them in this order. A plain tuple, because
# a named one takes three times as long to make; value and key as bytes, because a text would be copied once more.
Record = tuple[str, bytes, bytes, int, list[tuple[str, str | bytes | None]]]


class RecordWriter:
    """Writes the records of one region. `places` maps a family to its partitions, `unrouted` takes any other family.

    One loop with local names: every call and attribute in it would be paid a million times in a million events.
    """

    def __init__(self, region: str, places: Mapping[str, Sequence[Place]], unrouted: Sequence[Place]) -> None:
        self._source = f',"source":"/meridian/{region}","subject":'.encode()
        self._region = f'","datacontenttype":"application/json","region":"{region}","merchant_id":'.encode()
        self._places = {family.encode(): list(of_family) for family, of_family in places.items()}
        self._unrouted = list(unrouted)
        self._kinds: dict[bytes, bytes] = {}
        self._subjects: dict[bytes, tuple[bytes, int]] = {}
        self._merchants: dict[bytes, bytes] = {}

    def records(self, page: Iterable[OutboxRow], numbering: Numbering) -> Iterator[Record]:
        """A record for each row, numbered in order."""
        kind_of, subject_of, merchant_of = self._kinds.get, self._subjects.get, self._merchants.get
        places, unrouted, stamp, join = self._places.get, self._unrouted, numbering.stamp, b"".join
        for event_id, family, kind, subject, merchant_id, time, rest in page:
            quoted, number = subject_of(subject) or self._learn_subject(subject)
            at = places(family, unrouted)
            topic, partition, key = at[number % len(at)]
            position, after = stamp(key)
            value = join(
                (
                    b'{"specversion":"1.0","id":"',
                    event_id,
                    kind_of(kind) or self._learn_kind(kind),
                    quoted,
                    b',"time":"',
                    time,
                    merchant_of(merchant_id) or self._learn_merchant(merchant_id),
                    rest,
                )
            )
            yield topic, value, subject, partition, [("position", position), ("after", after)]

    def _learn_kind(self, kind: bytes) -> bytes:
        return _learn(self._kinds, kind, lambda: b'","type":' + _quoted(kind) + self._source)

    def _learn_merchant(self, merchant_id: bytes) -> bytes:
        return _learn(self._merchants, merchant_id, lambda: self._region + _quoted(merchant_id))

    def _learn_subject(self, subject: bytes) -> tuple[bytes, int]:
        return _learn(self._subjects, subject, lambda: (_quoted(subject), zlib.crc32(subject)))


def _learn(known: dict[bytes, Known], text: bytes, make: Callable[[], Known]) -> Known:
    if len(known) >= KEPT_MAX:
        known.clear()
    found = known[text] = make()
    return found


def _quoted(text: bytes) -> bytes:
    return orjson.dumps(text.decode())
