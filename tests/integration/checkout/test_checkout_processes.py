"""The real processes: killed between the gateway's answer and our commit, stopped, started wrong; and what they log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support import shop as cards
from tests.support.serving import free_port
from tests.support.shop import EMAIL, Payer, Shop

REPOSITORY = Path(__file__).parents[3]
SECONDS_MAX = 120


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def process(
    arguments: list[str], env: dict[str, str], log: Path, stop: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=REPOSITORY, env=env, stdout=output, stderr=output
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(stop)
        started.wait(SECONDS_MAX)


@contextmanager
def second_web(shop: Shop, log: Path, **env: str) -> Iterator[str]:
    """gunicorn on the shop's database; its base URL."""
    url = f"http://127.0.0.1:{free_port()}"
    arguments = ["gunicorn", "-c", "web/gunicorn.conf.py", "--no-control-socket", "--workers", "1"]
    arguments += ["--bind", url.removeprefix("http://"), "web.wsgi:for_region('eu')"]
    # On SIGINT gunicorn leaves idle connections alone.
    with process(arguments, shop.database.env | {"API_BASE_URL_EU": url} | env, log, signal.SIGINT):
        until(lambda: answers(url))
        yield url


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def worker(shop: Shop, log: Path, **env: str) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    return process(["web.worker", "--region", "eu"], shop.database.env_for("worker") | env, log)


def payer_at(shop: Shop, url: str) -> Payer:
    """A payer whose session is at that other web process."""
    payer = shop.payer()
    payer.session_url = payer.session_url.replace(shop.web_url, url)
    return payer


def test_a_web_process_killed_after_the_gateways_answer_loses_nothing(shop: Shop, tmp_path: Path) -> None:
    log, once = tmp_path / "log", tmp_path / "once"
    with second_web(shop, log, MERIDIAN_FAULT="web.after_gateway_answer", MERIDIAN_FAULT_ONCE=str(once)) as url:
        payer = payer_at(shop, url)
        form = payer.form(cards.SUCCEED)
        with pytest.raises(httpx.TransportError):
            payer.submit(form)
        assert once.exists()
        payment = shop.payment(payer.link)
        assert payment["status"] == "processing"
        assert shop.attempt_of(payment)["status"] == "submitted"

        until(lambda: answers(url))
        again = payer.submit(form)
        page = payer.come_back()

    assert again.status_code == 303
    assert "Thank you" in page.text
    assert shop.payment(payer.link)["status"] == "succeeded"
    assert len(shop.sandbox_payments(shop.attempt_of(payment)["id"])) == 1
    assert shop.events(payment["id"]) == ["payment.created", "payment.attempted", "risk.assessed", "payment.succeeded"]
    assert len(shop.journals(payment["id"])) == 2


def test_a_payer_who_never_comes_back_is_settled_by_the_worker_which_may_die_too(shop: Shop, tmp_path: Path) -> None:
    payer = shop.payer()
    payer.pay(cards.TIMEOUT_AFTER_CHARGE)
    payment = shop.payment(payer.link)
    shop.execute("UPDATE attempts SET resolve_after = now() WHERE payment_id = %s", payment["id"])
    log, once = tmp_path / "log", tmp_path / "once"
    fault = {"MERIDIAN_FAULT": "worker.after_gateway_answer", "MERIDIAN_FAULT_ONCE": str(once)}

    with worker(shop, log, **fault) as first:
        assert first.wait(SECONDS_MAX) == -signal.SIGKILL
    assert shop.payment(payer.link)["status"] == "processing"

    shop.execute("UPDATE attempts SET resolve_after = now() WHERE payment_id = %s", payment["id"])
    logs = tmp_path / "second", tmp_path / "third"
    with worker(shop, logs[0], **fault) as second, worker(shop, logs[1], **fault) as third:
        until(lambda: shop.payment(payer.link)["status"] == "succeeded")
        until(lambda: all("worker started" in each.read_text() for each in logs))  # one may still be importing
        for each in (second, third):
            each.terminate()
            assert each.wait(SECONDS_MAX) == 0
    assert shop.events(payment["id"]).count("payment.succeeded") == 1
    assert len(shop.journals(payment["id"])) == 2


def test_the_worker_works_off_the_inbox(shop: Shop, tmp_path: Path) -> None:
    payer = shop.payer()
    answer = payer.pay(cards.CHALLENGE)
    shop.http.post(answer.headers["Location"], data={"outcome": "pass"})

    with worker(shop, tmp_path / "log"):
        shop.courier.deliver_due()
        until(lambda: shop.payment(payer.link)["status"] == "succeeded")


def test_nothing_secret_or_personal_is_logged(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with second_web(shop, log, PYTHONUNBUFFERED="1") as url, worker(shop, log):
        payer = payer_at(shop, url)
        form = payer.form(cards.DECLINE)
        payer.submit(form)
        unlucky = payer_at(shop, url)
        unlucky_form = unlucky.form(cards.SUCCEED)
        shop.dial(down_seconds=60)
        unlucky.submit(unlucky_form)
        shop.dial(down_seconds=0)
        shop.http.get(f"{url}/c/{'x' * 22}")
        shop.courier.deliver_due()

    text = log.read_text()
    assert "gateway exchange failed" in text, "the log is where we look"
    secrets = [EMAIL, "lovelace", cards.DECLINE, form["payment_token"], unlucky_form["payment_token"], form["csrf"]]
    secrets += [payer.session_url.rpartition("/")[2], payer.link["url"].rpartition("/")[2], shop.database.secret_key]
    secrets += [value for name, value in shop.database.env.items() if "KEY" in name or "SECRET" in name]
    assert [secret for secret in secrets if secret.lower() in text.lower()] == []


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"SANDBOX_URL": ""}, 2, "SANDBOX_URL must be set"),
        ({"SANDBOX_NOT_FOUND_AFTER_SECONDS": "soon"}, 2, "SANDBOX_NOT_FOUND_AFTER_SECONDS is 'soon'"),
        ({"DATABASE_URL_EU": "postgresql://worker:pw@127.0.0.1:9/meridian"}, 1, "does not answer"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_sentence(
    shop: Shop, change: dict[str, str], code: int, sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "web.worker", "--region", "eu"],
        cwd=REPOSITORY,
        env=shop.database.env_for("worker") | change,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == code
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_an_unknown_region_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "web.worker", "--region", "mars"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 2
    assert "mars" in done.stderr
    assert "Traceback" not in done.stderr
