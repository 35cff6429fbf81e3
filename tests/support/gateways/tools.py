"""Programs of others that tests talk to, installed once into a cache from locks: never into our own environment.

`python -m tests.support.gateways.tools` installs them all and says loudly which could not be had.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[3] / "requirements" / "tools"
STRIPE_MOCK = "github.com/stripe/stripe-mock@v0.203.0"
INSTALL_SECONDS_MAX = 300


class ToolError(Exception):
    """A tool that could not be installed, and why."""


def cache_folder() -> Path:
    chosen = os.environ.get("MERIDIAN_TOOLS")
    return Path(chosen) if chosen else Path.home() / ".cache" / "meridian" / "tools"


@cache
def localstripe() -> Path:
    """The Python of an environment that has localstripe. Raises ToolError."""
    return _python("localstripe")


@cache
def stripe_mock() -> Path:
    """Stripe's own mock, which knows its OpenAPI document. Raises ToolError."""

    def install(folder: Path) -> None:
        _run(["go", "install", STRIPE_MOCK], GOBIN=str(folder), GOFLAGS="-mod=mod")

    return _installed("stripe-mock", STRIPE_MOCK.encode(), install) / "stripe-mock"


@cache
def prism() -> Path:
    """A mock server for any OpenAPI document. Raises ToolError."""
    return _npm("prism") / "node_modules/.bin/prism"


@cache
def webhook_verifiers() -> Path:
    """The Python of an environment that has the packages with which merchants verify webhooks. Raises ToolError."""
    return _python("webhooks")


@cache
def webhook_modules() -> Path:
    """The same from npm: a folder of modules. Raises ToolError."""
    return _npm("webhooks") / "node_modules"


def _python(name: str) -> Path:
    lock = LOCKS / f"{name}.txt"

    def install(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        command = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*command, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)])

    return _installed(name, lock.read_bytes(), install) / "bin/python"


def _npm(name: str) -> Path:
    lock = LOCKS / name / "package-lock.json"

    def install(folder: Path) -> None:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(lock.parent / file, folder / file)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)])

    return _installed(name, lock.read_bytes(), install)


def _installed(name: str, version: bytes, install: Callable[[Path], None]) -> Path:
    folder = cache_folder() / f"{name}-{hashlib.sha256(version).hexdigest()[:12]}"
    with _alone(folder):
        done = folder / ".installed"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                install(folder)
            except ToolError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise ToolError(f"{name} could not be installed: {error}") from error
            done.touch()
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], **more: str) -> None:
    try:
        outcome = subprocess.run(
            command,
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{command[0]}: {type(error).__name__}") from error
    if outcome.returncode:
        raise ToolError(f"{' '.join(command[:4])} failed: {(outcome.stderr or outcome.stdout).strip()[-400:]}")


def main() -> int:
    """Install everything; what is missing is named, and the tests that need it will be skipped, saying so."""
    for tool in (localstripe, stripe_mock, prism, webhook_verifiers, webhook_modules):
        try:
            print(f"{tool.__name__}: {tool()}")
        except ToolError as error:
            print(f"*** NOT INSTALLED: {error}\n*** The tests that need it are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
