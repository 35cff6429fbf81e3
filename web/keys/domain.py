"""What an API key may be. Pure."""

import ipaddress
from collections.abc import Collection, Sequence
from datetime import datetime

from web.http.addresses import Network
from web.http.scopes import GRANTABLE, SCOPES


def status_at(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> str:
    """Whether a key opens anything: active, revoked, expired."""
    if revoked_at is not None:
        return "revoked"
    return "expired" if expires_at is not None and expires_at <= now else "active"


def scopes_fault(kind: str, scopes: Collection[str] | None) -> str | None:
    """What is wrong with the scopes that a key of that kind is to have."""
    if kind != "restricted":
        return None if scopes is None else "goes with kind restricted, and only with it"
    if not scopes:
        return "a restricted key needs at least one scope"
    refused = sorted(set(scopes) & (SCOPES - GRANTABLE))
    return f"{refused[0]} cannot be given to a restricted key: it could make itself any other" if refused else None


def networks_of(texts: Sequence[str]) -> list[Network]:
    """Networks, as CIDR or single addresses; ValueError names the first that is none."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            raise ValueError(f"{text!r} is no network such as 203.0.113.0/24 or 2001:db8::/32") from None
    return found
