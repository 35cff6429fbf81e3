"""Senders that trickle: a request must arrive in good time, whichever part of it is slow, and holds up nobody else."""

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from regions.errors import ConfigurationError
from tests.support.gunicorn_serving import serving
from tests.support.regional import RegionDatabase
from web.receiving import Pace

SECONDS, RATE = 1, 2_000
BODY = json.dumps({"amount_minor": 1999, "currency": "EUR", "reference": "SLOW"}).encode()
LINE = BODY + b"\n"


@pytest.fixture(scope="module")
def base(region_database: RegionDatabase) -> Iterator[str]:
    """A service with one process and one thread, so whoever holds it is noticed."""
    env = region_database.env | {"RECEIVE_SECONDS": str(SECONDS), "RECEIVE_BYTES_PER_SECOND": str(RATE)}
    with serving("web.wsgi:for_region('eu')", env, ["--workers", "1", "--threads", "1", "--log-level", "error"]) as url:
        yield url


def head(database: RegionDatabase, path: str, media: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: eu\r\nAuthorization: Bearer {database.secret_key}\r\n"
        f"Content-Type: {media}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def answer_to(base: str, first: bytes, trickle: bytes, pause: float = 0.1) -> tuple[int, dict[str, str], bytes, float]:
    """Send `first`, then a byte each `pause` until an answer comes and the connection closes: what came, and when."""
    target = urlsplit(base)
    with socket.create_connection((target.hostname or "", target.port or 0), timeout=pause) as connection:
        connection.sendall(first)
        began, received = time.monotonic(), b""
        for byte in trickle:
            try:
                received += connection.recv(65536)
            except TimeoutError:
                connection.sendall(bytes([byte]))
            if received:
                break
        took = time.monotonic() - began
        connection.settimeout(10)
        while more := connection.recv(65536):
            received += more
    top, _, body = received.partition(b"\r\n\r\n")
    lines = top.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split(" ")[1]), fields, body, took


@pytest.mark.parametrize("part", ["head", "body", "file"])
def test_a_request_that_trickles_is_ended_with_a_problem(base: str, region_database: RegionDatabase, part: str) -> None:
    whole = head(region_database, "/v1/links", "application/json", len(BODY))
    sent = {
        "head": (whole[:20], whole[20:]),
        "body": (whole, BODY),
        "file": (head(region_database, "/v1/bulk/links", "application/x-ndjson", 1 << 20) + LINE * 20, LINE),
    }[part]
    status, fields, body, took = answer_to(base, *sent)
    assert (status, fields["connection"], fields["content-type"]) == (408, "close", "application/problem+json")
    document = json.loads(body)
    assert (document["code"], document["status"]) == ("request_timeout", 408)
    assert document["request_id"].startswith("req_eu_")
    earned = len(LINE) * 20 / RATE if part == "file" else 0  # a large file gets the time that its bytes are worth
    assert SECONDS + earned - 0.2 <= took < SECONDS + earned + 3
    with region_database.connect("postgres") as connection:
        assert connection.execute("SELECT count(*) FROM links WHERE reference = 'SLOW'").fetchone() == (0,)
    assert httpx.get(f"{base}/healthz").status_code == 200  # the only thread is free again


def test_a_file_at_the_least_rate_is_taken(base: str, region_database: RegionDatabase) -> None:
    rows = [LINE] * 100
    size = sum(map(len, rows))

    def parts() -> Iterator[bytes]:
        for row in rows:
            time.sleep(len(row) / RATE / 2)
            yield row

    headers = {"Authorization": f"Bearer {region_database.secret_key}", "Content-Type": "application/x-ndjson"}
    began = time.monotonic()
    answer = httpx.post(
        f"{base}/v1/bulk/links", content=parts(), headers=headers | {"Content-Length": str(size)}, timeout=30
    )
    assert time.monotonic() - began > SECONDS
    assert answer.status_code == 202, answer.text


def test_a_kept_connection_has_its_time_for_each_request(base: str, region_database: RegionDatabase) -> None:
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {region_database.secret_key}"}) as client:
        for _ in range(2):
            assert client.get("/v1/links").status_code == 200
            time.sleep(SECONDS + 0.3)  # idle, longer than a request may take


@pytest.mark.parametrize("text", ["0", "26", "-1", "1.5", "ten"])
def test_a_wrong_pace_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="RECEIVE_SECONDS"):
        Pace.from_environment({"RECEIVE_SECONDS": text})
