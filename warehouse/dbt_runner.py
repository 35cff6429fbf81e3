"""Runs dbt on a candidate, as a process of its own: dbt keeps global state, and DuckDB's file its one writer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regions.errors import ConfigurationError, MeridianError
from regions.funnels import load_funnels

PROJECT = Path(__file__).resolve().parent.parent / "dbt"
RECON = "tag:recon"
GLOBAL = "tag:global"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")  # no secret reaches dbt
_SHOWN_MAX = 5


class TransformError(MeridianError):
    """A model or a data test failed; the message names them."""


@dataclass(frozen=True, slots=True)
class TransformResult:
    """What dbt did: counts by status, and what only warned."""

    passed: int
    warnings: tuple[str, ...]


def run_models(work: Path, *, recon: bool) -> TransformResult:
    """Build and test a region's models of one stage: those of reconciliation, or all others.

    `work` holds `warehouse.duckdb` (written) and `lake.duckdb` (read). Raises TransformError if anything fails.
    """
    return _run(work, ["--select", RECON] if recon else ["--exclude", RECON, GLOBAL])


def run_global_models(work: Path) -> TransformResult:
    """Build and test the models of the global warehouse; otherwise as `run_models`."""
    return _run(work, ["--select", GLOBAL])


def _run(work: Path, selection: list[str]) -> TransformResult:
    if not (PROJECT / "dbt_project.yml").is_file():
        raise ConfigurationError(f"The dbt project is not at {PROJECT}: run Meridian from its checkout")
    target = work / "target"
    results = target / "run_results.json"
    results.unlink(missing_ok=True)
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            "from dbt.cli.main import cli; cli()",
            "--quiet",
            "build",
            "--fail-fast",
            *selection,
        ],
        cwd=PROJECT,
        env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **dbt_environment(work)},
        capture_output=True,
        text=True,
        check=False,
    )
    (work / "dbt.out").write_text(done.stdout + done.stderr, encoding="utf-8")
    outcome = json.loads(results.read_text(encoding="utf-8"))["results"] if results.is_file() else []
    failures = [_describe(node) for node in outcome if node["status"] in {"error", "fail", "runtime error"}]
    if done.returncode != 0 or failures or not outcome:
        raise TransformError(_complaint(failures, done.stdout + done.stderr))
    return TransformResult(
        passed=sum(node["status"] in {"success", "pass"} for node in outcome),
        warnings=tuple(_describe(node) for node in outcome if node["status"] == "warn"),
    )


def dbt_environment(work: Path) -> dict[str, str]:
    """The variables that dbt/profiles.yml and dbt itself read."""
    return {
        "MERIDIAN_DBT_WAREHOUSE": str(work / "warehouse.duckdb"),
        "MERIDIAN_DBT_LAKE": str(work / "lake.duckdb"),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(work / "target"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DBT_LOG_LEVEL_FILE": "none",  # megabytes of debug lines, a second of every build
        "DO_NOT_TRACK": "1",
        "MERIDIAN_DBT_FUNNELS": json.dumps([funnel.to_json() for funnel in load_funnels().values()]),
    }


def _describe(node: dict[str, Any]) -> str:
    name = str(node["unique_id"]).split(".")[2]
    message = " ".join(str(node.get("message") or node["status"]).split())
    return f"{name} ({message})"


def _complaint(failures: list[str], output: str) -> str:
    if not failures:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return f"dbt stopped: {' '.join(lines[-_SHOWN_MAX:]) or 'it said nothing'}"
    more = f" and {len(failures) - _SHOWN_MAX} more" if len(failures) > _SHOWN_MAX else ""
    return f"The build failed its checks: {'; '.join(failures[:_SHOWN_MAX])}{more}"
