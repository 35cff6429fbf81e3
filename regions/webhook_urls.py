"""Where webhooks may go: the address as the merchant writes it, and the network addresses behind its name. Pure.

Only globally routable unicast addresses are reached. `ipaddress.is_global` alone lets several ways into our own network
through (addresses that carry an IPv4 address, a cloud's metadata service at a public address), so IPv6 is allowed only
where it is assigned to the Internet, less what embeds or tunnels; IPv4 everywhere, less every special block of IANA's.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
URL_LENGTH_MAX: Final = 2048
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_HTTPS, _HTTP = 443, 80
_PORT_MAX: Final = 65535

_V4_REFUSED: Final = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; also a cloud's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's platform service, at a public address
        "169.254.0.0/16",  # link-local; metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; also a cloud's metadata service
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_V6_ALLOWED: Final = ipaddress.IPv6Network("2000::/3")  # so no loopback, mapped, NAT64, ULA, link-local, multicast, …
_V6_REFUSED: Final = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # Teredo, ORCHID, benchmarking: protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address of an endpoint. `host` has no brackets; `is_local` is our own machine, in tests."""

    scheme: str
    host: str
    port: int
    path: str
    is_local: bool

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (_HTTPS if self.scheme == "https" else _HTTP) else f"{host}:{self.port}"


class UrlError(ValueError):
    """An address that webhooks are not sent to; the message is for the merchant."""


def parse_url(url: str, *, may_be_local: bool) -> Target:
    """Read an endpoint's address. `may_be_local`: test mode on a machine that says so. Raises UrlError."""
    if len(url) > URL_LENGTH_MAX or not url.isascii() or any(char <= " " or char in '\\"<>^`{|}' for char in url):
        raise UrlError(f"must be a URL in ASCII without spaces, at most {URL_LENGTH_MAX} characters long")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        raise UrlError("is not a URL") from None
    _check_parts(parts, host)
    is_local = host in LOCAL_HOSTS
    if is_local and not may_be_local:
        raise UrlError("must be reachable from the Internet: localhost is allowed only in test mode on a local stack")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise UrlError("must begin with https://")
    if not is_local:
        _check_host(host)
    if port is not None and not 1 <= port <= _PORT_MAX:
        raise UrlError("has a port that does not exist")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (_HTTPS if parts.scheme == "https" else _HTTP), path, is_local)


def refusal(address: Address, *, is_local: bool = False) -> str | None:
    """Why nothing is sent to this network address, or None. `is_local`: the target is our own machine, and allowed."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return "it has a scope"
    if is_local:
        return None if address.is_loopback else "it is not this machine"
    if isinstance(address, ipaddress.IPv4Address):
        block = next((str(block) for block in _V4_REFUSED if address in block), None)
    elif address not in _V6_ALLOWED:
        block = "outside 2000::/3"
    else:
        block = next((str(block) for block in _V6_REFUSED if address in block), None)
    if block is None and not address.is_global:
        block = "not global"
    return None if block is None else f"it is not on the Internet ({block})"


def _check_parts(parts: SplitResult, host: str) -> None:
    if not host:
        raise UrlError("names no host")
    if "@" in parts.netloc:
        raise UrlError("must not carry a user or a password: check the signature instead")
    if parts.fragment:
        raise UrlError("must not have a fragment")


def _check_host(host: str) -> None:
    """A name of labels, or an address in its one normal form: 0x7f.1, 2130706433 and the like are neither."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        if not all(_LABEL.fullmatch(label) for label in labels) or len(labels) == 1 or _is_number(labels[-1]):
            raise UrlError("has a host that is neither a name nor an address") from None
        return
    reason = refusal(address)
    if reason is not None:
        raise UrlError(f"has an address that webhooks are not sent to: {reason}")


def _is_number(label: str) -> bool:
    """Whether resolvers would read a name that ends so as an IPv4 address."""
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label, re.IGNORECASE) is not None
