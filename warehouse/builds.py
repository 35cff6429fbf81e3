"""Builds of a region's warehouse: write, audit, publish.

A build is one file, `build-<n>.duckdb`, with a record of what it was made from, `build-<n>.json`. Readers resolve the
pointer `current` (a symbolic link) and open what it names; a published file is never written again. See ADR 0016.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import duckdb

from regions.errors import UsageError
from regions.funnels import load_funnels
from warehouse.build_record import BuildRecord, BuildStatus
from warehouse.dbt_runner import TransformError, TransformResult, is_regional, plan_of
from warehouse.inputs import Inputs, RunParameters, write_inputs
from warehouse.pointer import PARTS, build_path, one_writer, published_number, switch
from warehouse.recon_runs import breaks_file, keep_breaks, run_before
from warehouse.recon_transform import reconcile
from warehouse.transform import Base, InconsistentSliceError, Increment, is_prefix, settings_of, transform

if TYPE_CHECKING:
    from regions.region import Region

BUILDS_KEPT = 5
_RECORD = re.compile(r"build-([1-9][0-9]*)\.json")
_RECONCILABLE = {BuildStatus.BUILT, BuildStatus.RECON_FAILED, BuildStatus.RECONCILED}
_RECONCILED = {BuildStatus.RECONCILED, BuildStatus.PUBLISHED}
_GOOD = {*_RECONCILABLE, BuildStatus.PUBLISHED}
Stage = Callable[[BuildRecord], tuple[TransformResult, Increment | None]]


class Warehouse:
    """The builds of one region, in one folder."""

    def __init__(self, region: Region, folder: Path) -> None:
        self.region = region
        self.folder = folder
        self._work = folder / "work"

    @classmethod
    def open(cls, region: Region, env: Mapping[str, str] | None = None) -> Warehouse:
        """The warehouse that the environment names (`WAREHOUSE_URI_<REGION>`, a file:// URL)."""
        return cls(region, Path(unquote(urlsplit(region.warehouse_uri(env)).path)))

    # ------------------------------------------------------------------------------------------------ what is there
    @property
    def unpublished(self) -> str:
        """What to tell a reader before the first publication."""
        return (
            f"The warehouse of {self.region.code} has no published build yet: "
            "run `meridian warehouse build`, `meridian recon run` and `meridian warehouse publish`"
        )

    def path(self, number: int) -> Path:
        """The file of a build."""
        return build_path(self.folder, number)

    def records(self) -> list[BuildRecord]:
        """The records of all builds, oldest first."""
        if not self.folder.is_dir():
            return []
        numbers = sorted(int(found[1]) for path in self.folder.iterdir() if (found := _RECORD.fullmatch(path.name)))
        return [BuildRecord.load(self.folder / f"build-{number}.json") for number in numbers]

    def published(self) -> int | None:
        """The number of the build that readers see."""
        return published_number(self.folder)

    def candidate(self) -> BuildRecord:
        """The latest build, which must still be unpublished. Raises UsageError if there is none to work on."""
        records = self.records()
        if not records:
            raise UsageError(
                f"The warehouse of {self.region.code} has no build yet: run `meridian warehouse build` first"
            )
        latest = records[-1]
        if latest.status is BuildStatus.PUBLISHED:
            raise UsageError(
                f"build-{latest.number} is published already: run `meridian warehouse build` for a new one"
            )
        return latest

    def recorded_inputs(self, business_date: date) -> BuildRecord | None:
        """The latest build of a date that came through its checks: what a rerun of that date reads again."""
        return next(
            (r for r in reversed(self.records()) if r.business_date == business_date and r.status in _GOOD), None
        )

    # ------------------------------------------------------------------------------------------------ the one writer
    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the warehouse's one writer's lock. Raises WarehouseBusyError if another job has it."""
        self._work.mkdir(parents=True, exist_ok=True)
        with one_writer(self.folder, self.region.code):
            yield

    def build(
        self, business_date: date, inputs: Inputs, rerun_of: int | None = None, *, is_whole: bool = False
    ) -> BuildRecord:
        """Make a new candidate from the inputs: every model but reconciliation, tested. The caller holds the lock.

        It is built upon the latest good build whose inputs these inputs continue, unless `is_whole`; a rerun upon the
        build that the first run was built upon. Raises TransformError if a model or test fails; the candidate then
        stays behind as `build_failed`.
        """
        load_funnels()  # a bad definition stops the job before anything is written
        records = self.records()
        record = BuildRecord(
            number=records[-1].number + 1 if records else 1,
            region=self.region.code,
            business_date=business_date,
            status=BuildStatus.BUILDING,
            inputs=inputs,
            rerun_of=rerun_of,
        )
        record.save(self.folder)
        return self._run(record, BuildStatus.BUILT, BuildStatus.BUILD_FAILED, partial(self._build, is_whole=is_whole))

    def reconcile(self, record: BuildRecord, inputs: Inputs, reports: Mapping[str, str]) -> BuildRecord:
        """Run the reconciliation models in a candidate, on inputs with settlement lines. The caller holds the lock."""
        if record.status not in _RECONCILABLE:
            raise UsageError(
                f"build-{record.number} cannot be reconciled, it is {record.status.value.replace('_', ' ')}: "
                "run `meridian warehouse build` for a new one"
            )
        previous = run_before(self.records(), record, self.folder)
        record = replace(record, inputs=inputs, reports=dict(reports), previous=previous)
        made = self._run(record, BuildStatus.RECONCILED, BuildStatus.RECON_FAILED, self._reconcile)
        keep_breaks(self.path(made.number), self.folder, made.number)
        return made

    def publish(self) -> BuildRecord:
        """Let readers see the latest candidate, in one atomic switch, and drop builds that are too old.

        The caller holds the lock. Raises UsageError if the candidate has not passed all its checks; readers then go on
        seeing what they see.
        """
        records = self.records()
        if records and records[-1].status is BuildStatus.PUBLISHED and self.published() == records[-1].number:
            return records[-1]  # published already: a repeated run changes nothing
        record = self.candidate()
        if record.status is not BuildStatus.RECONCILED:
            reason = f": {record.failure}" if record.failure else ""
            raise UsageError(
                f"build-{record.number} is not published, it is only {record.status.value.replace('_', ' ')}{reason}"
            )
        published = replace(record, status=BuildStatus.PUBLISHED)
        switch(self.folder, record.number)
        published.save(self.folder)
        self._prune()
        return published

    # ------------------------------------------------------------------------------------------------ inside
    def _run(self, record: BuildRecord, done: BuildStatus, failed: BuildStatus, stage: Stage) -> BuildRecord:
        """Run a stage on a build's file, and record how it went."""
        try:
            result, increment = stage(record)
        except TransformError as error:
            replace(record, status=failed, failure=str(error)).save(self.folder)
            raise
        built = replace(
            record,
            status=done,
            failure=None,
            warnings=tuple(dict.fromkeys((*record.warnings, *result.warnings))),
            table_rows=self._count_rows(record.number, known=record.table_rows),
            increment=increment,
        )
        built.save(self.folder)
        return built

    def _build(self, record: BuildRecord, *, is_whole: bool) -> tuple[TransformResult, Increment | None]:
        base = None if is_whole else self._base(record)
        path, run = self.path(record.number), self._parameters(record)
        path.unlink(missing_ok=True)
        try:
            return transform(path, record.number, record.inputs, run, self._work, base)
        except InconsistentSliceError:
            path.unlink()
            return transform(path, record.number, record.inputs, run, self._work, None)

    def _reconcile(self, record: BuildRecord) -> tuple[TransformResult, Increment | None]:
        previous = None if record.previous is None else breaks_file(self.folder, record.previous)
        write_inputs(self._work / "lake.duckdb", record.inputs, self._parameters(record), previous=previous)
        base = self._base_of_recon(record)
        lines = record.inputs.settlement_lines
        result, parts = reconcile(self.path(record.number), record.number, self._work, base, lines)
        increment = record.increment
        if increment is not None:
            found = {**increment.parts, **parts}  # of an earlier reconciliation of this build nothing stays
            increment = replace(increment, parts={name: files for name, files in found.items() if files})
        return result, increment

    def _base_of_recon(self, record: BuildRecord) -> Base | None:
        """The build that this one was built upon, if it was reconciled and is still there."""
        number = record.increment.base if record.increment else None
        found = next((one for one in self.records() if one.number == number), None)
        if found is None or found.increment is None or found.status not in _RECONCILED:
            return None
        files = (self.path(found.number), *found.increment.files(self.folder))
        base = Base(found.number, files[0], found.inputs, found.increment)
        return base if all(path.is_file() for path in files) else None

    def _base(self, record: BuildRecord) -> Base | None:
        """The latest good build that can be built upon; for a rerun, none but the one that the first run took."""
        settings = settings_of(self._parameters(record), self._work)
        records = {found.number: found for found in self.records()}
        if record.rerun_of is not None:
            first = records[record.rerun_of].increment
            numbers = [first.base] if first and first.base else []
        else:
            numbers = sorted(records, reverse=True)
        for number in numbers:
            found = records[number]
            if (
                found.status in _GOOD
                and found.increment is not None
                and found.increment.settings == settings
                and is_prefix(found.inputs, record.inputs)
                and all(path.is_file() for path in (self.path(number), *found.increment.files(self.folder)))
            ):
                return Base(number, self.path(number), found.inputs, found.increment)
        return None

    def _parameters(self, record: BuildRecord) -> RunParameters:
        return RunParameters(self.region.code, self.region.timezone, record.business_date, self.region.currencies[0])

    def _count_rows(self, number: int, known: Mapping[str, int]) -> dict[str, int]:
        """Rows of every mart; of those in `known` only what reconciliation makes is counted again."""
        again = {node.name for node in plan_of(self._work).nodes if is_regional(node, recon=True)}
        with duckdb.connect(str(self.path(number)), read_only=True) as connection:
            names = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY table_name"
            ).fetchall()
            kept = {name: known[name] for (name,) in names if name in known and name not in again}
            counts = {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608 - our models' names
                for (name,) in names
                if name not in kept
            }
            return dict(sorted((kept | {name: count[0] for name, count in counts.items() if count}).items()))

    def _prune(self) -> None:
        """Remove old files; records stay, so that a date can be rerun on its inputs. Open readers keep their file."""
        published = self.published()
        for record in self.records()[:-BUILDS_KEPT]:
            if record.number != published:
                self.path(record.number).unlink(missing_ok=True)
        self.drop_unread_parts()

    def drop_unread_parts(self) -> int:
        """Remove partition files that no build reads any more; returns how many. The caller holds the lock."""
        builds = [record for record in self.records() if record.increment and self.path(record.number).is_file()]
        read = {path for record in builds if record.increment for path in record.increment.files(self.folder)}
        unread = [path for path in (self.folder / PARTS).glob("*") if path not in read]
        for path in unread:
            path.unlink()
        return len(unread)
