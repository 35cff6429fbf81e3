"""How gunicorn's workers take requests in: in good time, or not at all.

A thread reads a request, so whoever sends one byte a second would hold it for hours. From a request's first byte on,
its sender has RECEIVE_SECONDS, and more as bytes come: RECEIVE_BYTES_PER_SECOND is the least rate of a large file. Who
is later is answered 408 `request_timeout`, and the connection is closed. No thread waits for a silent connection.
"""

import os
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from gunicorn.http.unreader import SocketUnreader
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import TConn, ThreadWorker

from regions.errors import ConfigurationError, MeridianError
from regions.ids import new_id
from web.http.handlers import DOCUMENTATION_PATH, PROBLEM_TYPE
from web.http.problems import RequestTimeoutError
from web.serving import APP_LOAD_ERROR
from web.wiring import EXTENSION

_SECONDS, _SECONDS_MOST = "RECEIVE_SECONDS", 25  # less than gunicorn's own time-out
_RATE, _RATE_MOST = "RECEIVE_BYTES_PER_SECOND", 1 << 30


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a request must come."""

    seconds: int = 10
    bytes_per_second: int = 65_536

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Pace":
        """Read both; raises ConfigurationError naming the one that is wrong."""
        return cls(
            _whole(env, _SECONDS, _SECONDS_MOST, cls().seconds),
            _whole(env, _RATE, _RATE_MOST, cls().bytes_per_second),
        )

    def deadline(self, began: float, received_bytes: int) -> float:
        """When the next byte must be there."""
        return began + self.seconds + received_bytes / self.bytes_per_second


def _whole(env: Mapping[str, str], name: str, most: int, default: int) -> int:
    text = env.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise ConfigurationError(f"{name} is {text!r}: give a whole number from 1 to {most}.")
    return int(text)


class PacedUnreader(SocketUnreader):  # type: ignore[misc] # gunicorn has no types
    """Bytes of one connection. Raises RequestTimeoutError when they come too slowly."""

    def __init__(self, sock: socket.socket, pace: Pace, give_up: Callable[[], None]) -> None:
        super().__init__(sock)
        self._pace, self._give_up = pace, give_up
        self.begin()

    def begin(self) -> None:
        """The next bytes are a new request's."""
        self._began, self._received = time.monotonic(), 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """What has come; waits no longer than the request has."""
        while True:
            if time.monotonic() >= self._pace.deadline(self._began, self._received):
                self._give_up()
                raise RequestTimeoutError
            try:
                data: bytes = super().chunk(size_hint)
            except (BlockingIOError, ssl.SSLWantReadError):  # SO_RCVTIMEO: look at the clock
                continue
            self._received += len(data)
            return data


class PacedConnection(TConn):  # type: ignore[misc]
    """A connection whose requests are read at a pace."""

    pace: Pace

    def init(self) -> None:
        """Make the parser, and read through our own reader."""
        if self.initialized:
            return
        super().init()
        if isinstance(getattr(self.parser, "unreader", None), SocketUnreader):
            buffered = self.parser.unreader.take_buffered()
            # The kernel lets a waiting recv go each second: no call a request, as Python's own time-outs need.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 1, 0))
            self.parser.unreader = PacedUnreader(self.sock, self.pace, self._give_up)
            self.parser.unreader.unread(buffered)

    def _give_up(self) -> None:
        """Let the answer say that the connection closes."""
        if self.parser.mesg:
            self.parser.mesg.force_close()

    def begin(self) -> None:
        """A new request begins on a connection that is kept."""
        unreader = getattr(self.parser, "unreader", None)
        if isinstance(unreader, PacedUnreader):
            unreader.begin()

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002 - as gunicorn has it
        """Close the connection, unless the thread that served it has."""
        if self.sock.fileno() != -1:
            super().close(graceful)


class PacedWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads, with a pace for what they read."""

    def load_wsgi(self) -> None:
        """Load the app, and the pace; a wrong one is one sentence and a stopped gunicorn."""
        try:
            pace = Pace.from_environment(os.environ)
        except MeridianError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(APP_LOAD_ERROR) from None
        self.connection_class = type("Connection", (PacedConnection,), {"pace": pace})
        super().load_wsgi()

    def enqueue_req(self, conn: Any) -> None:
        """Read a request in a thread."""
        if type(conn) is TConn:  # accepted just now
            conn.__class__ = self.connection_class
        conn.begin()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request; closes a connection that is not kept here, as the main loop would wait for its sender."""
        is_kept = super().handle(conn)
        if is_kept is False:
            close_graceful(conn.sock)
        return is_kept

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what the app never saw: a head that came too slowly."""
        if not isinstance(exc, RequestTimeoutError):
            super().handle_error(req, client, addr, exc)
            return
        body = self._document(exc)
        head = (
            f"HTTP/1.1 {exc.status} Request Timeout\r\nContent-Type: {PROBLEM_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n"
        )
        client.settimeout(1)
        client.sendall(head.encode() + body)

    def _document(self, problem: RequestTimeoutError) -> bytes:
        wiring = getattr(self.wsgi, "extensions", {}).get(EXTENSION)
        if wiring is None:  # the console's, for browsers
            return b""
        address = wiring.settings.api_base_url + DOCUMENTATION_PATH
        return orjson.dumps(problem.document(new_id("request", wiring.region.code), address))
