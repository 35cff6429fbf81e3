"""The router: from the region's topics to deliveries, one for each event and endpoint that wants it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from pipelines.ingest.chains import ChainWatch, judge
from pipelines.ingest.domain import Chains
from pipelines.ingest.reader import Limits
from pipelines.positions import format_positions, parse_positions
from pipelines.webhooks import repository
from pipelines.webhooks.repository import Delivery, Endpoint, Event, Progress
from regions.errors import EventContractError
from regions.event_erasure import erase_fields
from regions.events import event_type, parse_envelope
from regions.ids import new_id
from regions.webhook_catalog import CATALOG, matches

if TYPE_CHECKING:
    import psycopg

    from pipelines.ingest.reader import Incoming, PartitionReader
    from regions.region import Region

logger = logging.getLogger(__name__)

LIMITS = Limits(records=2_000, size=16 * 1024 * 1024)  # of one transaction
CHECK_SECONDS = 1.0


class Router:
    """One leader's routing. After an error, make a new one: the database says where to go on."""

    def __init__(self, region: Region, connection: psycopg.Connection, reader: PartitionReader) -> None:
        self._region = region
        self._connection = connection
        self._reader = reader
        self._chains = Chains(parse_positions(repository.progress(connection).positions))
        self._watch = ChainWatch(connection, reader, repository.CONSUMER)
        self._check_at = time.monotonic() + CHECK_SECONDS

    def step(self, seconds: float) -> int:
        """Read for up to `seconds` and route what was accepted; how many deliveries that made."""
        incoming = self._reader.read(LIMITS, seconds, lambda: True)
        made = self._route(incoming)
        if time.monotonic() >= self._check_at:
            self._watch.check(self._chains.last)
            self._check_at = time.monotonic() + CHECK_SECONDS
        return made

    def _route(self, incoming: Incoming) -> int:
        chains, values = self._chains.copy(), list[bytes]()
        for chunk in incoming.chunks:
            accepted, _ = judge(chains, chunk)
            values += [value for value in accepted.values if value is not None]
        if chains.last == self._chains.last:
            return 0
        events = [event for value in values if (event := event_of(value, self._region.code)) is not None]
        made = 0
        with self._connection.transaction():
            wanted = self._wanted(events) if events else []
            if wanted:
                kept = {delivery.event_id for delivery in wanted}
                made = repository.insert(self._connection, [one for one in events if one.id in kept], wanted)
            reached = Progress(format_positions(chains.last), dict(self._reader.next_offsets))
            repository.save(self._connection, reached)
        self._chains = chains
        return made

    def _wanted(self, events: Sequence[Event]) -> list[Delivery]:
        found = repository.endpoints(self._connection, sorted({event.merchant_id for event in events}))
        return list(deliveries_of(events, found, self._region.code))


def deliveries_of(events: Iterable[Event], endpoints: Sequence[Endpoint], region: str) -> Iterable[Delivery]:
    """Which endpoint gets which event: those of its merchant and mode that it asked for, since it was made."""
    of: dict[tuple[str, bool], list[Endpoint]] = {}
    for endpoint in endpoints:
        of.setdefault((endpoint.merchant_id, endpoint.livemode), []).append(endpoint)
    for event in events:
        for endpoint in of.get((event.merchant_id, event.livemode), ()):
            if event.time >= endpoint.created_at and matches(endpoint.event_types, event.type):
                status = "pending" if endpoint.is_enabled else "skipped"
                yield Delivery(new_id("delivery", region), event.id, endpoint.id, endpoint.api_version, status)


def event_of(value: bytes, region: str) -> Event | None:
    """A record as endpoints may see it; None for what is not for them. The lake quarantines what is wrong."""
    try:
        envelope = parse_envelope(value)
        if envelope["type"] not in CATALOG.offered or envelope["region"] != region:
            return None
        event_type(envelope["type"], envelope["schema_version"])
    except EventContractError:
        return None
    return Event(
        UUID(envelope["id"]),
        envelope["merchant_id"],
        envelope["livemode"],
        envelope["type"],
        envelope["subject"],
        envelope["sequence"],
        envelope["schema_version"],
        datetime.fromisoformat(envelope["time"]),
        orjson.dumps(erase_fields(envelope["type"], envelope["data"])).decode(),
    )
