"""The way out: a name is resolved once, every address behind it is checked, and a checked one is connected to.

Nothing later asks for the name again, so an answer that changes in between (DNS rebinding) changes nothing; TLS and the
Host header still speak of the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from regions.webhook_urls import Address, Target, refusal

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
RESOLVER_THREADS = 64  # a name server that hangs holds one for each endpoint's tries, and no more


class RefusedError(Exception):
    """The name leads to where webhooks are not sent."""


class SystemResolver:
    """The system's resolver, on threads of its own: it blocks, and it cannot be told to stop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, "resolve")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Every address of a name. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _resolve, host, port)
        return [str(entry[4][0]) for entry in found]

    def close(self) -> None:
        """Leave what still hangs behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolve(host: str, port: int) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP))


def checked(addresses: Iterable[str], *, is_local: bool) -> list[Address]:
    """These addresses, all of them allowed. One that is not spoils the name: whoever answers so means harm."""
    found: list[Address] = []
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise RefusedError("the name leads to what is no address") from None
        reason = refusal(address, is_local=is_local)
        if reason is not None:
            raise RefusedError(f"the name leads to an address that webhooks are not sent to: {reason}")
        found.append(address)
    if not found:
        raise RefusedError("the name leads nowhere")
    return found


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to one target and to nothing else."""

    def __init__(self, target: Target, resolve: Resolve, inner: httpcore.AsyncNetworkBackend) -> None:
        self._target = target
        self._resolve = resolve
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect."""
        if (host, port) != (self._target.host, self._target.port):
            raise RefusedError("the connection is for another host")
        try:
            addresses = checked(await self._resolve(host, port), is_local=self._target.is_local)
        except OSError as error:
            raise httpcore.ConnectError(f"the name does not resolve: {error.strerror or 'no answer'}") from error
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(str(addresses[-1]), port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the library's signature
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - the library's signature
    ) -> httpcore.AsyncNetworkStream:
        """There is no way to a file."""
        raise RefusedError("webhooks are not sent to files")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)
