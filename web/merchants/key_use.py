import time

from sqlalchemy import Connection

from web.merchants import repository

PRECISION_SECONDS = 3600  # a write per request would serialise a merchant's calls on one row


class KeyUse:
    """Keeps api_keys.last_used_at precise to PRECISION_SECONDS; remembers, per process, what it wrote."""

    def __init__(self) -> None:
        self._written: dict[str, float] = {}

    def is_due(self, key_id: str) -> bool:
        """Whether `note` would write."""
        return time.monotonic() - self._written.get(key_id, -PRECISION_SECONDS) >= PRECISION_SECONDS

    def note(self, connection: Connection, key_id: str, merchant_id: str) -> None:
        """Write the key's last use, unless this process did so within PRECISION_SECONDS."""
        if self.is_due(key_id):
            repository.touch_key(connection, key_id, merchant_id, PRECISION_SECONDS)
            self._written[key_id] = time.monotonic()
