"""`meridian` jobs as processes of their own, forked from one that has imported what they need.

The demo runs dozens of jobs, and importing the lake, the warehouse and Great Expectations takes each of them longer
than most of its work. The standard library's fork server imports them once; every job is still a process that starts
from the command's own `main`, with its own memory, output and exit code.
"""

import multiprocessing
import os
import tempfile
from pathlib import Path

from pipelines.demo import forked
from regions.errors import MeridianError

PRELOADED = (
    "pipelines.demo.forked",  # first
    "pipelines.cli",
    "pipelines.builds.commands",
    "pipelines.builds.service",
    "pipelines.fraud.commands",
    "pipelines.fx.commands",
    "pipelines.fx.landing",
    "pipelines.recon.commands",
    "pipelines.recon.service",
    "pipelines.retention.commands",
    "pipelines.retention.running",
    "pipelines.retention.verifying",
    "pipelines.retention.certifying",
    "pipelines.expectations.engine",
    "pipelines.sql_command",
    "warehouse.global_builds",
    "warehouse.transform",
)
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(list(PRELOADED))


class JobError(MeridianError):
    """A job of the demo has failed."""


def job(*arguments: str) -> str:
    """Run a `meridian` job in a process of its own, and return its output. Raises JobError with its last message."""
    with tempfile.TemporaryDirectory(prefix="meridian-job-") as folder:
        process = _SERVER.Process(target=forked.be_the_command, args=(arguments, dict(os.environ), folder))
        process.start()
        process.join()
        process.close()
        output, errors, code = (_read(Path(folder) / name) for name in (forked.OUT, forked.ERR, forked.CODE))
    if code != "0":
        last = ((errors or output).strip().splitlines() or ["no message"])[-1]
        how = f"failed with exit code {code}" if code else "was cut short"
        raise JobError(f"`meridian {' '.join(arguments)}` {how}: {last}")
    return output


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
