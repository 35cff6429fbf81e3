"""Named points at which a test may kill the process. Without `MERIDIAN_FAULT` in the environment they do nothing."""

import os
import signal
from typing import Final

from regions.errors import ConfigurationError

POINTS: Final = frozenset(
    {
        "relay.after_produce",  # produced and acknowledged, the cursor not moved
        "relay.after_snapshot",  # the next snapshot persisted, nothing produced
        "relay.in_batch",  # some of the batch produced, nothing known to be acknowledged
        "relay.after_cursor",  # the cursor moved
        "ingest.after_data_file",  # data written, the commit not made
        "ingest.after_commit",
        "lake.after_compaction_files",  # compacted files written, not committed
        "lake.after_compaction",  # committed, the replaced files still there
        "lake.before_unlink",  # the fence is committed, nothing unlinked
        "web.after_gateway_answer",  # the gateway answered, our commit not made
        "worker.after_gateway_answer",
        "retention.after_begin",  # what verification looks for is kept, nothing is erased
        "retention.before_keys",  # rows emptied, no key destroyed
        "retention.before_commit",  # keys destroyed, our commit not made
        "retention.after_gateways",
        "retention.after_database",
        "retention.after_sweep",
        "retention.before_swap",  # new lake files written, not committed
        "retention.after_swap",  # committed, old lake files still there
        "retention.after_lake",
        "retention.after_warehouse",
    }
)


def reach(point: str) -> None:
    """Die by SIGKILL if this is the point that `MERIDIAN_FAULT` names.

    With `MERIDIAN_FAULT_ONCE` set to a path, only the first process to get here dies: it creates that file just before,
    and the fault does not fire while the file exists.
    """
    if point not in POINTS:
        raise ValueError(f"{point!r} is not a fault point: add it to regions.faults.POINTS")
    wanted = os.environ.get("MERIDIAN_FAULT")
    if not wanted:
        return
    if wanted not in POINTS:
        raise ConfigurationError(f"MERIDIAN_FAULT is {wanted!r}, which is no fault point: use one of {sorted(POINTS)}")
    if wanted == point and _is_first():
        os.kill(os.getpid(), signal.SIGKILL)


def _is_first() -> bool:
    marker = os.environ.get("MERIDIAN_FAULT_ONCE")
    if not marker:
        return True
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
