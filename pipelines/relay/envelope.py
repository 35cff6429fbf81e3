"""The records of a batch, a page at a time: PostgreSQL writes the values, NumPy stamps and places them.

What the values must be, `regions.events.envelope_json` says (a test compares them). Pure, apart from NumPy.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from pipelines.positions import Position
from pipelines.stamps import Bytes, Numbers, write_after, write_ordinals

if TYPE_CHECKING:
    from pipelines.relay.domain import Numbering
    from pipelines.relay.repository import OutboxRow

KEPT_MAX: Final = 50_000  # routes whose partition is remembered
_KEY_BITS: Final = 32


class Place(NamedTuple):
    """A partition, and its name in position maps."""

    topic: str
    partition: int
    key: str


class Record(NamedTuple):
    """One record of a page, taken out of it."""

    topic: str
    partition: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Records in order: values and routes, each in one piece of memory, and the place of each record.

    A route is family, `/` and key; `key_sizes` says how much of its end is the key.
    """

    places: Sequence[Place]
    codes: Numbers  # of each record, where in `places` it goes
    values: Bytes
    value_ends: Numbers
    routes: Bytes
    route_ends: Numbers
    key_sizes: Numbers

    def __len__(self) -> int:
        return len(self.codes)

    def value_sizes(self) -> Numbers:
        """The bytes of each value."""
        return np.diff(self.value_ends, prepend=0)

    def records(self) -> Iterator[Record]:
        """Each record by itself: for tests, and whoever has time."""
        starts = (self.value_ends - self.value_sizes()).tolist()
        for row, (start, end) in enumerate(zip(starts, self.value_ends.tolist(), strict=True)):
            place, route_end = self.places[self.codes[row]], int(self.route_ends[row])
            key = self.routes[route_end - int(self.key_sizes[row]) : route_end].tobytes()
            yield Record(place.topic, place.partition, key, self.values[start:end].tobytes())


class RecordWriter:
    """Writes the records of one region. `places` maps a family to its partitions, `unrouted` takes any other family."""

    def __init__(self, places: Mapping[str, Sequence[Place]], unrouted: Sequence[Place]) -> None:
        self.places: list[Place] = []
        families: dict[bytes, range] = {}
        for family, of_family in places.items():
            families[family.encode()] = range(len(self.places), len(self.places) + len(of_family))
            self.places += of_family
        rest = range(len(self.places), len(self.places) + len(unrouted))
        self.places += unrouted
        self._codes = _Codes(families, rest)

    def page(self, rows: Sequence[OutboxRow], numbering: Numbering) -> Page:
        """The records of some rows, numbered in order."""
        routes, values = zip(*rows, strict=True)
        found = np.fromiter(map(self._codes.__getitem__, routes), np.int64, len(routes))
        codes, key_sizes = found >> _KEY_BITS, found & ((1 << _KEY_BITS) - 1)
        value_ends = np.fromiter(map(len, values), np.int64, len(values)).cumsum()
        route_ends = np.fromiter(map(len, routes), np.int64, len(routes)).cumsum()
        buffer = np.frombuffer(bytearray().join(values), np.uint8)
        self._number(buffer, value_ends, codes, numbering)
        return Page(
            self.places, codes, buffer, value_ends, np.frombuffer(b"".join(routes), np.uint8), route_ends, key_sizes
        )

    def _number(self, buffer: Bytes, ends: Numbers, codes: Numbers, numbering: Numbering) -> None:
        """Stamp a page: as `Numbering.stamp` would, record by record."""
        first = numbering.count + 1
        ordinals = np.arange(first, first + len(codes))
        by_place = np.argsort(codes, kind="stable")
        begins = np.flatnonzero(np.diff(codes[by_place], prepend=-1))
        afters = np.zeros(len(codes), np.int64)
        afters[by_place[1:]] = ordinals[by_place[:-1]]
        heads = by_place[begins]  # the first of each partition in this page comes after one of another page
        strangers: list[tuple[int, Position]] = []
        lasts = by_place[np.append(begins[1:], len(codes)) - 1]
        for head, last in zip(heads.tolist(), lasts.tolist(), strict=True):
            key = self.places[codes[head]].key
            after = numbering.advance(key, int(ordinals[last]))
            if isinstance(after, int):
                afters[head] = after
            else:
                strangers.append((int(ends[head]), after))
        write_ordinals(buffer, ends, ordinals, afters)
        for end, after in strangers:
            write_after(buffer, end, after)
        numbering.count += len(codes)


class _Codes(dict[bytes, int]):
    """The place of each route, shifted, and the size of its key; learned when it is first asked for."""

    def __init__(self, families: Mapping[bytes, range], rest: range) -> None:
        super().__init__()
        self._families = families
        self._rest = rest

    def __missing__(self, route: bytes) -> int:
        family, _, key = route.partition(b"/")
        places = self._families.get(family, self._rest)
        if len(self) >= KEPT_MAX:
            self.clear()
        found = self[route] = places[zlib.crc32(key) % len(places)] << _KEY_BITS | len(key)
        return found
