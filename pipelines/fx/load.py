"""Loading a region's reference rates up to a day: the bundled history, then the daily files after it."""

from __future__ import annotations

import fcntl
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.expectations.door import Door
from pipelines.fx.ecb import RateFile, RateFileError, bundle, lines, parse
from pipelines.fx.fetch import daily_name, fetch_daily
from pipelines.fx.landing import CheckedFile, land, landed_files, stored_sources
from regions.errors import MeridianError, UsageError
from regions.target_days import business_days
from warehouse.lake_files import local_path

if TYPE_CHECKING:
    from regions.region import Region
    from warehouse.lake import Lake

SUITE = "fx_rates"


class LoadBusyError(MeridianError):
    """Another job loads this region's rates."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the lake holds after a load, up to the day asked for; `row_count` rows were written now."""

    first: date
    last: date
    days_by_source: Mapping[str, int]
    new_files: tuple[str, ...]
    row_count: int


def load_rates(
    lake: Lake, region: Region, day: date, env: Mapping[str, str], *, file: Path | None = None, refresh: bool = False
) -> Loaded:
    """Load the bundled history and every daily file up to `day` that is not in the lake yet (`refresh`: all of them).

    `file` comes on top, in place of what is served for its days. Each file passes the door first: one that does not is
    put into quarantine, and nothing is written. Raises RateFileError, UsageError (a day without rates), LoadBusyError.
    """
    with _lock(lake):
        loading = _Loading(lake, Door.of(region, env), refresh=refresh)
        loading.take(bundle())
        extra = _read(file) if file is not None else None
        if extra is not None:
            loading.take(extra)
        for wanted in business_days(loading.bundle_end + timedelta(days=1), day):
            if not loading.wants(wanted):
                continue
            served = fetch_daily(region, wanted, env)
            if served is not None:
                loading.take(served, wanted)
            elif wanted < day:  # the day itself may be before its hour of publication
                raise UsageError(f"--date {day}: no reference rates are served for the business day {wanted}")
        if extra is not None:
            loading.check_reach(extra)
        if not loading.reaches(day):
            raise UsageError(f"--date {day}: no reference rates are that old")
        row_count = land(lake, loading.admitted)
    held = stored_sources(lake, day)
    names = tuple(one.name for one in loading.admitted)
    return Loaded(min(held), max(held), Counter(held.values()), names, row_count)


class _Loading:
    """The files of one load, admitted one after the other; nothing is written before all are."""

    def __init__(self, lake: Lake, door: Door, *, refresh: bool) -> None:
        self.admitted: list[CheckedFile] = []
        self.bundle_end = date.min
        self._door = door
        self._refresh = refresh
        self._landed = landed_files(lake)
        self._held = set(stored_sources(lake)) if self._landed else set()
        self._now: set[date] = set()

    def wants(self, day: date) -> bool:
        """Whether the daily file of a day has to be fetched."""
        return day not in self._now and (self._refresh or daily_name(day) not in self._landed)

    def reaches(self, day: date) -> bool:
        """Whether there is a rate of that day or before it."""
        return min(self._held) <= day

    def take(self, file: RateFile, only: date | None = None) -> None:
        """Check a file whole (`only`: it must tell exactly this day), unless its exact content was landed before."""
        sha256 = hashlib.sha256(file.content).hexdigest()
        is_new = self._landed.get(file.name) != sha256
        with self._door.guard(SUITE, file.name, file.content):
            if is_new:
                self._door.expect(SUITE, file.name, lines(file.content, name=file.name))
            days = parse(file.content, name=file.name, source=file.source)
            told = {one.rate_date for one in days}
            if only is not None and told != {only}:
                raise RateFileError(f"{file.name}, column Date: the file is of {min(told)}, not of {only}")
            self._held |= told
            if file.source != "file":
                self._check_gap(file.name, max(told))
        if self.bundle_end == date.min:  # the history comes first
            self.bundle_end = max(told)
        if is_new:
            self.admitted.append(CheckedFile(file.name, sha256, days))
        if file.source == "file":
            self._now |= told

    def check_reach(self, file: RateFile) -> None:
        """Refuse a file that would leave business days without rates before its last day."""
        with self._door.guard(SUITE, file.name, file.content):
            self._check_gap(file.name, max(self._now))

    def _check_gap(self, name: str, last: date) -> None:
        missing = [one for one in business_days(min(self._held), last) if one not in self._held]
        if missing:
            raise RateFileError(
                f"{name}, column Date: with this file the rates of the business day {missing[0]} would be missing "
                f"({len(missing)} days)"
            )


def _read(path: Path) -> RateFile:
    try:
        return RateFile(str(path), path.read_bytes(), "file")
    except OSError as error:
        raise UsageError(f"The rate file {path} cannot be read: {error.strerror}") from error


@contextmanager
def _lock(lake: Lake) -> Iterator[None]:
    """Hold the lock of the one job that loads rates into this lake."""
    folder = Path(local_path(lake.uri))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".fx-load.lock").open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LoadBusyError("Another job is loading reference rates: wait until it is done") from error
        yield
