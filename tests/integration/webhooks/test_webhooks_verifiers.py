"""Our signatures, checked by the packages that merchants use, and by the sample receivers of the documentation."""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from regions import webhook_signing as signing
from tests.support.gateways import tools
from tests.support.serving import free_port
from tests.support.stream import await_that
from tests.support.webhooks import Hooks

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
BODY = '{"type":"payment.succeeded","data":{"reference":"Rechnung Nr. 7, Größe ½"}}'.encode()

PYTHON = """
import json, sys
from standardwebhooks.webhooks import Webhook as Standard, WebhookVerificationError as StandardError
from svix.webhooks import Webhook as Svix, WebhookVerificationError as SvixError
said = []
for case in json.load(sys.stdin):
    for kind, refused in ((Standard, StandardError), (Svix, SvixError)):
        try:
            kind(case["secret"]).verify(case["body"].encode(), case["headers"])
            said.append(True)
        except refused:
            said.append(False)
print(json.dumps(said))
"""
NODE = """
const { Webhook: Standard } = require("standardwebhooks");
const { Webhook: Svix } = require("svix");
const said = [];
for (const one of JSON.parse(require("fs").readFileSync(0))) {
  for (const Kind of [Standard, Svix]) {
    try { new Kind(one.secret).verify(one.body, one.headers); said.push(true); } catch { said.push(false); }
  }
}
console.log(JSON.stringify(said));
"""


def command(language: str) -> tuple[list[str], dict[str, str]]:
    """How to run a program of a language with the public packages; skips, loudly, where they cannot be had."""
    try:
        if language == "python":
            return [str(tools.webhook_verifiers())], {}
        return ["node"], {"NODE_PATH": str(tools.webhook_modules())}
    except tools.ToolError as error:
        pytest.skip(f"NOT CHECKED: {error}")


def cases() -> list[tuple[dict[str, Any], bool]]:
    """What a receiver may get, and whether it is genuine."""
    now = int(time.time())
    secret, old = (signing.make_secret(secrets.token_bytes(size)) for size in (32, 24))
    longest = signing.make_secret(secrets.token_bytes(64))
    key = signing.make_private_key(secrets.token_bytes(32))
    headers = signing.Signer.of([secret, old], [key]).headers("evt_eu_1", now, BODY)
    good = {"secret": secret, "headers": headers, "body": BODY.decode()}
    in_length = signing.Signer.of([longest], [key]).headers("evt_eu_1", now, BODY)
    stale = signing.Signer.of([secret], [key]).headers("evt_eu_1", now - 600, BODY)
    return [
        (good, True),
        (good | {"secret": old}, True),
        (good | {"secret": longest, "headers": in_length}, True),
        (good | {"secret": longest}, False),
        (good | {"body": good["body"] + " "}, False),
        (good | {"headers": headers | {"webhook-id": "evt_eu_2"}}, False),
        (good | {"headers": headers | {"webhook-timestamp": str(now - 1)}}, False),
        (good | {"headers": stale}, False),
        (good | {"headers": {name: value for name, value in headers.items() if name != "webhook-signature"}}, False),
    ]


@pytest.mark.parametrize(("language", "flag", "program"), [("python", "-c", PYTHON), ("node", "-e", NODE)])
def test_the_public_packages_accept_what_is_ours_and_nothing_else(language: str, flag: str, program: str) -> None:
    run, env = command(language)
    tried = cases()
    done = subprocess.run(
        [*run, flag, program],
        input=json.dumps([case for case, _ in tried]),
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == [verdict for _, verdict in tried for _ in ("standardwebhooks", "svix")]


@contextmanager
def sample(language: str, secret: str, port: int, output: Path) -> Iterator[None]:
    run, env = command(language)
    name = "webhook_receiver.py" if language == "python" else "webhook_receiver.js"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*run, str(SAMPLES / name)],
            env={**os.environ, **env, "WEBHOOK_SECRET": secret, "PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        await_that("the sample listens", lambda: is_listening(port), 30)
        yield
    finally:
        process.kill()
        process.wait()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("language", ["python", "node"])
def test_the_sample_receivers_of_the_documentation_work(
    make: Callable[[], Hooks], language: str, tmp_path: Path
) -> None:
    command(language)
    hooks, port, output = make(), free_port(), tmp_path / "out"
    endpoint = hooks.endpoint(f"http://localhost:{port}/")
    with sample(language, endpoint["secret"], port, output), hooks.dispatching():
        [first, _] = hooks.emit(1, 3)
        hooks.await_statuses(succeeded=2)
        hooks.post(f"/v1/webhook_deliveries/{first}/resend")
        hooks.await_statuses(succeeded=2)
        hooks.emit(2)
        hooks.await_statuses(succeeded=3)
        hooks.post(f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret", {"overlap_seconds": 0}, 200)
        hooks.emit(4)
        hooks.await_statuses(succeeded=3, failed=1)
    said = [line.split()[0::3] for line in output.read_text().splitlines()]
    assert said == [["accepted", "1"], ["accepted", "3"], ["late", "2"]]
