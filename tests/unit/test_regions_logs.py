import io
import json
import logging
import time
import uuid
from collections.abc import Iterator

import pytest

from regions import logs
from regions.ids import new_code, new_id

KEY = "mk_live_eu_" + "Kx7" * 14 + "Q"  # of the form, and the same in every process


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure("web", "eu", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "378282246310005",
        "6011000990139424",
        "payer@example.com",
        "first.last+tag@mail.example.co.uk",
        "payer%40example.com",
    ],
)
@pytest.mark.parametrize("around", ["{}", "before {} after", '{{"x":"{}"}}', "x={}&y=1", "({})", "to:{},"])
def test_what_looks_secret_is_masked(secret: str, around: str) -> None:
    assert secret not in logs.redact(around.format(secret))
    assert "[redacted]" in logs.redact(around.format(secret))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {KEY}", KEY),
        ("authorization: bearer eyJhbGciOi.J9.x-y_z", "eyJhbGciOi.J9.x-y_z"),
        ("postgresql://web:hunter2@127.0.0.1:5433/meridian", "hunter2"),
        ("password=hunter2 host=db", "hunter2"),
        ('{"payment_token": "tok_abcdef"}', "tok_abcdef"),
        ("email=a@b.example&csrf=abc123&name=x", "abc123"),
    ],
)
def test_named_secrets_are_masked(text: str, secret: str) -> None:
    assert secret not in logs.redact(text)


def test_urls_that_grant_access_are_masked() -> None:
    code = new_code()
    for path in (f"GET /l/{code} HTTP/1.1", f"https://pay.example/c/{code}/return", f"http://127.0.0.1:8080/l/{code}"):
        assert code not in logs.redact(path)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424243",  # no check digit
        "1234567890",
        "2026-03-14T09:26:53.589793Z",
        "position 1:42:7 of eu.links.v1/0",
        "listening on http://127.0.0.1:8080",
        "postgresql://127.0.0.1:5433/meridian",
        "mk_test_eu",
    ],
)
def test_what_is_not_secret_stays(text: str) -> None:
    assert logs.redact(text) == text


def test_ids_stay_readable() -> None:
    for _ in range(500):
        text = f"{new_id('payment', 'eu')} {uuid.uuid4()}"
        assert logs.redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "42424242-4242-4242-8242-424242424242",
        "pay_eu_01m838g5spetgsqgg4r9r7v5q2 09753870-7815-4036-acb9-63b16ff38936",  # 2097…4036 has a check digit
    ],
)
def test_digits_of_two_neighbours_are_no_card_number(text: str) -> None:
    assert logs.redact(text) == text


def test_a_card_number_beside_an_id_is_masked() -> None:
    text = f"{new_id('payment', 'eu')} 4242424242424242 {uuid.uuid4()}"
    assert logs.redact(text) == text.replace("4242424242424242", "[redacted]")


def test_a_record_is_one_line_of_json(lines: io.StringIO) -> None:
    logging.getLogger("web.links").info(
        "made %s\nfor %s", "plink_eu_1", "payer@example.com", extra={"count": 2, "key": KEY}
    )
    [line] = lines.getvalue().splitlines()
    record = json.loads(line)
    assert record["message"] == "made plink_eu_1\nfor [redacted]"
    assert (record["process"], record["region"], record["logger"], record["level"]) == (
        "web",
        "eu",
        "web.links",
        "info",
    )
    assert record["count"] == 2
    assert KEY not in line
    assert record["time"].endswith("Z")


def test_an_exceptions_text_is_masked_too(lines: io.StringIO) -> None:
    try:
        int(f"card 4242424242424242 of payer@example.com with {KEY}")
    except ValueError:
        logging.getLogger("web").exception("failed")
    text = lines.getvalue()
    assert "ValueError" in text
    for secret in ("4242424242424242", "payer@example.com", KEY):
        assert secret not in text


def test_configuring_twice_logs_once() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        stream = io.StringIO()
        logs.configure("web", stream=stream)
        logs.configure("web", stream=stream)
        logging.getLogger("x").warning("once")
        assert stream.getvalue().count("once") == 1
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def test_a_long_line_costs_no_more_than_its_length() -> None:
    for unit in ("a", "1", "a.", "/l/", "1 ", "://", "a@"):
        text = unit * (200_000 // len(unit))
        started = time.process_time()
        logs.redact(text)
        assert time.process_time() - started < 2
