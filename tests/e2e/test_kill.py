"""Processes die by SIGKILL while merchants and payers trade; afterwards nothing is lost, doubled or left open.

Events committed in PostgreSQL = events in the lake, as multisets of ids; our books = the gateway's books.
"""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from pipelines.demo import cards, collect
from pipelines.demo.checks import same_books, same_ids
from pipelines.demo.merchant import Merchant
from pipelines.demo.payer import Person, Visit
from pipelines.demo.script import Behaviour, Errand, plan
from pipelines.demo.traders import Market, Played, make_client, trade
from pipelines.sandbox.control import Control
from pipelines.stack import programs
from pipelines.stack.plan import Request, make_plan
from pipelines.stack.state import StateFolder
from pipelines.stack.supervisor import Supervisor
from regions.region import load_region
from tests.support.local_stack import LocalStack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("kill")]

REGION = load_region("hk")
ACCOUNT = "MeridianHK"
DEFINITE_SECONDS = 150.0
SETTLED_SECONDS = 60.0
SEEDS = [11]
CAMPAIGN_SEEDS = list(range(100, 120))
POINTS = {
    "relay.after_snapshot": "relay",
    "relay.after_produce": "relay",
    "ingest.after_data_file": "ingest",
    "ingest.after_commit": "ingest",
    "web.after_gateway_answer": "web",
    "worker.after_gateway_answer": "worker",
}
RESOLVER_SECONDS = 120.0


@pytest.fixture(scope="module")
def kill_stack() -> Iterator[LocalStack]:
    """A stack of its own, one region: its processes are shot."""
    with running_stack("hk") as stack:
        # The ingest makes the lake's tables when it first runs: it is not shot before that.
        await_that("there is a lake", lambda: stack.meridian("lake", "status", "--region", "hk").returncode == 0, 60)
        yield stack


