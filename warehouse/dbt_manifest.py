"""The dbt project's manifest with compiled SQL, made without a lake and without a warehouse."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb

from regions.errors import ConfigurationError
from warehouse.dbt_runner import PROJECT, TransformError, dbt_environment

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


def compile_project(work: Path) -> Path:
    """Compile every model into `work`, and return the manifest's path. Raises TransformError with what dbt says."""
    if not (PROJECT / "dbt_project.yml").is_file():
        raise ConfigurationError(f"The dbt project is not at {PROJECT}: run Meridian from its checkout")
    work.mkdir(parents=True, exist_ok=True)
    for name in ("warehouse.duckdb", "lake.duckdb"):
        duckdb.connect(str(work / name)).close()
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from dbt.cli.main import cli; cli()", "--quiet", "compile", "--no-introspect"],
        cwd=PROJECT,
        env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **dbt_environment(work)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise TransformError(f"The dbt project does not compile: {said[:600]}")
    return work / "target" / "manifest.json"
