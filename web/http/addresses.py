"""Where a request comes from. A header says it only as far as proxies of ours have written it. Pure."""

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=4096)  # a caller comes many times
def payer_address(peer: str | None, forwarded_for: str, trusted: tuple[Network, ...]) -> str | None:
    """The address behind our own proxies: the connection's, unless that is a trusted proxy's.

    `forwarded_for` is X-Forwarded-For; each proxy appended whom it spoke to, so it is read from the right, and only as
    long as the speaker is trusted. None when not even the connection has an address.
    """
    found = _address(peer or "")
    hops = [part for part in forwarded_for.split(",") if part.strip()]
    while found is not None and hops and any(found in network for network in trusted):
        claimed = _address(hops.pop())
        if claimed is None:
            break
        found = claimed
    return None if found is None else str(found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
