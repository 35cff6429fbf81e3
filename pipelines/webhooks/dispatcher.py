"""The dispatcher: claims what is due, sends it, writes down what came of it. Any number of processes may run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from pipelines.webhooks.claims import Claimed, Sealed, claim
from pipelines.webhooks.domain import Outcome, Policy, Result
from pipelines.webhooks.finishing import Done, finish
from pipelines.webhooks.sender import Message, Sender
from regions.errors import MeridianError
from regions.webhook_catalog import event_name, render
from regions.webhook_signing import Signer
from regions.webhook_urls import UrlError, parse_url

if TYPE_CHECKING:
    import psycopg

    from regions.region import Region
    from regions.vault import Vault

logger = logging.getLogger(__name__)

SEAL_PURPOSE = "webhook_secret"
IDLE_SECONDS = 0.2  # between two looks when nothing is due
BATCH_MAX = 200  # tries that are written down together
CLAIM_MAX = 128
PRUNE_SECONDS = 5.0


class Dispatcher:
    """One process's sending. After a database error make a new one: what was claimed comes back when its lease ends."""

    def __init__(
        self,
        region: Region,
        vault: Vault,
        sender: Sender,
        connections: tuple[psycopg.AsyncConnection, psycopg.AsyncConnection],
        policy: Policy,
        *,
        may_be_local: bool,
    ) -> None:
        self._region = region
        self._vault = vault
        self._sender = sender
        self._claiming, self._finishing = connections
        self._policy = policy
        self._may_be_local = may_be_local
        self._signers: dict[tuple[str, tuple[int, ...]], Signer] = {}
        self._tries: set[asyncio.Task[None]] = set()
        self._done: asyncio.Queue[Done] = asyncio.Queue()
        self._freed = asyncio.Event()
        self._chance = random.Random()  # noqa: S311 - jitter, no secret

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; then let what is in flight end, for as long as a try may take."""
        writer = asyncio.create_task(self._write())
        claimer = asyncio.create_task(self._claim(stop))
        try:
            await asyncio.wait({writer, claimer}, return_when=asyncio.FIRST_COMPLETED)
            if writer.done():
                writer.result()
            await claimer
            if self._tries:
                await asyncio.wait(self._tries, timeout=self._policy.timeout)
            written = asyncio.create_task(self._done.join())
            await asyncio.wait({writer, written}, return_when=asyncio.FIRST_COMPLETED)
            written.cancel()
        finally:
            for task in (writer, claimer, *self._tries):
                task.cancel()
            with contextlib.suppress(Exception):
                await asyncio.gather(writer, claimer, *self._tries, return_exceptions=True)

    async def _claim(self, stop: asyncio.Event) -> None:
        prune_at = time.monotonic() + PRUNE_SECONDS
        while not stop.is_set():
            self._freed.clear()
            room = self._policy.concurrency - len(self._tries)
            taken = await claim(self._claiming, self._policy, min(room, CLAIM_MAX)) if room > 0 else None
            if taken is not None:
                signers = self._open(taken.secrets)
                for delivery in taken.deliveries:
                    self._start(delivery, signers.get(delivery.endpoint_id))
            if time.monotonic() >= prune_at:
                await self._sender.prune()
                prune_at = time.monotonic() + PRUNE_SECONDS
            if taken is None or not (taken.deliveries or taken.postponed):
                await self._pause(stop)

    async def _pause(self, stop: asyncio.Event) -> None:
        """Until something was written down (an endpoint may have room again), or a while has passed."""
        waiting = [asyncio.create_task(event.wait()) for event in (stop, self._freed)]
        try:
            await asyncio.wait(waiting, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _start(self, delivery: Claimed, signer: Signer | None) -> None:
        task = asyncio.create_task(self._try(delivery, signer))
        self._tries.add(task)
        task.add_done_callback(self._tries.discard)

    async def _try(self, delivery: Claimed, signer: Signer | None) -> None:
        try:
            result, headers = await self._send(delivery, signer)
        except Exception:
            # A fault of ours: the delivery is tried again when its lease ends, like one whose dispatcher died.
            logger.exception("a try failed here", extra={"delivery": delivery.id})
            return
        await self._done.put(Done(delivery, headers, result))

    async def _send(self, delivery: Claimed, signer: Signer | None) -> tuple[Result, dict[str, str]]:
        now = time.time()
        if signer is None:
            return _refused(now, "has no secret"), {}
        try:
            target = parse_url(delivery.url, may_be_local=self._may_be_local and not delivery.livemode)
            body = self._body(delivery)
        except (UrlError, MeridianError) as error:
            return _refused(now, str(error)), {}
        headers = signer.headers(event_name(self._region.code, delivery.event_id), int(now), body)
        headers["webhook-attempt"] = str(delivery.attempt_count)
        return await self._sender.send(Message(target, headers, body)), headers

    def _body(self, delivery: Claimed) -> bytes:
        return render(
            region=self._region.code,
            event_id=delivery.event_id,
            name=delivery.type,
            time=delivery.time,
            livemode=delivery.livemode,
            object_id=delivery.object_id,
            sequence=delivery.sequence,
            schema_version=delivery.schema_version,
            data=delivery.data,
            api_version=delivery.api_version,
        )

    def _open(self, secrets: Sequence[Sealed]) -> dict[str, Signer]:
        """Signers of endpoints, opened once for each set of valid secrets."""
        of: dict[str, list[Sealed]] = {}
        for secret in secrets:
            of.setdefault(secret.endpoint_id, []).append(secret)
        return {endpoint_id: self._signer(endpoint_id, found) for endpoint_id, found in of.items()}

    def _signer(self, endpoint_id: str, found: Sequence[Sealed]) -> Signer:
        key = endpoint_id, tuple(secret.number for secret in found)
        if key not in self._signers:
            if len(self._signers) > 10_000:  # noqa: PLR2004 - a few megabytes
                self._signers.clear()
            opened = [orjson.loads(self._vault.decrypt_region(secret.sealed, SEAL_PURPOSE)) for secret in found]
            self._signers[key] = Signer.of([one["v1"] for one in opened], [one["v1a"] for one in opened])
        return self._signers[key]

    async def _write(self) -> None:
        while True:
            batch = [await self._done.get()]
            while len(batch) < BATCH_MAX and not self._done.empty():
                batch.append(self._done.get_nowait())
            for lost in await finish(self._finishing, self._policy, batch, self._chance):
                logger.warning("endpoint disabled", extra={"endpoint": lost.endpoint_id, "reason": lost.reason})
            for _ in batch:
                self._done.task_done()
            self._freed.set()


def _refused(now: float, reason: str) -> Result:
    return Result(Outcome.REFUSED, datetime.fromtimestamp(now, UTC), 0, error=f"the endpoint {reason}")
