"""Reconciliation's benchmark, small: every step runs, and what was planted in the tables is what the passes find."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_small() -> None:
    command = [sys.executable, str(ROOT / "tests/bench/recon.py"), "--check", "--rows", "5000", "--days", "1"]
    done = subprocess.run(
        [*command, "--payments", "20"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    classes = {"missing_at_gateway", "missing_with_us", "amount", "duplicate", "split"}
    assert report["passes"]["breaks"] == dict.fromkeys(classes, 2)
    assert report["join"]["rows"] == report["merge"]["rows"] == 5000 + 2 * 3 + 10
    assert report["upon_1"]["is_incremental"]  # upon a build that is itself upon another
