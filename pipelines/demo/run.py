"""The demo from the first link to the last number, region by region."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

from pipelines.bootstrap import environment, local_stack
from pipelines.demo import collect
from pipelines.demo.blocks.bank import bank
from pipelines.demo.blocks.block import Block, MakeBlock
from pipelines.demo.blocks.fraud import fraud
from pipelines.demo.blocks.funnel import funnel
from pipelines.demo.blocks.fx import fx
from pipelines.demo.blocks.group import group
from pipelines.demo.blocks.retention import retention
from pipelines.demo.blocks.webhooks import Receiver
from pipelines.demo.checks import Check, all_checks
from pipelines.demo.figures import Figures
from pipelines.demo.jobs import job
from pipelines.demo.merchant import Merchant
from pipelines.demo.script import plan
from pipelines.demo.traders import Market, Played, make_client, trade
from pipelines.sandbox.control import Control
from pipelines.stack.commands import UP_TIMEOUT_S
from pipelines.stack.plan import Request
from pipelines.stack.state import StateFolder
from pipelines.stack.status import collect as collect_status
from pipelines.stack.up import bring_up
from regions.errors import UsageError
from regions.region import Region, load_region

GATEWAY = "sandbox"
# Errors that the simulated PSP is asked to make in its settlement report. Reconciliation does not know them.
PLANTS = ("missing_at_gateway", "missing_with_us", "amount", "duplicate")
DEFINITE_WAIT_S = 150.0  # an attempt whose answer is lost is settled by webhook or resolver, well within this
POLL_S = 0.5
COUNTS_MAX = 3  # somebody may be paying by hand while we count
COUNTED_STEPS = 4
BLOCKS: tuple[MakeBlock, ...] = (bank, fraud, fx, funnel)  # one per domain, in the order of the page
ONCE: tuple[MakeBlock, ...] = (retention,)  # only in the first region: an erasure rebuilds the region's warehouse


class Observer(Protocol):
    """Shows progress. Several threads call it."""

    def started(self, region: str, steps: int) -> None:
        """The region will take this many steps."""

    def stepped(self, region: str, what: str, steps: int = 1) -> None:
        """The region has taken `steps` more steps and now does `what`."""


@dataclass(frozen=True)
class Place:
    """One region of the running stack, and what it needs to be asked."""

    region: Region
    entry: Mapping[str, Any] = field(repr=False)

    @property
    def code(self) -> str:
        """The region's code."""
        return self.region.code

    @property
    def market(self) -> Market:
        """What its merchants and payers see."""
        return Market(self.code, self.entry["api_url"], self.entry["secret_key"])

    @property
    def reader_url(self) -> str:
        """Its database, read-only."""
        return str(self.entry["role_urls"]["reader"])

    @property
    def account(self) -> str:
        """Its account at the simulated PSP."""
        return next(gateway.account for gateway in self.region.gateways if gateway.name == GATEWAY)


@dataclass(frozen=True)
class Outcome:
    """One region at the end: numbers, verdicts, and a link that anybody may pay."""

    place: Place
    date: date
    figures: Figures
    checks: Sequence[Check]
    played: Sequence[Played]
    link_url: str
    blocks: Sequence[Block] = ()


def ensure_up(folder: StateFolder, codes: Sequence[str]) -> None:
    """Start the regions that do not run (those of last time, if no `codes`). Raises MeridianError."""
    status = collect_status(folder)
    if status is None or not status["running"] or any(code not in status["regions"] for code in codes):
        bring_up(folder, Request(tuple(codes)), os.environ, timeout_s=UP_TIMEOUT_S)


def places(codes: Sequence[str]) -> tuple[list[Place], Mapping[str, Any]]:
    """The regions of the running stack (all of them, or `codes`) and the simulated PSP. Raises UsageError."""
    stack = local_stack()
    if stack is None:
        raise UsageError("No local stack is here: run `meridian up` first.")
    missing = [code for code in codes if code not in stack["regions"]]
    if missing:
        raise UsageError(f"Region {missing[0]} is not up: run `meridian up --regions {','.join(codes)}`.")
    chosen = codes or list(stack["regions"])
    return [Place(load_region(code), stack["regions"][code]) for code in chosen], stack["sandbox"]


def run(codes: Sequence[str], *, seed: int, links: int, threads: int, observer: Observer) -> list[Outcome]:
    """Trade, wait, settle, build, reconcile, publish, count. Raises MeridianError if a step is impossible."""
    chosen, sandbox = places(codes)
    with Receiver(chosen) as receiver:
        return _run(chosen, sandbox, receiver, (seed, links, threads), observer)


