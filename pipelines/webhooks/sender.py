"""One try: a signed POST, its answer, and what that means."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore

from pipelines.webhooks.domain import Outcome, Policy, Result, outcome_of, retry_after
from pipelines.webhooks.network import GuardedBackend, RefusedError, Resolve
from regions.webhook_urls import Target

logger = logging.getLogger(__name__)

AGENT = "Meridian-Webhooks/1"
KEEPALIVE_SECONDS = 15.0
_CUT_SHORT = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out."""

    target: Target
    headers: dict[str, str]
    body: bytes


class Sender:
    """Sends messages; connections to a target are kept for a while, and each was checked when it was made."""

    def __init__(
        self,
        policy: Policy,
        resolve: Resolve,
        *,
        backend: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._backend = backend or httpcore.AnyIOBackend()
        self._tls = tls or ssl.create_default_context()
        self._idle: dict[tuple[str, str, int, bool], list[httpcore.AsyncHTTPConnection]] = {}

    async def send(self, message: Message) -> Result:
        """One try. Never raises for what the other side does."""
        at, started = datetime.now(UTC), time.perf_counter()

        def result(outcome: Outcome, error: str | None = None) -> Result:
            return Result(outcome, at, round((time.perf_counter() - started) * 1000), error=error)

        try:
            async with asyncio.timeout(self._policy.timeout):
                status, headers, body = await self._exchange(message)
        except (TimeoutError, httpcore.TimeoutException):
            return result(Outcome.TIMEOUT, f"no whole answer within {self._policy.timeout:g} s")
        except RefusedError as error:
            return result(Outcome.REFUSED, str(error))
        except (httpcore.ConnectError, ssl.SSLError, OSError) as error:
            return result(Outcome.UNREACHABLE, _sentence(error, "no connection"))
        except (*_CUT_SHORT, httpcore.ProtocolError, httpcore.UnsupportedProtocol, ValueError) as error:
            return result(Outcome.BROKEN, _sentence(error, "the answer is not HTTP"))
        outcome = outcome_of(status)
        return Result(
            outcome,
            at,
            round((time.perf_counter() - started) * 1000),
            status,
            None if outcome is Outcome.SUCCEEDED else f"answered {status}",
            retry_after(headers.get("retry-after"), at),
            headers,
            body,
        )

    async def close(self) -> None:
        """Close what is kept."""
        for kept in self._idle.values():
            for connection in kept:
                await connection.aclose()
        self._idle.clear()

    async def _exchange(self, message: Message) -> tuple[int, dict[str, str], bytes]:
        target = message.target
        connection = self._kept(target)
        if connection is not None:
            try:
                return await self._on(connection, message)
            except (*_CUT_SHORT, httpcore.ConnectionNotAvailable):
                pass  # the other side closed it while it was idle: once more, on a new one
        backend = GuardedBackend(target, self._resolve, self._backend)
        origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
        fresh = httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=KEEPALIVE_SECONDS, network_backend=backend
        )
        return await self._on(fresh, message)

    async def _on(
        self, connection: httpcore.AsyncHTTPConnection, message: Message
    ) -> tuple[int, dict[str, str], bytes]:
        target, is_whole = message.target, False
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        headers: list[tuple[str | bytes, str | bytes]] = [
            *{
                "host": target.authority,
                "user-agent": AGENT,
                "content-type": "application/json",
                "content-length": str(len(message.body)),
                "accept": "*/*",
                **message.headers,
            }.items()
        ]
        request = httpcore.Request("POST", url, headers=headers, content=message.body)
        try:
            response = await connection.handle_async_request(request)
            answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            body, is_whole = await self._read(response)
            return response.status, answered, body
        finally:
            if is_whole and connection.is_available():
                self._keep(target, connection)
            else:
                await connection.aclose()

    async def _read(self, response: httpcore.Response) -> tuple[bytes, bool]:
        """The body, up to the limit; what is longer is left where it is, and so is the connection."""
        parts, size = [], 0
        async for part in response.aiter_stream():
            parts.append(part)
            size += len(part)
            if size > self._policy.answer_bytes_max:
                return b"".join(parts)[: self._policy.answer_bytes_max], False
        await response.aclose()
        return b"".join(parts), True

    def _kept(self, target: Target) -> httpcore.AsyncHTTPConnection | None:
        kept = self._idle.get(_place(target), [])
        while kept:
            connection = kept.pop()
            if connection.is_available() and not connection.has_expired():
                return connection
        return None

    def _keep(self, target: Target, connection: httpcore.AsyncHTTPConnection) -> None:
        self._idle.setdefault(_place(target), []).append(connection)

    async def prune(self) -> None:
        """Close what has been idle for too long; call it now and then."""
        for place, kept in list(self._idle.items()):
            expired = [connection for connection in kept if connection.has_expired() or not connection.is_available()]
            self._idle[place] = [connection for connection in kept if connection not in expired]
            if not self._idle[place]:
                del self._idle[place]
            for connection in expired:
                await connection.aclose()


def _place(target: Target) -> tuple[str, str, int, bool]:
    return target.scheme, target.host, target.port, target.is_local


def _sentence(error: Exception, otherwise: str) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return (first or otherwise)[:200]
