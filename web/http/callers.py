"""Whose API key it is, and what is known of it."""

from collections.abc import Collection
from typing import NamedTuple

from web.http.addresses import Network
from web.http.idempotency import Stored


class Caller(NamedTuple):
    """Whose key it is, and what is stored under the request's idempotency key.

    `seen` is all that the database said of the key: a statement that finds it saying the same need not say it again.
    """

    key_id: str
    merchant_id: str
    livemode: bool
    kind: str
    scopes: Collection[str]
    allowed_networks: Collection[Network]
    api_version: str | None
    seen: str
    stored: Stored | None


class KnownCallers:
    """What keys opened when this process last asked. Nobody believes it: a statement that writes by it looks again."""

    _MOST = 4096

    def __init__(self) -> None:
        self._callers: dict[bytes, Caller] = {}

    def get(self, key_hash: bytes) -> Caller | None:
        """What the key of that hash opened."""
        return self._callers.get(key_hash)

    def keep(self, key_hash: bytes, caller: Caller) -> None:
        """Remember what it opens now."""
        if len(self._callers) >= self._MOST:
            self._callers.clear()
        self._callers[key_hash] = caller._replace(stored=None)