def _run(
    chosen: Sequence[Place],
    sandbox: Mapping[str, Any],
    receiver: Receiver,
    numbers: tuple[int, int, int],
    observer: Observer,
) -> list[Outcome]:
    domains = {place.code: _blocks_of(place, chosen, receiver) for place in chosen}
    played = _trade(chosen, *numbers, {code: len(found) for code, found in domains.items()}, observer)
    outcomes: list[Outcome] = []
    # Two at a time: each job is a process of its own, and the smallest machine has two cores.
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="region") as pool:
        jobs = [
            pool.submit(_finish, place, Control.of(sandbox), played[place.code], domains[place.code], observer)
            for place in chosen
        ]
        outcomes.extend(job.result() for job in jobs)
    return _with_group(outcomes)


def _trade(
    chosen: Sequence[Place], seed: int, links: int, threads: int, blocks: Mapping[str, int], observer: Observer
) -> dict[str, list[Played]]:
    plans = [
        [
            (place.market, errand)
            for errand in plan(place.code, place.region.currencies, place.region.locales, seed, links)
        ]
        for place in chosen
    ]
    for place, errands in zip(chosen, plans, strict=True):
        observer.started(place.code, len(errands) + 2 * COUNTED_STEPS + 2 + blocks[place.code])
    # Regions take turns, so that they trade at the same time.
    turns = [errand for turn in zip(*plans, strict=True) for errand in turn]
    played: dict[str, list[Played]] = {place.code: [] for place in chosen}

    def on_played(one: Played) -> None:
        played[one.region].append(one)
        observer.stepped(one.region, "trading")

    trade([place.market for place in chosen], turns, threads=threads, on_played=on_played)
    return played


def _blocks_of(place: Place, chosen: Sequence[Place], receiver: Receiver) -> tuple[MakeBlock, ...]:
    """The domains that are shown in a region."""
    return (receiver.webhooks, *BLOCKS, *(ONCE if place is chosen[0] else ()))


def _finish(
    place: Place, control: Control, played: Sequence[Played], domains: Sequence[MakeBlock], observer: Observer
) -> Outcome:
    code = place.code
    link_ids = [one.link_id for one in played if one.link_id]
    observer.stepped(code, "waiting for every outcome", 0)
    wait_until(lambda: collect.count_open(place.reader_url, link_ids) == 0, DEFINITE_WAIT_S)
    link_url = _fresh_link(place)
    day = place.region.accounting_date(datetime.now(UTC))
    observer.stepped(code, "closing the gateway's batch")
    control.settle(place.account, day, PLANTS)
    observer.stepped(code, "loading reference rates")
    job("fx", "load", "--region", code, "--date", day.isoformat())
    _refresh(code, day, observer)  # posts what was matched: new journals, whose events the next one finds
    for _ in range(COUNTS_MAX):
        before = collect.traded(place.reader_url, link_ids)
        _refresh(code, day, observer)
        observer.stepped(code, "counting")
        reported = collect.reported(place.region, environment("reader"), Path(place.entry["warehouse_path"]))
        judged = collect.judged(control, place.account, place.entry["sandbox_api_key"])
        after = collect.traded(place.reader_url, link_ids)
        if before.events == after.events:
            break
        observer.stepped(code, "somebody traded meanwhile: counting again", -COUNTED_STEPS)
        control.settle(place.account, day)
    figures = Figures(code, after, reported, judged)
    blocks = []
    for make in domains:
        observer.stepped(code, f"showing {make.__name__}")
        blocks.append(make(place, day, job))
    checks = [*all_checks(figures, played), *(check for block in blocks for check in block.checks)]
    observer.stepped(code, "done" if all(check.holds for check in checks) else "something disagrees")
    return Outcome(place, day, figures, checks, played, link_url, blocks)


def _with_group(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Unite the regions, all of which are published now; the day is the one that each of them has reached."""
    blocks = group([outcome.place.code for outcome in outcomes], min(outcome.date for outcome in outcomes), job)
    return [
        replace(
            outcome,
            blocks=[*outcome.blocks, blocks[outcome.place.code]],
            checks=[*outcome.checks, *blocks[outcome.place.code].checks],
        )
        for outcome in outcomes
    ]


def _refresh(code: str, day: date, observer: Observer) -> None:
    """Bring what is committed now into the published warehouse, and what is matched now into the books."""
    on_day = ("--region", code, "--date", day.isoformat())
    observer.stepped(code, "waiting for the lake")
    job("lake", "wait", *on_day)
    observer.stepped(code, "building the warehouse")
    job("warehouse", "build", *on_day, "--refresh")
    observer.stepped(code, "reconciling and posting")
    job("recon", "run", *on_day)
    job("warehouse", "publish", "--region", code)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Ask until the condition holds or time is up; whether it holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _fresh_link(place: Place) -> str:
    """A link for whoever looks at the page; it is created before the lake is waited for, so it counts."""
    currency = place.region.currencies[0]
    order = {
        "amount_minor": 1999,
        "currency": currency,
        "reference": "TRY-ME",
        "description": "Pay me with 4242 4242 4242 4242",
    }
    with make_client(1) as client:
        return str(Merchant(client, place.market.api_url, place.market.secret_key).create_link(order)["url"])
