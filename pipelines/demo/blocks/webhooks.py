"""What the merchant's own server got: every event of the demo's trade, its signature checked, each object in order."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self

import httpx
import orjson
import psycopg

from pipelines.demo.blocks.block import Block, Job, Place
from pipelines.demo.checks import Check
from pipelines.webhooks.merchant import MerchantApi
from regions.errors import MeridianError
from regions.webhook_signing import verify

TITLE = "Webhooks"
LOCAL = "127.0.0.1"
WAIT_SECONDS = 30.0
_PENDING = """
SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'succeeded')
  FROM webhook_deliveries WHERE endpoint_id = %s
"""


class Market(Protocol):
    """Where a merchant calls the API, and with what."""

    @property
    def api_url(self) -> str:
        """The address."""

    @property
    def secret_key(self) -> str:
        """The key."""


class Seller(Place, Protocol):
    """A region with a merchant's key."""

    @property
    def market(self) -> Market:
        """What its merchants see."""


@dataclass
class _Inbox:
    """What one region's endpoint got: event ids, each once; each object's numbers in the order in which they came."""

    endpoint_id: str = ""
    secret: str = ""
    ids: set[str] = field(default_factory=set)
    numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0


class Receiver:
    """The merchant's server: one endpoint for each region, from before the trade until the page is shown."""

    def __init__(self, places: Sequence[Seller]) -> None:
        self._places = {place.code: place for place in places}
        self._inboxes = {place.code: _Inbox() for place in places}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((LOCAL, 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="webhooks", daemon=True).start()
        for code, place in self._places.items():
            url = f"http://{LOCAL}:{self._server.server_address[1]}/{code}"
            api = MerchantApi(place.market.api_url, place.market.secret_key)
            made = api.post("/v1/webhook_endpoints", {"url": url, "description": "The demo's merchant"})
            api.close()
            self._inboxes[code].endpoint_id, self._inboxes[code].secret = made["id"], made["secret"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for code, place in self._places.items():
            api = MerchantApi(place.market.api_url, place.market.secret_key)
            with suppress(MeridianError, httpx.TransportError):  # the stack may be gone: so is the endpoint
                api.delete(f"/v1/webhook_endpoints/{self._inboxes[code].endpoint_id}")
            api.close()
        self._server.shutdown()
        self._server.server_close()

    def webhooks(self, place: Place, _day: date, _job: Job) -> Block:
        """One line: how many events came, and whether all signatures were ours."""
        inbox = self._inboxes[place.code]
        sent = self._await_all(place, inbox)
        with self._lock:
            got, refused = len(inbox.ids), inbox.refused
            gaps = [one for one, numbers in inbox.numbers.items() if numbers != sorted(numbers)]
            objects = len(inbox.numbers)
        line = f"{got} events of {objects} objects delivered, each with a verified signature and in order"
        return Block(
            TITLE,
            [line if not refused and not gaps else f"{got} events delivered, {refused} with a wrong signature"],
            [
                Check(place.code, "webhooks: every signature verifies", f"{refused} do not" if refused else ""),
                Check(place.code, "webhooks: every delivery arrived", "" if sent == got else f"{got} of {sent}"),
                Check(place.code, "webhooks: objects are told in order", ", ".join(gaps[:3])),
            ],
        )

    def _await_all(self, place: Place, inbox: _Inbox) -> int:
        """How many deliveries succeeded, once none waits."""
        deadline = time.monotonic() + WAIT_SECONDS
        with psycopg.connect(place.reader_url, autocommit=True) as connection:
            while True:
                row = connection.execute(_PENDING, (inbox.endpoint_id,)).fetchone() or (0, 0)
                if row[0] == 0 or time.monotonic() > deadline:
                    return int(row[0] + row[1])
                time.sleep(0.2)

    def _take(self, code: str, headers: dict[str, str], body: bytes) -> bool:
        inbox = self._inboxes[code]
        try:
            verify(inbox.secret, headers, body, int(time.time()))
        except MeridianError:
            with self._lock:
                inbox.refused += 1
            return False
        event = orjson.loads(body)
        with self._lock:
            if event["id"] not in inbox.ids:
                inbox.ids.add(event["id"])
                inbox.numbers[event["object_id"]].append(event["sequence"])
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Take one event."""
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                is_ours = receiver._take(self.path.strip("/"), headers, body)
                self.send_response(204 if is_ours else 400)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler
