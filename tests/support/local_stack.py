"""A local stack in a folder of its own, as `meridian up` starts it, for end-to-end tests."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.demo import jobs

REPOSITORY = Path(__file__).parents[2]
UP_SECONDS = 240
OWN = (
    "DATABASE_URL_",
    "ADMIN_DATABASE_URL_",
    "KAFKA_BOOTSTRAP_",
    "LAKE_URI_",
    "VAULT_URI_",
    "WAREHOUSE_URI_",
    "MERIDIAN_",
)

STARTERS = frozenset({"up", "down", "demo"})


@dataclass(frozen=True)
class LocalStack:
    """One running stack; `stack` is what stack.json says."""

    state: Path
    stack: Mapping[str, Any] = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What a `meridian` command needs to find this stack and no other."""
        return {**_bare_environment(), "MERIDIAN_STATE": str(self.state)}

    def region(self, code: str) -> Mapping[str, Any]:
        current: dict[str, Any] = json.loads((self.state / "stack.json").read_text())
        found: dict[str, Any] = current["regions"][code]
        return found

    def meridian(self, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever its exit code.

        What starts and stops processes is itself started as a person does it; all else is forked from what has imported
        it already.
        """
        if arguments[0] not in STARTERS:
            return jobs.run(arguments, self.environment, REPOSITORY)
        return subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        """Run a command that has to succeed; its output."""
        done = self.meridian(*arguments)
        assert done.returncode == 0, f"meridian {' '.join(arguments)} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def running_stack(regions: str, *options: str) -> Iterator[LocalStack]:
    """Start a stack for `regions` ("eu,us") on free ports; stop it and delete everything at the end."""
    # Not below pytest's folders: PostgreSQL, which is not root, could not reach those.
    state = Path(tempfile.mkdtemp(prefix="meridian-e2e-"))
    starting = LocalStack(state, {})
    try:
        done = starting.meridian("up", "--regions", regions, *options, timeout=UP_SECONDS)
        assert done.returncode == 0, f"the stack did not start:\n{done.stdout}\n{done.stderr}"
        yield LocalStack(state, json.loads((state / "stack.json").read_text()))
    finally:
        stopped = starting.meridian("down", "--purge")
        shutil.rmtree(state, ignore_errors=True)
        assert stopped.returncode == 0, stopped.stderr


def _bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
