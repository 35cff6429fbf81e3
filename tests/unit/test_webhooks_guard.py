"""Webhooks cannot be turned against our own network: a canary listens there, and nobody ever connects to it."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipelines.webhooks import network
from pipelines.webhooks.domain import Outcome, Policy, Result
from pipelines.webhooks.network import SystemResolver
from pipelines.webhooks.sender import Message, Sender
from regions.webhook_urls import Target, UrlError, parse_url

QUICK = Policy(timeout=3.0)
TLS = ssl.create_default_context()
PUBLIC = "93.184.215.14"

# What stands for our own machine or network, in every way of writing it that some resolver or library reads.
FORMS = (
    *("127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "2130706433", "0x7f000001"),
    *("0x7f.1", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "0177.1", "127.0.0.1.", "0", "0.0.0.1", "0x0"),
    *("0.0.0.0", "localhost", "LOCALHOST"),  # noqa: S104 - nothing is bound
    *("localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]"),
    *("[2001::1]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]"),
    *("[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "[2620:4f:8000::1]"),
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.254", "100.64.0.1"),
    *("100.127.255.254", "100.100.100.200", "169.254.169.254", "169.254.170.2", "169.254.0.1", "192.0.0.192"),
    *("192.0.0.8", "168.63.129.16", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("192.31.196.1", "192.52.193.1", "192.175.48.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"),
    *("[::a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[::ffff:0:127.0.0.1]", "[::ffff:10.0.0.1]"),
    *("3232235521", "169.16689662", "0300.0250.0.1"),
)  # fmt: skip


@dataclass
class Canary:
    """Listens on every address of this machine; `connections` must stay empty."""

    port: int
    connections: list[str] = field(default_factory=list)


@pytest.fixture
def canary() -> Iterator[Canary]:
    server = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    found, stop = Canary(server.getsockname()[1]), threading.Event()

    def listen() -> None:
        while not stop.is_set():
            connection, address = server.accept()
            if not stop.is_set():
                found.connections.append(address[0])
            connection.close()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield found
    stop.set()
    socket.create_connection(("127.0.0.1", found.port)).close()
    thread.join()
    server.close()


class Names:
    """A resolver that says what it is told, a new answer each time; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def send(target: Target, resolve: network.Resolve, **more: Any) -> Result:
    async def run() -> Result:
        sender = Sender(QUICK, resolve, **{"tls": TLS, **more})
        try:
            return await sender.send(Message(target, {"webhook-id": "evt_1"}, b"{}"))
        finally:
            await sender.close()

    return asyncio.run(run())


def as_target(form: str, port: int, scheme: str = "https") -> Target:
    """What parsing would have made of it, had it let the form through."""
    return Target(scheme, form.strip("[]").replace("%25", "%"), port, "/", is_local=False)


def test_there_are_enough_forms() -> None:
    assert len(set(FORMS)) >= 60


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_our_own_addresses_is_refused_as_a_url(form: str) -> None:
    for scheme in ("https", "http"):
        with pytest.raises(UrlError):
            parse_url(f"{scheme}://{form}/", may_be_local=False)


def test_no_form_gets_a_connection_even_behind_a_url_that_was_let_through(canary: Canary) -> None:
    """The system's own resolver reads what it can of each form; no answer leads anywhere."""
    resolver = SystemResolver()
    try:
        for form in FORMS:
            for scheme in ("https", "http"):
                result = send(as_target(form, canary.port, scheme), resolver)
                assert result.outcome in {Outcome.REFUSED, Outcome.UNREACHABLE}, form
    finally:
        resolver.close()
    assert canary.connections == []


def test_no_name_that_leads_to_one_gets_a_connection(canary: Canary) -> None:
    target = Target("https", "hooks.example.com", canary.port, "/", is_local=False)
    for form in FORMS:
        try:
            address = str(ipaddress.ip_address(form.strip("[]").replace("%25", "%")))
        except ValueError:
            continue
        for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
            assert send(target, Names(answer)).outcome is Outcome.REFUSED, answer
    assert canary.connections == []


def test_the_canary_sings_when_the_guard_is_off(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "refusal", lambda *_, **__: None)
    send(as_target("127.0.0.1", canary.port), Names(["127.0.0.1"]))
    assert canary.connections != []