@dataclass(frozen=True)
class Region:
    """The region under fire."""

    stack: LocalStack

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(StateFolder(self.stack.state))

    def pids(self, part: str) -> list[int]:
        """The process that supervisord started, and its children (gunicorn's workers)."""
        info = self.supervisor.processes()[f"{part}-{REGION.code}"]
        if info.pid is None:
            return []
        try:
            return [info.pid, *(child.pid for child in psutil.Process(info.pid).children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def trade(self, seed: int, links: int, avoiding: Sequence[Behaviour] = ()) -> list[Played]:
        entry = self.stack.region(REGION.code)
        market = Market(REGION.code, entry["api_url"], entry["secret_key"])
        errands: list[Errand] = plan(REGION.code, REGION.currencies, REGION.locales, seed, links)
        chosen = [e for e in errands if not any(visit.behaviour in avoiding for visit in e.visits)]
        return trade([market], [(market, errand) for errand in chosen], threads=4)

    def must_agree(self, played: Sequence[Played]) -> None:
        """Wait until nothing is under way and everything is in the lake, then compare."""
        entry = self.stack.region(REGION.code)
        reader = entry["role_urls"]["reader"]
        await_that("nothing is under way", lambda: not under_way(reader), DEFINITE_SECONDS)
        day = REGION.accounting_date(datetime.now(UTC)).isoformat()
        self.stack.must("lake", "wait", "--region", REGION.code, "--date", day, "--timeout", "60")
        traded = collect.traded(reader, [])
        env = {"DATABASE_URL_HK": entry["role_urls"]["lake"], "LAKE_URI_HK": entry["lake_uri"]}
        landed, quarantined = collect.lake_events(REGION, env)
        judged = collect.judged(Control.of(self.stack.stack["sandbox"]), ACCOUNT, entry["sandbox_api_key"])
        assert same_ids(traded.events, landed) == ""
        assert quarantined == 0
        assert same_books("ours", traded.books, "the gateway's", judged.books) == ""
        assert judged.doubled == ()
        assert sum(book.captured_count for book in traded.books.values()) > 0
        assert traded.clearing == {c: b.captured_minor - b.refunded_minor for c, b in traded.books.items()}
        assert any(one.paid_count for one in played)


UNDER_WAY = """
    SELECT id FROM payments WHERE status = 'processing' UNION ALL SELECT id FROM refunds WHERE status = 'pending'
"""


def under_way(reader_url: str) -> list[str]:
    """Payments and refunds that are worked on. A challenge that its payer has left waits for nobody but the payer."""
    with psycopg.connect(reader_url) as connection:
        return [row[0] for row in connection.execute(UNDER_WAY)]


def await_that(what: str, condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.2)


def answers(api_url: str) -> bool:
    try:
        return httpx.get(f"{api_url}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def shoot(region: Region, seed: int, until: threading.Event, shots: list[str]) -> None:
    """Kill something every now and then, at moments that only the seed knows, until told to stop."""
    dice = random.Random(seed)
    while not until.wait(dice.uniform(0.3, 2.0)):
        part = dice.choice(["relay", "ingest", "web", "worker"])
        found = region.pids(part)
        if not found:
            continue
        # Of gunicorn, mostly a worker; the supervisor brings back the rest.
        pid = dice.choice(found[1:]) if part == "web" and len(found) > 1 and dice.random() < 0.8 else found[0]
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        shots.append(part)


def survive(region: Region, seed: int, links: int) -> None:
    until, shots = threading.Event(), list[str]()
    shooter = threading.Thread(target=shoot, args=(region, seed, until, shots))
    shooter.start()
    try:
        played = region.trade(seed, links)
    finally:
        until.set()
        shooter.join()
    assert shots, "nothing was killed, so nothing was proved"
    region.must_agree(played)


@pytest.mark.parametrize("seed", SEEDS)
def test_survives_kills_at_random_moments(kill_stack: LocalStack, seed: int) -> None:
    survive(Region(kill_stack), seed, links=16)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", CAMPAIGN_SEEDS)
def test_survives_many_kills(kill_stack: LocalStack, seed: int) -> None:
    survive(Region(kill_stack), seed, links=60)


@contextmanager
def faulty(region: Region, part: str, point: str, marker: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Replace a supervised process by one that kills itself at `point`, once; then give it back to the supervisor."""
    name = f"{part}-{REGION.code}"
    state = StateFolder(region.stack.state)
    running = set(region.supervisor.processes())
    whole = make_plan(state, Request((REGION.code,)), {}, running)
    [program] = [one for one in programs.services(whole, whole.regions[0]) if one.name == name]
    region.supervisor.stop_all([name])
    environment = {**region.stack.environment, **program.environment}
    environment |= {"MERIDIAN_FAULT": point, "MERIDIAN_FAULT_ONCE": str(marker)}
    with state.log_file(f"faulty-{name}").open("ab") as log:
        process = subprocess.Popen(
            program.command, cwd=program.directory, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        if part == "web":
            await_that(f"{name} answers", lambda: answers(region.stack.region(REGION.code)["api_url"]), 30)
        yield process
    finally:
        kill_family(process)
        region.supervisor.start(name)
        await_that(f"{name} runs again", lambda: region.supervisor.processes()[name].state == "RUNNING", 30)
        await_that("the API answers", lambda: answers(region.stack.region(REGION.code)["api_url"]), 30)


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children, and wait until all are gone: they hold the port that the next one needs."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()  # first: a master that sees a worker die makes another
    process.wait()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.parametrize(
    "point",
    [
        # The stream's own points have tests of their own, without a whole stack around them.
        point if part == "web" else pytest.param(point, marks=pytest.mark.campaign)
        for point, part in POINTS.items()
        if part != "worker"
    ],
)
def test_survives_a_kill_at_a_named_point(kill_stack: LocalStack, tmp_path: Path, point: str) -> None:
    region, marker = Region(kill_stack), tmp_path / "fired"
    part = POINTS[point]
    with faulty(region, part, point, marker) as process:
        played = region.trade(len(point), 10, [Behaviour.TIMEOUT_AFTER_CHARGE])
        await_that(f"{point} is reached", marker.exists, SETTLED_SECONDS)
        if part != "web":  # of gunicorn, only a worker has died
            process.wait(timeout=10)
            assert process.returncode == -signal.SIGKILL
    region.must_agree(played)


def test_survives_a_worker_killed_between_the_gateways_answer_and_our_commit(
    kill_stack: LocalStack, tmp_path: Path
) -> None:
    region, marker, point = Region(kill_stack), tmp_path / "fired", "worker.after_gateway_answer"
    control = Control.of(kill_stack.stack["sandbox"])
    # Nobody else may settle the attempt first: the webhook is late, and the payer never comes back.
    control.turn_faults(ACCOUNT, webhook_delay_ms=600_000)
    try:
        with faulty(region, "worker", point, marker) as process:
            pay_and_vanish(region)
            resolve_now(region)
            await_that(f"{point} is reached", marker.exists, RESOLVER_SECONDS)
            process.wait(timeout=10)
            assert process.returncode == -signal.SIGKILL
    finally:
        control.turn_faults(ACCOUNT, webhook_delay_ms=0)
    resolve_now(region)
    region.must_agree(region.trade(5, 10, [Behaviour.TIMEOUT_AFTER_CHARGE]))


def resolve_now(region: Region) -> None:
    """Let the resolver take up what it would otherwise leave to the webhook for a minute."""
    with psycopg.connect(region.stack.region(REGION.code)["database_url"]) as connection:
        connection.execute("UPDATE attempts SET resolve_after = now() WHERE resolve_after IS NOT NULL")


def pay_and_vanish(region: Region) -> None:
    """The gateway charges, its answer is late, and the payer has closed the page by then."""
    entry = region.stack.region(REGION.code)
    order = {"amount_minor": 5000, "currency": REGION.currencies[0], "reference": "VANISHED"}
    with make_client(1) as client:
        link = Merchant(client, entry["api_url"], entry["secret_key"]).create_link(order)
        visit = Visit(client, Person("Ada Lovelace", "ada@example.com"))
        checkout = visit.begin(link["url"])
        form = checkout.form("csrf", "payment_token")
        token = visit.tokenise(checkout, cards.TIMEOUT_AFTER_CHARGE)
        answers = form.filled(email="ada@example.com", name="Ada Lovelace", payment_token=token)
        with pytest.raises(httpx.ReadTimeout):
            client.post(form.action, data=answers, timeout=1.0)
