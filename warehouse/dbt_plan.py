"""What a build runs: the dbt project, compiled once per state of its files, as an ordered list of SQL statements.

dbt needs seconds to start, parse and compile, whatever the data. Compiled SQL depends on nothing but the project's
files and the funnels, so it is kept under `dbt/target/plans/<fingerprint>/`, for all regions, builds and tests.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from regions.errors import ConfigurationError, MeridianError
from regions.funnels import load_funnels

PLANS_KEPT = 5
_FORMAT: Final = "3"  # of plan.json
_NOT_OURS: Final = {"target", "logs", "dbt_packages", "__pycache__"}
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")  # no secret reaches dbt
_SAID_MAX = 1500
_HOOK: Final = "{{ check_residency() }}"  # runs when the project is compiled
_COMPILE: Final = """
import sys
from dbt.cli.main import dbtRunner
runner = dbtRunner()
for command in (["run-operation", "check_residency"], ["compile", "--no-introspect"]):
    done = runner.invoke(["--quiet", *command])
    if not done.success:
        sys.exit(str(done.exception or "") or 1)
"""


class TransformError(MeridianError):
    """The project does not compile, or a model or a data test failed; the message names what."""


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column as its contract declares it."""

    name: str
    data_type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A seed, model or data test. `sql` is compiled; a seed has the path of its file instead."""

    id: str
    kind: str
    name: str
    schema: str
    sql: str
    path: str
    columns: tuple[PlannedColumn, ...]
    tags: frozenset[str]
    parents: tuple[str, ...]  # ids of nodes and sources
    is_warning: bool  # a test that only warns
    meta: Mapping[str, Any]

    @property
    def is_test(self) -> bool:
        """Whether it checks, and builds nothing."""
        return self.kind == "test"

    def to_json(self) -> dict[str, Any]:
        """As it stands in plan.json."""
        return {**asdict(self), "tags": sorted(self.tags)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Node:
        """What `to_json` wrote."""
        columns = tuple(PlannedColumn(**column) for column in document["columns"])
        return cls(
            **{
                **document,
                "columns": columns,
                "tags": frozenset(document["tags"]),
                "parents": tuple(document["parents"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """Every node of a project in an order in which it can run: a test comes as soon as what it reads is there."""

    fingerprint: str
    nodes: tuple[Node, ...]

    def model(self, name: str) -> Node:
        """The model or seed of that name."""
        return next(node for node in self.nodes if node.name == name and not node.is_test)


def load_plan(project: Path, fallback: Path) -> Plan:
    """The project's plan. `fallback` is where it is kept if the project's folder cannot be written.

    Raises TransformError with what dbt says if the project does not compile or leaves a column unclassed.
    """
    folder = compiled(project, fallback)
    return _read_plan(folder / "plan.json", folder.name)


def compiled(project: Path, fallback: Path) -> Path:
    """The folder with the project's `manifest.json` and `plan.json`, compiled if its files have changed."""
    if not (project / "dbt_project.yml").is_file():
        raise ConfigurationError(f"The dbt project is not at {project}: run Meridian from its checkout")
    root = (project / "target" if os.access(project, os.W_OK) else fallback) / "plans"
    folder = root / _fingerprint(project)
    if (folder / "plan.json").is_file():
        return folder
    with _one_compiler(root):
        if not (folder / "plan.json").is_file():
            _compile(project, root, folder)
            _prune(root, folder)
    return folder


