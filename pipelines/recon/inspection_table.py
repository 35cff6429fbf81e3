"""What a file is, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from regions.money import EXPONENTS, Money

PROBLEMS_SHOWN = 50
WIDTH_MIN = 140


def print_inspection(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the document of `inspection.inspect`: what the file is, its sums and balances, and its problems."""
    console = console or Console()
    console.width = max(console.width, WIDTH_MIN)  # an amount in a pipe or a narrow terminal stays whole
    console.print(
        f"{found['kind']}: {found['format']} {found['version'] or '(no version)'}, {found['line_count']} lines, "
        f"{found['size_bytes']} bytes, sha256 {found['sha256'][:12]}…",
        highlight=False,
    )
    console.print(f"account {escape(', '.join(found['accounts']) or 'not named')}", highlight=False)
    totals = Table("type", "currency", "count", "sum")
    for one in found["totals"]:
        amount = _money(one["sum_minor"], one["currency"])
        totals.add_row(escape(one["type"]), one["currency"], str(one["count"]), amount)
    console.print(totals)
    word = "batches" if "batches" in found else "statements"
    ends = ("paid_out_minor",) if word == "batches" else ("opening_minor", "closing_minor")
    names = [end.removesuffix("_minor").replace("_", " ") for end in ends]
    groups = Table(word[:-2] if word == "batches" else word[:-1], "currency", "lines", "sum", *names, "foots")
    for one in found[word]:
        groups.add_row(
            escape(one["id"]),
            one["currency"],
            str(one["line_count"]),
            _money(one["sum_minor"], one["currency"]),
            *(_money(one.get(end), one["currency"]) for end in ends),
            {True: "yes", False: f"no: {one['difference_minor']} minor units", None: "-"}[one["foots"]],
        )
    console.print(groups)
    for problem in found["problems"][:PROBLEMS_SHOWN]:
        where = f"line {problem['line']}" if problem["line"] else "file"
        console.print(
            f"  {problem['severity']}, {where}: {escape(problem['message'])}", highlight=False, soft_wrap=True
        )
    left = found["error_count"] + found["warning_count"] - PROBLEMS_SHOWN
    if left > 0:
        console.print(f"  and {left} more: ask with --json")
    console.print("it foots" if found["foots"] else f"it does not foot: {found['error_count']} errors", highlight=False)


def _money(minor: int | None, currency: str) -> str:
    if minor is None:
        return "-"
    return str(Money(minor, currency)) if currency in EXPONENTS else f"{minor} {currency}"
