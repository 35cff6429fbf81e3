import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from regions import faults
from regions.errors import ConfigurationError

PROGRAM = "import sys; from regions.faults import reach; reach(sys.argv[1]); print('alive')"


def run(point: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # no shell, and the outcome is looked at
        [sys.executable, "-c", PROGRAM, point], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


def test_without_the_variable_every_point_is_passed() -> None:
    for point in faults.POINTS:
        faults.reach(point)


def test_the_named_point_kills_and_no_other_does() -> None:
    died = run("relay.after_produce", MERIDIAN_FAULT="relay.after_produce")
    assert died.returncode == -signal.SIGKILL
    assert died.stdout == ""
    assert run("relay.after_snapshot", MERIDIAN_FAULT="relay.after_produce").stdout == "alive\n"


def test_a_fault_that_happens_once_happens_once(tmp_path: Path) -> None:
    env = {"MERIDIAN_FAULT": "ingest.after_commit", "MERIDIAN_FAULT_ONCE": str(tmp_path / "fired")}
    assert run("ingest.after_commit", **env).returncode == -signal.SIGKILL
    assert (tmp_path / "fired").exists()
    assert run("ingest.after_commit", **env).stdout == "alive\n"


def test_misspelt_points_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no.such.point"):
        faults.reach("no.such.point")
    monkeypatch.setenv("MERIDIAN_FAULT", "relay.after_prodcue")
    with pytest.raises(ConfigurationError, match="relay.after_prodcue"):
        faults.reach("relay.after_produce")
