"""The pipeline's benchmark, tiny: it runs every step for real, and refuses a day that does not add up."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_tiny_day_alone_and_on_a_day_of_history() -> None:
    command = [sys.executable, str(ROOT / "tests/bench/pipeline.py"), "--payments", "60", "--days", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    steps = {"outbox", "relay", "ingest", "build", "recon", "publish"}
    for name, payments in (("alone", 60), ("on_history", 120)):
        found = report[name]
        assert set(found["steps"]) == steps
        assert all(step["seconds"] > 0 for step in found["steps"].values())
        assert all(found["steps"][step]["peak_mib"] > 50 for step in steps - {"outbox"})
        assert (found["payments"], found["payments_of_day"], found["breaks"]) == (payments, 60, 0)
        assert found["matches"] > 40
    assert report["on_history"]["is_incremental"]
    assert report["ratio"] > 0
    assert report["cpu_ratio"] > 0
