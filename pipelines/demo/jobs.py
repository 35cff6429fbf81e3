"""`meridian` jobs as processes of their own, forked from one that has imported what they need.

The demo runs dozens of jobs, and importing the lake, the warehouse and Great Expectations takes each of them longer
than most of its work. The standard library's fork server imports them once; every job is still a process that starts
from the command's own `main`, with its own memory, output and exit code.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

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
CUT_SHORT = 255  # what is said of a process that left no code
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(list(PRELOADED))


class JobError(MeridianError):
    """A job of the demo has failed."""


def run(arguments: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None) -> CompletedProcess[str]:
    """Run a `meridian` command in a process of its own to its end; of one that a signal ended the code is negative."""
    with tempfile.TemporaryDirectory(prefix="meridian-job-") as folder:
        given = (tuple(arguments), dict(environment), str(cwd or Path.cwd()), folder)
        process = _SERVER.Process(target=forked.be_the_command, args=given)
        process.start()
        process.join()
        ended = process.exitcode
        process.close()
        output, errors, code = (_read(Path(folder) / name) for name in (forked.OUT, forked.ERR, forked.CODE))
    return CompletedProcess(["meridian", *arguments], int(code or ended or CUT_SHORT), output, errors)


def job(*arguments: str) -> str:
    """Run a `meridian` job in a process of its own, and return its output. Raises JobError with its last message."""
    done = run(arguments, os.environ)
    if done.returncode:
        last = ((done.stderr or done.stdout).strip().splitlines() or ["no message"])[-1]
        raise JobError(f"`meridian {' '.join(arguments)}` failed with exit code {done.returncode}: {last}")
    return done.stdout


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
