"""The record of a global build: which build of each region it was made from, and what stayed behind."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from regions.files import sync_folder
from regions.region_parts import Export
from warehouse.build_record import BuildRecordError, BuildStatus


class PartState(StrEnum):
    """What a region gave."""

    INCLUDED = "included"
    OLDER = "older"  # included, but its published build is for an earlier business date
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Part:
    """One region of the catalog. `withheld` counts, per table, the aggregates whose groups are too small to leave."""

    region: str
    state: PartState
    export: Export
    minimum_group_size: int
    build: int | None = None
    business_date: date | None = None
    reason: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)

    @property
    def complaint(self) -> str | None:
        """A sentence about a region that is not, or not wholly, in."""
        return None if self.state is PartState.INCLUDED else f"{self.region} is {self.state.value}: {self.reason}"


@dataclass(frozen=True, slots=True)
class GlobalRecord:
    """One build of the global warehouse."""

    number: int
    business_date: date
    status: BuildStatus
    parts: tuple[Part, ...]
    table_rows: dict[str, int] = field(default_factory=dict)
    failure: str | None = None

    def save(self, folder: Path) -> None:
        """Write the record, whole or not at all."""
        path = folder / f"build-{self.number}.json"
        staged = path.with_suffix(".json.new")
        with staged.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1, default=_text)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        sync_folder(folder)

    @classmethod
    def load(cls, path: Path) -> GlobalRecord:
        """Raises BuildRecordError for a file that is no record."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                number=document["number"],
                business_date=date.fromisoformat(document["business_date"]),
                status=BuildStatus(document["status"]),
                parts=tuple(_part(part) for part in document["parts"]),
                table_rows=document["table_rows"],
                failure=document["failure"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BuildRecordError(f"{path} is not the record of a global build: {error!r}") from error


def _part(document: dict[str, Any]) -> Part:
    day = document["business_date"]
    return Part(
        **{
            **document,
            "state": PartState(document["state"]),
            "export": Export(document["export"]),
            "business_date": date.fromisoformat(day) if day else None,
        }
    )


def _text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in a record")
