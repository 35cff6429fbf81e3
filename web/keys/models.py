"""Rows as the keys package sees them."""

from dataclasses import dataclass
from datetime import datetime

from web.http.addresses import Network


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. What it was is nowhere: the database has its hash, people have seen it once."""

    id: str
    livemode: bool
    prefix: str
    kind: str
    name: str
    scopes: list[str]
    allowed_networks: list[Network]
    api_version: str | None
    rolled_from: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
