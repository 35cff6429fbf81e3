"""The page that the demo prints, and the progress before it."""

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pipelines.demo.checks import Check
from pipelines.demo.figures import Book
from pipelines.demo.run import Outcome
from regions.money import Money

SUMMARY_QUERY = '"select * from rpt_recon_summary"'
PAGE_WIDTH = 120  # where there is no terminal to ask


def page_console() -> Console:
    """Where the page goes: standard output, wide enough for what people copy from it."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PAGE_WIDTH)


class ProgressBars:
    """One bar per region on a terminal; elsewhere, one line whenever a region begins something new."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        columns = (
            TextColumn("{task.fields[region]}", style="bold"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._doing: dict[str, str] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, region: str, steps: int) -> None:
        """The region will take this many steps."""
        self._tasks[region] = self._progress.add_task("waiting", total=steps, region=region)

    def stepped(self, region: str, what: str, steps: int = 1) -> None:
        """The region has taken `steps` more steps and now does `what`."""
        self._progress.update(self._tasks[region], advance=steps, description=what)
        with self._lock:
            is_new, self._doing[region] = self._doing.get(region) != what, what
        if is_new and not self._console.is_terminal:
            self._console.print(f"{region}: {what}", markup=False)


def page(outcomes: Sequence[Outcome], seconds: float) -> RenderableType:
    """Everything on one page: numbers, breaks by name, verdicts, and where to look next."""
    parts: dict[str, RenderableType] = {
        "What happened on this stack, all runs together": _numbers(outcomes),
        "Books, in major units": _money(outcomes),
        "Breaks: planted in the settlement reports, and found by reconciliation": _breaks(outcomes),
        **_blocks(outcomes),
        "Checks": _verdicts(outcomes),
        "Where to look next": _next(outcomes),
    }
    blocks: list[RenderableType] = [Rule("Meridian demo")]
    for heading, table in parts.items():
        blocks += [Text(heading, style="bold underline"), table, Text()]
    wrong = sum(not check.holds for outcome in outcomes for check in outcome.checks)
    all_count = sum(len(outcome.checks) for outcome in outcomes)
    if wrong:
        blocks.append(Text(f"{wrong} of {all_count} checks do not hold, after {seconds:.0f} s.", style="bold red"))
    else:
        blocks.append(Text(f"Every number agrees: {all_count} checks, {seconds:.0f} s.", style="bold green"))
    return Group(*blocks)


def _numbers(outcomes: Sequence[Outcome]) -> Table:
    table = _table("")
    for outcome in outcomes:
        table.add_column(outcome.place.code, justify="right", style="bold")

    def row(name: str, values: Sequence[object]) -> None:
        table.add_row(name, *(str(value) for value in values))

    traded = [outcome.figures.traded for outcome in outcomes]
    reported = [outcome.figures.reported for outcome in outcomes]
    row("accounting date", [outcome.date for outcome in outcomes])
    row("links", [one.links.total() for one in traded])
    row("checkout sessions", [one.sessions.total() for one in traded])
    row("payments", [one.payments.total() for one in traded])
    for status in sorted({status for one in traded for status in one.payments}):
        row(f"  {status}", [one.payments[status] for one in traded])
    row("refunds", [one.refunds.total() for one in traded])
    for status in sorted({status for one in traded for status in one.refunds}):
        row(f"  {status}", [one.refunds[status] for one in traded])
    row("events committed", [one.events.total() for one in traded])
    row("events in the lake", [one.events.total() for one in reported])
    row("settlement lines", [one.money_lines for one in reported])
    row("  matched", [one.matched_lines for one in reported])
    row("breaks", [one.breaks.total() for one in reported])
    row("funnel: opened", [one.funnel.opened for one in reported])
    row("  submitted", [_share(one.funnel.submitted, one.funnel.opened) for one in reported])
    row("  completed", [_share(one.funnel.completed, one.funnel.opened) for one in reported])
    return table


