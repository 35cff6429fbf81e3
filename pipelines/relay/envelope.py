"""The records of a batch, written fast; values as in `regions.events.envelope_json` (a test compares them). Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from pipelines.relay.domain import Numbering
    from pipelines.relay.repository import OutboxRow

WHOLE_TIME = len("2026-03-14 09:26:53.589793+00")
KEPT_MAX = 50_000  # texts whose JSON and hash are remembered


class Place(NamedTuple):
    """A partition, and its name in position maps."""

    topic: str
    partition: int
    key: str


# Topic, value, key, partition and headers: confluent_kafka's `produce` takes them in this order. A plain tuple, because
# a named one takes three times as long to make.
Record = tuple[str, str, str, int, list[tuple[str, str | bytes | None]]]


class RecordWriter:
    """Writes the records of one region. `places` maps a family to its partitions, `unrouted` takes any other family.

    One loop with local names: every call and attribute in it would be paid a million times in a million events.
    """

    def __init__(self, region: str, places: Mapping[str, Sequence[Place]], unrouted: Sequence[Place]) -> None:
        self._source = f',"source":"/meridian/{region}","subject":'
        self._region = f'","datacontenttype":"application/json","region":"{region}","merchant_id":'
        self._places = places
        self._unrouted = unrouted
        self._known: dict[str, tuple[str, int]] = {}

    def records(self, page: Iterable[OutboxRow], numbering: Numbering) -> Iterator[Record]:
        """A record for each row, numbered in order."""
        known, learn, source, region = self._known.get, self._learn, self._source, self._region
        places, unrouted, stamp = self._places.get, self._unrouted, numbering.stamp
        for event_id, family, kind, subject, merchant_id, time, rest in page:
            quoted, number = known(subject) or learn(subject)
            at = places(family, unrouted)
            topic, partition, key = at[number % len(at)]
            position, after = stamp(key)
            if len(time) != WHOLE_TIME:
                time = _whole(time)  # noqa: PLW2901 - the same time
            value = (
                f'{{"specversion":"1.0","id":"{event_id}","type":{(known(kind) or learn(kind))[0]}{source}{quoted}'
                f',"time":"{time[:10]}T{time[11:26]}Z{region}'
                f"{(known(merchant_id) or learn(merchant_id))[0]}{rest}"
            )
            yield topic, value, subject, partition, [("position", position), ("after", after)]

    def _learn(self, text: str) -> tuple[str, int]:
        if len(self._known) >= KEPT_MAX:
            self._known.clear()
        found = self._known[text] = (orjson.dumps(text).decode(), zlib.crc32(text.encode()))
        return found


def _whole(time: str) -> str:
    """PostgreSQL leaves out zeros at the end of a fraction; events do not."""
    moment = time.removesuffix("+00")
    return (moment if "." in moment else f"{moment}.").ljust(WHOLE_TIME - 3, "0") + "+00"
