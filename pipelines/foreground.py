"""What every foreground process of pipelines does: JSON logs, and a stop that SIGTERM and Ctrl-C ask for."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from regions import logs
from regions.region import load_region

if TYPE_CHECKING:
    from regions.region import Region

COLLECTED_AT = 20_000  # objects
Process = Callable[["Region", Mapping[str, str], threading.Event], None]


def run_in_foreground(name: str, region_code: str, env: Mapping[str, str], process: Process) -> None:
    """Run a process for one region until it is asked to stop. Raises MeridianError when it cannot start."""
    region = load_region(region_code)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logs.configure(name, region.code)
    logging.getLogger("pyiceberg").setLevel(logging.WARNING)
    calm_collector()
    process(region, env, stop)


def calm_collector() -> None:
    """Let Python's collector of cycles look seldom.

    A process that streams makes a few objects for each event and drops them again, none of them in a cycle: looking
    through them after every 700, as the collector does unless told, cost 7 % of the relay's time.
    """
    gc.set_threshold(COLLECTED_AT, 20, 20)
