"""The global warehouse: what may leave each region, united; written, audited, published. See ADR 0024."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import duckdb

from regions.errors import ConfigurationError, MeridianError, UsageError
from regions.region import Region
from warehouse.build_record import BuildStatus
from warehouse.dbt_runner import run_global_models
from warehouse.exports import read_exports
from warehouse.global_checks import check_sums
from warehouse.global_inputs import Source, open_sources, write_sources
from warehouse.global_record import GlobalRecord
from warehouse.pointer import build_path, one_writer, published_number, switch

VARIABLE: Final = "WAREHOUSE_URI_GLOBAL"
BUILDS_KEPT: Final = 5
_RECORD: Final = re.compile(r"build-([1-9][0-9]*)\.json")


class IncompleteError(MeridianError):
    """A region is missing or older, and the job was told not to go on without it."""


class GlobalWarehouse:
    """The builds of the global warehouse, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._work = folder / "work"

    @classmethod
    def open(cls, env: Mapping[str, str], state: Path) -> GlobalWarehouse:
        """The folder that `WAREHOUSE_URI_GLOBAL` (a file:// URL) names, else one in the state folder."""
        uri = env.get(VARIABLE, "").strip()
        if not uri:
            return cls(state / "warehouse" / "global")
        parts = urlsplit(uri)
        if parts.scheme != "file" or not parts.path.strip("/"):
            raise ConfigurationError(f"{VARIABLE} must be a URL, file://…")
        return cls(Path(unquote(parts.path)))

    @property
    def unpublished(self) -> str:
        """What to tell a reader before the first publication."""
        return "The global warehouse has no published build yet: run `meridian global build`"

    def path(self, number: int) -> Path:
        """The file of a build."""
        return build_path(self.folder, number)

    def records(self) -> list[GlobalRecord]:
        """The records of all builds, oldest first."""
        if not self.folder.is_dir():
            return []
        numbers = sorted(int(found[1]) for path in self.folder.iterdir() if (found := _RECORD.fullmatch(path.name)))
        return [GlobalRecord.load(self.folder / f"build-{number}.json") for number in numbers]

    def published(self) -> int | None:
        """The number of the build that readers see."""
        return published_number(self.folder)

    def build(
        self, regions: Sequence[Region], day: date, env: Mapping[str, str], *, is_strict: bool = False
    ) -> GlobalRecord:
        """Unite the regions' published builds, test, and publish in one atomic switch.

        A region without a published build, or with one for an earlier day, is named in the record and in
        `rpt_group_coverage`; if `is_strict`, nothing is built then. Raises ResidencyError, StaleBuildError,
        TransformError and GroupSumsError; what readers see stays as it was.
        """
        tables = read_exports()
        with one_writer(self.folder, "the group"), open_sources(regions, day, env) as sources:
            self._check_complete(sources, is_strict=is_strict)
            self._work.mkdir(exist_ok=True)
            parts = write_sources(self._work / "lake.duckdb", tables, sources)
            records = self.records()
            number = records[-1].number + 1 if records else 1
            record = GlobalRecord(number, day, BuildStatus.BUILDING, tuple(parts))
            record.save(self.folder)
            try:
                rows = self._transform(record, sources)
            except MeridianError as error:
                replace(record, status=BuildStatus.BUILD_FAILED, failure=str(error)).save(self.folder)
                raise
            switch(self.folder, number)
            published = replace(record, status=BuildStatus.PUBLISHED, table_rows=rows)
            published.save(self.folder)
            self._prune()
            return published

    @staticmethod
    def _check_complete(sources: Sequence[Source], *, is_strict: bool) -> None:
        complaints = [source.part.complaint for source in sources if source.part.complaint]
        if is_strict and complaints:
            raise IncompleteError(f"The group is not complete: {'; '.join(complaints)}")
        if all(source.build is None for source in sources):
            raise UsageError(f"No region has a published build to unite: {'; '.join(complaints)}")

    def _transform(self, record: GlobalRecord, sources: Sequence[Source]) -> dict[str, int]:
        """Run the models, compare with the regions, and count each table's rows."""
        path = self.path(record.number)
        path.unlink(missing_ok=True)
        run_global_models(path, self._work)
        with duckdb.connect(str(path), read_only=True) as connection:
            check_sums(connection, sources)
            names = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY table_name"
            ).fetchall()
            counts = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() for (name,) in names}  # noqa: S608 - our models' names
        return {name: row[0] for name, row in counts.items() if row}

    def _prune(self) -> None:
        """Remove old files; records stay. Open readers keep their file."""
        published = self.published()
        for record in self.records()[:-BUILDS_KEPT]:
            if record.number != published:
                self.path(record.number).unlink(missing_ok=True)
