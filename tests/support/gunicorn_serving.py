"""gunicorn for tests: the service's own configuration, a free port, stopped when the block ends."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 30
DEFAULT_OPTIONS = ("--workers", "2", "--threads", "4", "--log-level", "warning")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(app: str, env: Mapping[str, str], options: Sequence[str] = DEFAULT_OPTIONS) -> Iterator[str]:
    """Serve `app`, which answers /healthz, with that environment; yields its base URL."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "web/gunicorn.conf.py"), *options]
    command += ["--bind", f"127.0.0.1:{port}", app]
    process = subprocess.Popen(command, env={**env, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not _is_healthy(base):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{app} did not start (exit code {process.poll()})")
            time.sleep(0.05)
        yield base
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _is_healthy(base: str) -> bool:
    try:
        return httpx.get(f"{base}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
