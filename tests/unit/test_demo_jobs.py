import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.demo.jobs import JobError, job

QUERY = "SELECT current_setting('enable_progress_bar')"
ASK = f'import duckdb; print(duckdb.connect().execute("{QUERY}").fetchone()[0])'


def test_a_forked_job_draws_no_progress_bar_into_its_output() -> None:
    """The fork server runs no script either."""
    asked = [
        subprocess.run([sys.executable, "-c", f"{first}{ASK}"], capture_output=True, text=True, check=True).stdout
        for first in ("", "import pipelines.demo.forked; ")
    ]
    assert asked == ["True\n", "False\n"]


def test_jobs_of_several_threads_each_end_as_they_end() -> None:
    with ThreadPoolExecutor(6) as threads:
        shown = list(threads.map(lambda _: job("fx", "convert", "--help"), range(24)))
    assert len(set(shown)) == 1
    assert "fx convert" in shown[0]


def test_a_job_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And it has the environment of this moment, not the one in which the fork server began."""
    monkeypatch.setenv("MERIDIAN_STATE", str(tmp_path))
    with pytest.raises(JobError, match=r"failed with exit code 2: meridian: DATABASE_URL_EU is not set"):
        job("fx", "convert", "1", "USD", "EUR", "--on", "2026-03-01", "--region", "eu")