def dbt_environment(project: Path, work: Path) -> dict[str, str]:
    """The variables that dbt/profiles.yml and dbt itself read."""
    return {
        "MERIDIAN_DBT_WAREHOUSE": str(work / "warehouse.duckdb"),
        "MERIDIAN_DBT_LAKE": str(work / "lake.duckdb"),
        "DBT_PROJECT_DIR": str(project),
        "DBT_PROFILES_DIR": str(project),
        "DBT_TARGET_PATH": str(work / "target"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DBT_LOG_LEVEL_FILE": "none",
        "DO_NOT_TRACK": "1",
        "MERIDIAN_DBT_FUNNELS": _funnels(),
    }


def _funnels() -> str:
    return json.dumps([funnel.to_json() for funnel in load_funnels().values()])


def _fingerprint(project: Path) -> str:
    digest = hashlib.sha256("\0".join((_FORMAT, version("dbt-core"), version("dbt-duckdb"), _funnels())).encode())
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project)
        if path.is_file() and not _NOT_OURS.intersection(name.parts):
            digest.update(f"\0{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


@contextmanager
def _one_compiler(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(project: Path, root: Path, folder: Path) -> None:
    work = root / "work"  # always the same names, so that dbt parses again only what has changed
    work.mkdir(exist_ok=True)
    for name in ("warehouse.duckdb", "lake.duckdb"):
        (work / name).unlink(missing_ok=True)
        duckdb.connect(str(work / name)).close()
    done = subprocess.run(
        [sys.executable, "-P", "-c", _COMPILE],
        cwd=project,
        env={
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            **dbt_environment(project, work),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise TransformError(f"The dbt project does not compile: {said[:_SAID_MAX] or 'dbt said nothing'}")
    staged = root / f".{folder.name}.new"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    shutil.copyfile(work / "target" / "manifest.json", staged / "manifest.json")
    nodes = [node.to_json() for node in read_nodes(staged / "manifest.json", project)]
    (staged / "plan.json").write_text(json.dumps(nodes, indent=1), encoding="utf-8")
    staged.replace(folder)


def _prune(root: Path, current: Path) -> None:
    plans = [path for path in root.iterdir() if (path / "plan.json").is_file() and path != current]
    plans.sort(key=lambda path: path.stat().st_mtime)
    for path in plans[: max(0, len(plans) - PLANS_KEPT + 1)]:
        shutil.rmtree(path, ignore_errors=True)


@cache
def _read_plan(path: Path, fingerprint: str) -> Plan:
    return Plan(fingerprint, tuple(Node.from_json(node) for node in json.loads(path.read_text(encoding="utf-8"))))


# ---------------------------------------------------------------------------------------------------- from the manifest
def read_nodes(manifest: Path, project: Path) -> list[Node]:
    """The nodes of a compiled manifest, in order. Raises TransformError for a kind of node that no build can run."""
    document = json.loads(manifest.read_text(encoding="utf-8"))
    if document.get("unit_tests"):
        raise TransformError("The dbt project has unit tests, which builds do not run: test its SQL under tests/")
    nodes = (node for node in document["nodes"].values() if node.get("raw_code") != _HOOK)
    return list(_with_parents_tags(_in_order(_node(node, project) for node in nodes)))


def _node(node: dict[str, Any], project: Path) -> Node:
    config, kind, name = node["config"], node["resource_type"], node["name"]
    if kind not in {"model", "seed", "test"}:
        raise TransformError(f"{name} is a dbt {kind}, which builds do not run")
    if kind == "model" and (config["materialized"] != "table" or config["pre-hook"] or config["post-hook"]):
        raise TransformError(f"{name} must be a table without hooks")
    if kind == "test" and (config["warn_if"], config["error_if"], config["fail_calc"]) != ("!= 0", "!= 0", "count(*)"):
        raise TransformError(f"{name} must fail on any row that it returns")
    types = config.get("column_types") or {}
    columns = () if kind == "test" else tuple(_columns(name, node["columns"], types))
    if kind != "seed" and not node.get("compiled_code"):
        raise TransformError(f"{name} was not compiled")
    return Node(
        id=node["unique_id"],
        kind=kind,
        name=name,
        schema=node["schema"],
        sql=node.get("compiled_code") or "",
        path=str(project / node["original_file_path"]) if kind == "seed" else "",
        columns=columns,
        tags=frozenset(node["tags"]),
        parents=tuple(dict.fromkeys(node["depends_on"].get("nodes", ()))),
        is_warning=str(config.get("severity", "error")).lower() == "warn",
        meta={**(node.get("meta") or {}), **(config.get("meta") or {})},
    )


def _columns(name: str, declared: dict[str, Any], types: Mapping[str, str]) -> Iterator[PlannedColumn]:
    for column in declared.values():
        kinds = {constraint["type"] for constraint in column.get("constraints") or ()}
        if kinds - {"not_null"}:
            raise TransformError(f"{name}.{column['name']} has a constraint that builds do not know: write a data test")
        data_type = column.get("data_type") or types[column["name"]]
        yield PlannedColumn(column["name"], data_type, "not_null" in kinds)


def _with_parents_tags(nodes: Iterable[Node]) -> Iterator[Node]:
    """A test belongs to the stage of whatever it reads, as in dbt's own selection."""
    tags: dict[str, frozenset[str]] = {}
    for node in nodes:
        tags[node.id] = node.tags
        yield (
            replace(node, tags=node.tags.union(*(tags.get(id_, ()) for id_ in node.parents))) if node.is_test else node
        )


def _in_order(found: Iterable[Node]) -> Iterator[Node]:
    """Parents first, tests as early as they can; otherwise by name, so that the order is always the same."""
    waiting = sorted(found, key=lambda node: (not node.is_test, node.name))
    done: set[str] = set()
    known = {node.id for node in waiting}
    while waiting:
        ready = next((node for node in waiting if not (known.intersection(node.parents) - done)), None)
        if ready is None:
            raise TransformError(f"{waiting[0].name} depends on itself")
        waiting.remove(ready)
        done.add(ready.id)
        yield ready