class Recorded(httpcore.AsyncNetworkBackend):
    """The way out, recorded; whatever address is asked for, a test server answers."""

    def __init__(self, port: int) -> None:
        self.connected: list[str] = []
        self._port = port
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(self, host: str, _port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        return await self._inner.connect_tcp("127.0.0.1", self._port)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


@contextmanager
def tls_server(folder: Path, hostname: str) -> Iterator[tuple[int, ssl.SSLContext, list[str], list[bytes]]]:
    """A server with a certificate for `hostname`: its port, a context that trusts it, names asked for, requests."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    names: list[str] = []
    requests: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = server.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    request = b""
                    while not request.endswith(b"\r\n\r\n{}"):
                        request += connection.recv(4096) or b"\r\n\r\n{}"
                    requests.append(request)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            except ssl.SSLError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    trusting = ssl.create_default_context(cafile=str(pem))
    try:
        yield server.getsockname()[1], trusting, names, requests
    finally:
        server.close()


def test_a_resolver_that_changes_its_mind_changes_nothing(tmp_path: Path) -> None:
    """Asked once, checked, and connected to what was checked: with the name in TLS and in Host."""
    with tls_server(tmp_path, "hooks.example.com") as (port, tls, names, requests):
        target = parse_url("https://hooks.example.com/in?a=b", may_be_local=False)
        flip = Names([PUBLIC], ["127.0.0.1"], [PUBLIC], ["10.0.0.1"])
        way = Recorded(port)
        result = send(target, flip, backend=way, tls=tls)
        assert (result.outcome, result.status_code) == (Outcome.SUCCEEDED, 204)
        assert (flip.asked, way.connected) == (1, [PUBLIC])
        assert names == ["hooks.example.com"]
        assert requests[0].startswith(b"POST /in?a=b HTTP/1.1\r\nhost: hooks.example.com\r\n")
        assert send(target, flip, backend=way, tls=tls).outcome is Outcome.REFUSED
        assert way.connected == [PUBLIC], "the second answer was never connected to"


def test_a_certificate_of_another_name_is_no_success(tmp_path: Path) -> None:
    with tls_server(tmp_path, "other.example.com") as (port, tls, _, requests):
        target = parse_url("https://hooks.example.com/", may_be_local=False)
        result = send(target, Names([PUBLIC]), backend=Recorded(port), tls=tls)
    assert result.outcome is Outcome.UNREACHABLE
    assert requests == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example.com/", "https://"),
        ("ftp://hooks.example.com/", "https://"),
        ("https://user:pass@hooks.example.com/", "user"),
        ("https://hooks.example.com/#a", "fragment"),
        ("https://hooks.example.com:99999/", "is not a URL"),
        ("https://hooks.example.com:0/", "port"),
        ("https://intranet/", "neither a name nor an address"),
        ("https://hooks.exa mple.com/", "without spaces"),
        ("https://hooks.example.com\\@127.0.0.1/", "without spaces"),
        ("https://höoks.example.com/", "ASCII"),
        ("https:///path", "no host"),
        ("https://[::1/", "is not a URL"),
        ("https://localhost/", "Internet"),
        ("http://127.0.0.1:8000/", "Internet"),
    ],
)
def test_a_url_that_cannot_be_an_endpoint_says_why(url: str, reason: str) -> None:
    with pytest.raises(UrlError, match=reason):
        parse_url(url, may_be_local=False)


def test_only_this_machine_is_local_and_only_where_it_is_allowed() -> None:
    assert parse_url("http://localhost:3000/x", may_be_local=True).is_local
    assert parse_url("http://[::1]:3000/x", may_be_local=True).authority == "[::1]:3000"
    for url in ("http://10.0.0.1/", "http://hooks.example.com/", "http://127.0.0.2/", "http://localhost.example.com/"):
        with pytest.raises(UrlError):
            parse_url(url, may_be_local=True)
    local = Target("http", "localhost", 9, "/", is_local=True)
    for address in ("10.0.0.1", PUBLIC, "169.254.169.254"):
        assert send(local, Names([address])).outcome is Outcome.REFUSED
    assert parse_url(f"https://{PUBLIC}/", may_be_local=False).host == PUBLIC
