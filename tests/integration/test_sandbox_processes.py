"""The simulated PSP as operators start it: provisioning by command, serving by gunicorn."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.postgres import PostgresServer
from tests.support.sandbox import API_KEYS, environment, sandbox_database

HOLD_SECONDS = 5


def run(module: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=60, check=False
    )


def test_provisioning_makes_the_database_once_and_says_so(postgres_server: PostgresServer) -> None:
    url = postgres_server.url.rsplit("/", 1)[0] + "/sandbox_by_command"
    outcomes = [run("web.sandbox.provision", {"SANDBOX_DATABASE_URL": url}) for _ in range(2)]
    assert [outcome.returncode for outcome in outcomes] == [0, 0]
    assert [outcome.stdout for outcome in outcomes] == [
        "sandbox database provisioned\n",
        "sandbox database is up to date\n",
    ]


@pytest.mark.parametrize(
    ("module", "env", "said"),
    [
        ("web.sandbox.provision", {}, "SANDBOX_DATABASE_URL is not set"),
        (
            "web.sandbox.provision",
            {"SANDBOX_DATABASE_URL": "postgresql://x:secretpw@127.0.0.1:9/y"},
            "cannot be reached",
        ),
        ("web.sandbox.sender", {}, "SANDBOX_API_KEY_<REGION>"),
    ],
)
def test_a_wrong_environment_gets_one_sentence(module: str, env: dict[str, str], said: str) -> None:
    outcome = run(module, env)
    assert outcome.returncode == 2
    assert said in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "secretpw" not in outcome.stderr


def test_gunicorn_stops_with_one_sentence(postgres_server: PostgresServer) -> None:
    env = environment(postgres_server.url)
    del env["SANDBOX_CONTROL_KEY"]
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "web.sandbox.wsgi:app"]
    outcome = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.returncode != 0
    assert "SANDBOX_CONTROL_KEY is not set" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.fixture
def served(postgres_server: PostgresServer) -> Iterator[str]:
    """The base URL of a gunicorn that holds late answers for HOLD_SECONDS."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with sandbox_database(postgres_server.url) as url:
        env = environment(url, SANDBOX_URL=base_url, SANDBOX_HOLD_SECONDS=str(HOLD_SECONDS))
        options = ["--bind", base_url.removeprefix("http://"), "--worker-class", "gthread", "--threads", "8"]
        command = [sys.executable, "-m", "gunicorn", *options, "--log-level", "warning", "web.sandbox.wsgi:app"]
        process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **env})
        try:
            await_healthy(base_url, process)
            yield base_url
        finally:
            process.terminate()
            process.wait(timeout=20)


def await_healthy(base_url: str, process: subprocess.Popen[bytes], timeout_seconds: float = 30) -> None:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            if httpx.get(f"{base_url}/healthz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None, "gunicorn ended"
        assert time.monotonic() < deadline, "not healthy in time"
        time.sleep(0.05)


def charge(client: httpx.Client, number: str, reference: str, timeout: float = HOLD_SECONDS - 1) -> httpx.Response:
    card = {"account": "MeridianEU", "number": number, "exp_month": "12", "exp_year": "34", "cvc": "123"}
    token = client.post("/frame/tokens", json=card).json()["token"]
    order = {"reference": reference, "amount_minor": 500, "currency": "EUR", "payment_token": token, "three_ds": "none"}
    return client.post("/v1/payments", json=order, headers={"Idempotency-Key": reference}, timeout=timeout)


def test_a_caller_that_gives_up_was_charged_and_others_are_served_meanwhile(served: str) -> None:
    headers = {"Authorization": f"Bearer {API_KEYS['eu']}"}
    with (
        httpx.Client(base_url=served, headers=headers, timeout=HOLD_SECONDS - 1, trust_env=False) as other,
        ThreadPoolExecutor(4) as threads,
    ):
        lost = [threads.submit(charge, other, "4000000000000341", f"att_lost_{n}", timeout=1) for n in range(4)]
        assert charge(other, "4242424242424242", "att_other").json()["status"] == "captured"
        for number, late in enumerate(lost):
            with pytest.raises(httpx.ReadTimeout):
                late.result()
            [found] = other.get("/v1/payments", params={"reference": f"att_lost_{number}"}).json()["data"]
            assert found["status"] == "captured"
