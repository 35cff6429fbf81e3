"""The door of the lake: a file is judged before anything of it is landed, and one that fails goes to quarantine.

<state>/quarantine/<region>/<suite>/<hash>/   the file, report.json, report.html
<state>/expectations/<region>/<suite>/        the last judgement of each file, for the data docs
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.expectations.suite import CRITICAL, load_suite
from pipelines.stack.state import state_path
from regions.errors import MeridianError, UsageError

if TYPE_CHECKING:
    from pipelines.expectations.engine import Finding
    from regions.region import Region

QUARANTINE, JUDGEMENTS = "quarantine", "expectations"


class RefusedFileError(UsageError):
    """A file that does not meet what is expected of its kind."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class Door:
    """The door of one region's lake."""

    def __init__(self, region: str, state: Path) -> None:
        self._region = region
        self._state = state

    @classmethod
    def of(cls, region: Region, env: Mapping[str, str]) -> Door:
        """The door whose quarantine is in the environment's state folder."""
        return cls(region.code, state_path(env))

    def expect(self, suite: str, name: str, columns: Mapping[str, Sequence[Any]]) -> list[str]:
        """Judge a file given as columns of text (and `line`). Returns warnings.

        Raises RefusedFileError naming file, line and column.
        """
        from pipelines.expectations.engine import judge

        findings, document = judge(load_suite(suite), columns)
        self._keep(suite, name, document)
        refusals = [found for found in findings if found.severity == CRITICAL]
        if refusals:
            more = f"; {len(refusals) - 1} more expectations are not met" if len(refusals) > 1 else ""
            raise RefusedFileError(f"{name}, {refusals[0].sentence()}{more}", findings)
        return [f"{name}, {found.sentence()}" for found in findings]

    @contextmanager
    def guard(self, suite: str, name: str, content: bytes) -> Iterator[None]:
        """Put the file into quarantine when what is done inside refuses it; the error then also says where it went."""
        try:
            yield
        except MeridianError as error:
            if error.exit_code != UsageError.exit_code:
                raise
            folder = self._confine(suite, name, content, error)
            raise type(error)(f"{error}; nothing was landed, see {folder / 'report.html'}") from error

    def _confine(self, suite: str, name: str, content: bytes, error: MeridianError) -> Path:
        sha256 = hashlib.sha256(content).hexdigest()
        folder = self._state / QUARANTINE / self._region / suite / sha256[:16]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file_name = _slug(Path(name).name)
        (folder / file_name).write_bytes(content)
        findings = error.findings if isinstance(error, RefusedFileError) else ()
        report = {
            "region": self._region,
            "suite": suite,
            "name": name,
            "file": file_name,
            "sha256": sha256,
            "reason": str(error),
            "findings": [
                {
                    "expectation": found.rule,
                    "severity": found.severity,
                    "says": found.says,
                    "count": found.count,
                    "examples": list(found.examples),
                }
                for found in findings
            ],
        }
        (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        (folder / "report.html").write_text(_page(report), encoding="utf-8")
        return folder

    def _keep(self, suite: str, name: str, document: Mapping[str, Any]) -> None:
        folder = self._state / JUDGEMENTS / self._region / suite
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = folder / f".{_slug(name)}.new"
        staged.write_text(json.dumps({"name": name, "result": document}), encoding="utf-8")
        staged.replace(folder / f"{_slug(name)}.json")


def _page(report: Mapping[str, Any]) -> str:
    """The report for people."""
    rows = "".join(
        f"<tr><td>{example['line']}</td><td>{html.escape(example['column'])}</td>"
        f"<td><code>{html.escape(example['value'])}</code></td><td>{html.escape(found['says'])}</td></tr>"
        for found in report["findings"]
        for example in found["examples"]
    )
    table = f"<table><tr><th>line<th>column<th>value<th>expected</tr>{rows}</table>" if rows else ""
    name, reason = html.escape(report["name"]), html.escape(report["reason"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Refused: {name}</title>'
        "<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto}td,th{padding:.2rem .8rem;"
        "text-align:left;border-bottom:1px solid #ddd}</style>"
        f"<h1>Refused: {name}</h1><p>{reason}</p>{table}"
        f"<p>Region {report['region']}, suite {report['suite']}. Nothing of the file was landed. The file as it came: "
        f"<code>{html.escape(report['file'])}</code> (SHA-256 <code>{report['sha256']}</code>).</p></html>\n"
    )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "file"
