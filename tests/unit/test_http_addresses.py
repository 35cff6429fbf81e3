"""Whom a request comes from, behind proxies."""

import ipaddress

import pytest

from regions.errors import ConfigurationError
from web.http.addresses import payer_address
from web.settings import trusted_networks

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.1", "", "198.51.100.1"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),  # no proxy of ours: the header is the payer's own
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.66, 203.0.113.9", "203.0.113.9"),  # what stands further left is only claimed
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:443", "10.0.0.1"),
        ("2001:db8::1", " 2001:0DB8:0::00ff ", "2001:db8::ff"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", ",,", "10.0.0.1"),
        (None, "203.0.113.9", None),
        ("", "203.0.113.9", None),
    ],
)
def test_a_header_is_believed_only_from_our_own_proxies(peer: str | None, forwarded: str, expected: str | None) -> None:
    assert payer_address(peer, forwarded, PROXIES) == expected


def test_without_proxies_the_header_says_nothing() -> None:
    assert payer_address("127.0.0.1", "203.0.113.9", ()) == "127.0.0.1"


def test_proxies_are_configured_by_address_or_network() -> None:
    assert trusted_networks({}) == ()
    assert trusted_networks({"TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8"}) == (
        ipaddress.ip_network("127.0.0.1"),
        ipaddress.ip_network("10.0.0.0/8"),
    )
    with pytest.raises(ConfigurationError, match="TRUSTED_PROXIES names 'proxy'"):
        trusted_networks({"TRUSTED_PROXIES": "proxy"})
