"""The record of a build: what it was made from, how far it got, what it holds."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from regions.errors import MeridianError
from regions.files import sync_folder
from warehouse.inputs import Inputs
from warehouse.transform import Increment


class BuildRecordError(MeridianError):
    """A build's record cannot be read."""


class BuildStatus(StrEnum):
    """How far a build got."""

    BUILDING = "building"  # or killed while building
    BUILD_FAILED = "build_failed"
    BUILT = "built"  # everything but reconciliation, tested
    RECON_FAILED = "recon_failed"
    RECONCILED = "reconciled"  # everything, tested: may be published
    PUBLISHED = "published"  # is, or was, what readers see


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build. `table_rows` counts each mart's rows; `rerun_of` is the build whose inputs were read again."""

    number: int
    region: str
    business_date: date
    status: BuildStatus
    inputs: Inputs
    rerun_of: int | None = None
    reports: dict[str, str] = field(default_factory=dict)  # settlement report → SHA-256 of what was landed
    table_rows: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    failure: str | None = None
    previous: int | None = None  # the run whose open breaks reconciliation was compared with
    increment: Increment | None = None  # None: nothing can be built upon it

    def save(self, folder: Path) -> None:
        """Write the record, whole or not at all."""
        path = folder / f"build-{self.number}.json"
        staged = path.with_suffix(".json.new")
        with staged.open("w", encoding="utf-8") as file:
            json.dump(self._document(), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        sync_folder(folder)

    def _document(self) -> dict[str, Any]:
        return {
            "build": self.number,
            "region": self.region,
            "business_date": self.business_date.isoformat(),
            "status": self.status.value,
            "rerun_of": self.rerun_of,
            "previous": self.previous,
            "reports": self.reports,
            "table_rows": self.table_rows,
            "warnings": list(self.warnings),
            "failure": self.failure,
            "increment": asdict(self.increment) if self.increment else None,
            "inputs": self.inputs.to_json(),
        }

    @classmethod
    def load(cls, path: Path) -> BuildRecord:
        """Raises BuildRecordError for a file that is no record."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                number=document["build"],
                region=document["region"],
                business_date=date.fromisoformat(document["business_date"]),
                status=BuildStatus(document["status"]),
                inputs=Inputs.from_json(document["inputs"]),
                rerun_of=document["rerun_of"],
                previous=document.get("previous"),
                reports=dict(document["reports"]),
                table_rows=dict(document["table_rows"]),
                warnings=tuple(document["warnings"]),
                failure=document["failure"],
                increment=Increment.from_json(document["increment"]) if document.get("increment") else None,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BuildRecordError(f"{path} is not the record of a build: {error!r}") from error
