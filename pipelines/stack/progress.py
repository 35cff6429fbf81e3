import sys
import threading
import time
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

WIDTH = 10


class Progress:
    """What each part of the stack is doing, one line per part; on something that is no terminal, one line per step.

    Several threads report. Goes to standard error: standard output is for results.
    """

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._lines: dict[str, Text] = {}
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._live = Live(self, console=self._console, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for part, line in self._lines.items():
                table.add_row(Text(part, style="bold"), line)
        return table

    def step(self, part: str, text: str) -> None:
        """The part now does this."""
        self._show(part, Text(text))

    def done(self, part: str) -> None:
        """The part is up."""
        self._show(part, Text(f"up after {time.monotonic() - self._began:.1f} s", style="green"))

    def failed(self, part: str) -> None:
        """The part could not be brought up."""
        self._show(part, Text("failed", style="red"))

    def note(self, text: str) -> None:
        """A remark that belongs to no part."""
        self._console.print(text, style="yellow")

    def _show(self, part: str, line: Text) -> None:
        with self._lock:
            self._lines[part] = line
        if not self._console.is_terminal:
            self._console.print(f"{part:<{WIDTH}}", line, sep=" ")
