"""Waiting longer after each failure in a row."""

from __future__ import annotations

import threading
import time

STEPS_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
CALM_SECONDS = 10.0  # without failure for so long, the next failure is a first one again


class Backoff:
    """Counts failures in a row, and waits accordingly."""

    def __init__(self) -> None:
        self._failures = 0
        self._failed_at = 0.0

    def next_seconds(self) -> float:
        """How long to wait after the failure that has just happened."""
        if time.monotonic() - self._failed_at > CALM_SECONDS:
            self._failures = 0
        return STEPS_SECONDS[min(self._failures, len(STEPS_SECONDS) - 1)]

    def wait(self, stop: threading.Event) -> None:
        """Wait for `next_seconds`, or until `stop` is set."""
        seconds = self.next_seconds()
        self._failures += 1
        stop.wait(seconds)
        self._failed_at = time.monotonic()
