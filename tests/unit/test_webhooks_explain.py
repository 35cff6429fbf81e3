"""`meridian webhook explain` names the check that fails."""

import base64
import json
import secrets
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import make_app
from pipelines.webhooks.explain import Verdict, explain
from regions import webhook_signing as signing

NOW = 1_790_000_000
# Bytes whose base64 has + and /, so that the URL-safe alphabet differs.
SECRET = signing.make_secret(b"\xfb\xef\xbe" * 10)
OTHER = signing.make_secret(secrets.token_bytes(32))
KEY = signing.make_private_key(secrets.token_bytes(32))
BODY = json.dumps({"id": "evt_1", "data": {"note": "Größe"}}, ensure_ascii=False, separators=(",", ":")).encode()
HEADERS = signing.Signer.of([SECRET], [KEY]).headers("evt_1", NOW, BODY)
BARE = {name: value for name, value in HEADERS.items() if name != "content-digest"}


def verdict(secret: str = SECRET, body: bytes = BODY, now: int = NOW, **more: object) -> Verdict:
    headers = more.pop("headers", HEADERS)
    return explain(secret, headers, body, now, **more).verdict  # type: ignore[arg-type]


def test_a_genuine_message() -> None:
    assert verdict() is Verdict.GENUINE
    assert verdict(headers={name.title(): f" {value} " for name, value in HEADERS.items()}) is Verdict.GENUINE


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header(name: str) -> None:
    found = explain(SECRET, {key: value for key, value in HEADERS.items() if key != name}, BODY, NOW)
    assert found.verdict is Verdict.HEADERS
    assert name in found.findings[0][1]


def test_a_wrong_secret() -> None:
    assert verdict(OTHER) is Verdict.WRONG_SECRET
    assert verdict(OTHER, headers=BARE) is Verdict.UNDECIDED
    assert verdict(OTHER, headers=BARE, public_key=signing.public_key(KEY)) is Verdict.WRONG_SECRET


@pytest.mark.parametrize(
    "body",
    [
        BODY + b"\n",
        b"\xef\xbb\xbf" + BODY,
        json.dumps(json.loads(BODY)).encode(),
        json.dumps(json.loads(BODY), indent=2).encode(),
        BODY.decode().encode("latin-1"),
        BODY.decode("latin-1").encode("utf-8"),
        BODY.replace(b"evt_1", b"evt_2"),
    ],
)
def test_an_altered_body(body: bytes) -> None:
    assert verdict(body=body) is Verdict.ALTERED_BODY


def test_how_a_framework_altered_it_is_named_even_without_a_digest() -> None:
    found = explain(SECRET, BARE, json.dumps(json.loads(BODY), indent=2).encode(), NOW)
    assert found.verdict is Verdict.ALTERED_BODY
    assert "parsed and written again" in found.findings[-1][1]


@pytest.mark.parametrize("now", [NOW + 301, NOW - 301, NOW + 10**6])
def test_the_clock(now: int) -> None:
    assert verdict(now=now) is Verdict.CLOCK


def test_milliseconds() -> None:
    found = explain(SECRET, HEADERS | {"webhook-timestamp": str(NOW * 1000)}, BODY, NOW)
    assert found.verdict is Verdict.CLOCK
    assert "milliseconds" in found.findings[2][1]


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        (SECRET.removeprefix("whsec_"), "lacks whsec_"),
        (f"'{SECRET}' ", "quotes or spaces"),
        ("whsec_" + base64.urlsafe_b64encode(b"\xfb\xef\xbe" * 10).decode(), "URL-safe"),
        ("whsec_c2hvcnQ=", "holds 5 bytes"),
        ("hunter2", "does not begin with whsec_"),
    ],
)
def test_the_encoding_of_the_secret(secret: str, sentence: str) -> None:
    found = explain(secret, HEADERS, BODY, NOW)
    assert found.verdict is Verdict.ENCODING
    assert any(sentence in said for _, said in found.findings), found.findings


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("".join(f"{name}: {value}\n" for name, value in HEADERS.items()))
    (tmp_path / "b").write_bytes(BODY)
    words = ["webhook", "explain", "--headers", str(tmp_path / "h"), "--body", str(tmp_path / "b"), "--at", str(NOW)]
    runner = CliRunner()
    good = runner.invoke(make_app("webhook"), words, env={"WEBHOOK_SECRET": SECRET})
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "The message is genuine.")
    bad = runner.invoke(make_app("webhook"), words, env={"WEBHOOK_SECRET": OTHER})
    assert (bad.exit_code, bad.stdout.splitlines()[-1]) == (1, "It fails by: wrong secret.")
    assert OTHER not in bad.output
