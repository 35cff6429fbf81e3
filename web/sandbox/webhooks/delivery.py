"""Sending webhooks: leased in one transaction, sent outside any, marked in another. At least once, in no order."""

import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from web.sandbox.database import Database
from web.sandbox.settings import Settings
from web.sandbox.webhooks import repository
from web.sandbox.webhooks.repository import Delivery
from web.sandbox.webhooks.signature import HEADER, sign

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
BATCH_SIZE = 32
BACKOFF_SECONDS_MAX = 60.0
_FIRST_BACKOFF_SECONDS = 0.5


def backoff_seconds(tries: int) -> float:
    """How long to wait after so many tries: doubling from half a second up to a minute, spread by a quarter."""
    base = min(_FIRST_BACKOFF_SECONDS * (1 << min(tries - 1, 10)), BACKOFF_SECONDS_MAX)
    return base * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


class Courier:
    """Delivers what is due, several at a time."""

    def __init__(self, settings: Settings, database: Database, client: httpx.Client | None = None) -> None:
        self._settings = settings
        self._database = database
        self._client = client or httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="webhook")

    def deliver_due(self) -> int:
        """Try everything that is due once. Returns how many were tried."""
        with self._database.transaction() as connection:
            deliveries = repository.lease(connection, BATCH_SIZE)
        list(self._threads.map(self._deliver, deliveries))
        return len(deliveries)

    def close(self) -> None:
        """Finish what is under way and let go."""
        self._threads.shutdown()
        self._client.close()

    def _deliver(self, delivery: Delivery) -> None:
        error = self._send(delivery)
        with self._database.transaction() as connection:
            if error is None:
                repository.mark_delivered(connection, delivery.id)
            else:
                repository.mark_failed(connection, delivery.id, error, backoff_seconds(delivery.tries))
        if error is not None:
            log.warning("webhook %s not delivered, try %d: %s", delivery.id, delivery.tries, error)

    def _send(self, delivery: Delivery) -> str | None:
        account = self._settings.accounts.get(delivery.account)
        if account is None:
            return f"account {delivery.account} is not configured"
        body = delivery.body.encode()
        headers = {"Content-Type": "application/json", HEADER: sign(account.webhook_secret, body, int(time.time()))}
        try:
            response = self._client.post(account.webhook_url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return None if response.is_success else f"HTTP {response.status_code}"
