"""Reads pages ahead in a thread of its own, so that PostgreSQL works on the next while this one is produced."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

Page = TypeVar("Page")
PAGES_AHEAD = 2  # this many wait, and one more is being read: memory stays bounded however long the backlog


class _End:
    """The last item of the queue: how reading ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(pages: Generator[Page]) -> Generator[Page]:
    """The same pages in the same order. `pages` runs in the thread alone, and is closed when the iteration ends."""
    ready: queue.Queue[Page | _End] = queue.Queue(PAGES_AHEAD)
    is_stopped = threading.Event()
    reader = threading.Thread(target=_read, args=(pages, ready, is_stopped), name="relay-read-ahead", daemon=True)
    reader.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        is_stopped.set()
        reader.join()


def _read(pages: Generator[Page], ready: queue.Queue[Page | _End], is_stopped: threading.Event) -> None:
    end = _End(None)
    try:
        with closing(pages):
            for page in pages:
                if not _offer(ready, page, is_stopped):
                    break
    except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
        end = _End(error)
    _offer(ready, end, is_stopped)


def _offer(ready: queue.Queue[Page | _End], item: Page | _End, is_stopped: threading.Event) -> bool:
    """Wait for room; False when nobody takes it any more."""
    while not is_stopped.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