def _table(*names: str, show_header: bool = True) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), show_header=show_header, pad_edge=False)
    for name in names:
        table.add_column(name)
    return table


def _share(part: int, whole: int) -> str:
    return f"{part} ({part * 100 // whole} %)" if whole else str(part)


def _money(outcomes: Sequence[Outcome]) -> Table:
    table = _table("", "currency")
    for name in ("captured", "refunded", "captured, says the gateway", "refunded, says the gateway"):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        ours, theirs = outcome.figures.traded.books, outcome.figures.judged.books
        for currency in sorted(_moved(ours) | _moved(theirs)):
            our, their = ours.get(currency, Book()), theirs.get(currency, Book())
            amounts = (our.captured_minor, our.refunded_minor, their.captured_minor, their.refunded_minor)
            shown = [f"{Money(minor, currency).to_decimal():,}" for minor in amounts]
            table.add_row(outcome.place.code, currency, *shown)
    return table


def _moved(books: Mapping[str, Book]) -> set[str]:
    return {currency for currency, book in books.items() if book != Book()}


def _breaks(outcomes: Sequence[Outcome]) -> Table:
    table = _table("", "class", "gateway's reference", "planted", "found")
    for outcome in outcomes:
        planted, found = outcome.figures.judged.planted, outcome.figures.reported.breaks
        for one in sorted(planted.keys() | found.keys()):
            table.add_row(outcome.place.code, one.kind, one.psp_reference, _times(planted[one]), _times(found[one]))
    return table


def _times(count: int) -> Text:
    if count == 0:
        return Text("no", style="red")
    return Text("yes" if count == 1 else f"{count} times", style="green")


def _blocks(outcomes: Sequence[Outcome]) -> dict[str, RenderableType]:
    """What each domain says, region by region."""
    parts: dict[str, Table] = {}
    for outcome in outcomes:
        for block in outcome.blocks:
            table = parts.setdefault(block.title, _table("", "", show_header=False))
            for number, line in enumerate(block.lines):
                table.add_row("" if number else outcome.place.code, line)
    return dict(parts)


def _verdicts(outcomes: Sequence[Outcome]) -> RenderableType:
    """One row per check; what does not hold is told in full below."""
    table = _table("", *(outcome.place.code for outcome in outcomes))
    details: list[RenderableType] = []
    rows: dict[str, dict[str, Check]] = {}
    for check in (check for outcome in outcomes for check in outcome.checks):
        rows.setdefault(check.what, {})[check.region] = check
    for what, row in rows.items():
        table.add_row(what, *(_mark(row.get(outcome.place.code)) for outcome in outcomes))
        details += [Text(f"{one.region}, {what}: {one.detail}", style="red") for one in row.values() if not one.holds]
    return Group(table, *details)


def _mark(check: Check | None) -> Text:
    """What a check found; nothing for a region in which it was not made."""
    if check is None:
        return Text("-", style="dim")
    return Text("agrees", style="green") if check.holds else Text("DISAGREES", style="bold red")


def _next(outcomes: Sequence[Outcome]) -> Table:
    table = _table("", "", "", show_header=False)
    for outcome in outcomes:
        table.add_row(outcome.place.code, "pay this link", _whole(outcome.link_url))
    for outcome in outcomes:
        code = outcome.place.code
        table.add_row(code, "ask the warehouse", _whole(f"meridian sql --region {code} {SUMMARY_QUERY}"))
    for outcome in outcomes:
        entry = outcome.place.entry
        table.add_row(
            outcome.place.code, "open the console", _whole(f"{entry['console_url']} as {entry['console_user']}")
        )
    table.add_row("all", "see what runs", "meridian status")
    table.add_row("all", "find the keys and the console's password", "meridian status --json")
    table.add_row("all", "stop everything", "make down")
    return table


def _whole(text: str) -> Text:
    """Something to copy: never wrapped."""
    return Text(text, no_wrap=True, overflow="ignore")
