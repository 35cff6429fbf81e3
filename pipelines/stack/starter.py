"""Starting processes and waiting for them, within one deadline, by several threads of which one may fail."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from pipelines.stack.errors import StackError
from pipelines.stack.state import StateFolder
from pipelines.stack.status import is_up, restart_counts
from pipelines.stack.supervisor import Supervisor

POLL_S = 0.1
FAILED_STARTS_MAX = 3
LOG_TAIL_LINES = 15


class ProcessFailedError(StackError):
    """A process that does not stay up, or is not ready in time; `tail` is the end of its log."""

    def __init__(self, name: str, trouble: str, tail: list[str]) -> None:
        super().__init__(f"{name} {trouble}: see `meridian logs {name}`.")
        self.tail = tail


class CancelledError(StackError):
    """Another part has failed, so this one stops trying."""


class Starter:
    """Starts processes, remembers which, and waits for conditions until the deadline, a failure or a cancellation."""

    def __init__(self, state: StateFolder, supervisor: Supervisor, timeout_s: float) -> None:
        self._state = state
        self._supervisor = supervisor
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._cancelled = threading.Event()
        self._started: list[str] = []
        self._restarts_before = restart_counts(state)

    @property
    def seconds_left(self) -> float:
        """Until the deadline; at least one."""
        return max(1.0, self._deadline - time.monotonic())

    def cancel(self) -> None:
        """Make every other thread stop waiting, with CancelledError."""
        self._cancelled.set()

    def undo(self) -> None:
        """Stop what was started here."""
        self._supervisor.stop_all(self._started)

    def start(self, name: str) -> None:
        """Start a process, unless it runs already."""
        self._check_cancelled(name)
        if is_up(self._supervisor.processes().get(name)):
            return
        self._started.append(name)
        self._supervisor.start(name)

    def await_running(self, name: str) -> None:
        """Wait until the process has stayed up for a second."""
        self.await_condition(name, lambda: self._supervisor.processes()[name].state == "RUNNING")

    def await_healthy(self, name: str, base_url: str, path: str = "/healthz") -> None:
        """Wait until the process answers there."""
        self.await_condition(name, lambda: _answers(f"{base_url}{path}"))

    def await_condition(self, name: str, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, the process `name` fails, the deadline passes or another part fails."""
        while not condition():
            process = self._supervisor.processes()[name]
            restarts = restart_counts(self._state).get(name, 0) - self._restarts_before.get(name, 0)
            if process.state == "FATAL" or restarts >= FAILED_STARTS_MAX:
                raise ProcessFailedError(name, "does not stay up", tail(self._state, name))
            self._check_cancelled(name)
            self._cancelled.wait(POLL_S)

    def _check_cancelled(self, name: str) -> None:
        if self._cancelled.is_set():
            raise CancelledError("Stopped, because another part failed.")
        if time.monotonic() > self._deadline:
            trouble = f"was not ready within {self._timeout_s:.0f} s"
            raise ProcessFailedError(name, trouble, tail(self._state, name))


def tail(state: StateFolder, name: str, lines: int = LOG_TAIL_LINES) -> list[str]:
    """The last lines of a process's log."""
    path = state.log_file(name)
    if not path.exists():
        return []
    return path.read_text(errors="replace").splitlines()[-lines:]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - our own http address
            return bool(response.status == 200)  # noqa: PLR2004 - OK
    except (urllib.error.URLError, OSError):
        return False
