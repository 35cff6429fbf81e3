"""Rates through the door into the lake: whole, once, in place of what was said before; bad files change nothing."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipelines.fx import load as loading
from pipelines.fx.ecb import RateFile, RateFileError
from pipelines.fx.fetch import daily_name
from pipelines.fx.landing import stored_days, stored_table
from pipelines.fx.load import LoadBusyError, load_rates
from regions.errors import MeridianError, UsageError
from tests.support.local_stack import REPOSITORY
from tests.support.warehouse import Bench, bench
from warehouse.lake import LakeTableMissingError
from warehouse.lake_fx import FX_RATES
from web.sandbox.rates.domain import daily_file

HISTORY = b"""Date,USD,GBP,JPY,ISK,
2026-10-30,1.1172,0.8338,175.68,N/A,
2026-10-29,1.113,0.83578,175.92,136,
2026-10-28,1.111,0.83,175,136,
"""
LAST = date(2026, 11, 4)


@dataclass
class Place:
    """A lake, a bundle, and a server of daily files."""

    bench: Bench
    state: Path
    served: dict[date, bytes] = field(default_factory=dict)
    asked: list[date] = field(default_factory=list)

    def load(self, day: date = LAST, file: Path | None = None, *, refresh: bool = False) -> loading.Loaded:
        env = {"MERIDIAN_STATE": str(self.state)}
        return load_rates(self.bench.lake, self.bench.region, day, env, file=file, refresh=refresh)

    def fetch(self, day: date) -> RateFile | None:
        self.asked.append(day)
        return RateFile(daily_name(day), self.served[day], "sandbox") if day in self.served else None

    def rows(self) -> list[tuple[object, ...]]:
        table = self.bench.lake.files(FX_RATES.name).duckdb_sql()
        return duckdb.sql(f"SELECT rate_date, quote, rate, source, file_sha256 FROM {table} ORDER BY ALL").fetchall()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with bench(tmp_path) as made:
        found = Place(made, tmp_path / "state")
        found.served = {
            day: str(daily_file(day)).encode() for day in (date(2026, 11, 2), date(2026, 11, 3), date(2026, 11, 4))
        }
        monkeypatch.setattr(loading, "bundle", lambda: RateFile("hist.csv", HISTORY, "ecb"))
        monkeypatch.setattr(loading, "fetch_daily", lambda _region, day, _env: found.fetch(day))
        yield found


def test_history_and_daily_files_land_once(place: Place) -> None:
    first = place.load()
    assert (first.first, first.last) == (date(2026, 10, 28), LAST)
    assert first.days_by_source == Counter(ecb=3, sandbox=3)
    before = place.rows()
    assert len(before) == first.row_count
    place.asked.clear()
    again = place.load()
    assert (again.new_files, again.row_count, place.asked) == ((), 0, [])
    assert place.rows() == before


def test_what_is_not_available_is_not_there_and_rates_stay_exact(place: Place) -> None:
    place.load()
    days = {day.rate_date: day for day in stored_days(place.bench.lake)}
    assert "ISK" not in days[date(2026, 10, 30)].rates
    assert days[date(2026, 10, 29)].rates["GBP"] == Decimal("0.83578")
    assert days[date(2026, 10, 29)].published_at.isoformat() == "2026-10-29T15:00:00+00:00"


def test_the_day_itself_may_be_before_its_hour(place: Place) -> None:
    del place.served[LAST]
    assert place.load().last == date(2026, 11, 3)
    place.served[LAST] = str(daily_file(LAST)).encode()
    assert place.load().new_files == (daily_name(LAST),)


def test_a_day_that_is_said_anew_is_replaced_whole(place: Place) -> None:
    place.load()
    place.served[LAST] = b"Date, USD, GBP, JPY, \n04 November 2026, 2, 3, 4, \n"
    assert place.load().row_count == 0
    assert place.load(refresh=True).new_files == (daily_name(LAST),)
    assert stored_table(place.bench.lake).published_on(LAST).rates == {"USD": 2, "GBP": 3, "JPY": 4}
    assert len(stored_days(place.bench.lake)) == 6


def test_a_longer_history_takes_the_place_of_simulated_days(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.load()
    longer = HISTORY.replace(b"2026-10-30", b"2026-11-02,1.2,0.8,170,1,\n2026-10-30", 1)
    monkeypatch.setattr(loading, "bundle", lambda: RateFile("hist.csv", longer, "ecb"))
    assert place.load().days_by_source == Counter(ecb=4, sandbox=2)
    assert stored_table(place.bench.lake).published_on(date(2026, 11, 2)).rates["USD"] == Decimal("1.2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Day, USD, GBP, JPY\n05 November 2026, 1, 1, 1\n", "line 1: the first column must be `Date`, not `Day`"),
        ("Date, USD, GBP\n05 November 2026, 1, 1\n", "column header: USD, GBP and JPY must be among the columns"),
        ("Date, USD, GBP, JPY\n05 November 2026, 1, -0.8, 1\n", "line 2, column GBP: `-0.8` must be a decimal above"),
        ("Date, USD, GBP, JPY\n05 November 2026, 1, 0.00, 1\n", "line 2, column GBP: `0.00` must be above zero"),
        ("Date, USD, GBP, JPY\n5/11/2026, 1, 1, 1\n", "line 2, column Date: `5/11/2026` must be a date"),
        (
            "Date, USD, GBP, JPY\n2026-11-05, 1, 1, 1\n2026-11-05, 1, 1, 1\n",
            "line 2, column Date: `2026-11-05` must stand once",
        ),
        (
            "Date, USD, GBP, JPY\n2026-11-09, 1, 1, 1\n2026-11-05, 1, 1, 1\n",
            "column Date: no rates for the business day 2026-11-06",
        ),
        (
            "Date, USD, GBP, JPY\n06 November 2026, 1, 1, 1\n",
            "column Date: with this file the rates of the business day 2026-11-05 would be missing",
        ),
        ("Date, USD, GBP, JPY\n", "column Date: the file must hold at least one rate"),
    ],
)
def test_a_bad_file_goes_to_quarantine_and_nothing_is_written(
    place: Place, tmp_path: Path, text: str, message: str
) -> None:
    place.load()
    before = place.rows()
    bad = tmp_path / "bad.csv"
    bad.write_text(text)
    with pytest.raises(MeridianError) as caught:
        place.load(file=bad)
    assert caught.value.exit_code == 2
    assert f"{bad}" in str(caught.value)
    assert message in str(caught.value)
    assert place.rows() == before
    [report] = place.state.glob("quarantine/eu/fx_rates/*/report.json")
    assert message in json.loads(report.read_text())["reason"]
    assert (report.parent / "bad.csv").read_text() == text
    assert str(report.parent) in str(caught.value)


def test_the_first_bad_file_of_a_load_keeps_all_of_it_out(place: Place) -> None:
    place.served[LAST] = b"Date, USD, GBP, JPY, \n03 November 2026, 2, 3, 4, \n"
    with pytest.raises(RateFileError, match="column Date: the file is of 2026-11-03, not of 2026-11-04"):
        place.load()
    with pytest.raises(LakeTableMissingError):
        stored_days(place.bench.lake)


def test_a_business_day_that_nobody_serves_is_named(place: Place) -> None:
    del place.served[date(2026, 11, 3)]
    with pytest.raises(UsageError, match="no reference rates are served for the business day 2026-11-03"):
        place.load()
    with pytest.raises(LakeTableMissingError):
        stored_days(place.bench.lake)


def test_a_day_before_all_rates_is_named_and_nothing_is_written(place: Place) -> None:
    with pytest.raises(UsageError, match="--date 2026-10-27: no reference rates are that old"):
        place.load(date(2026, 10, 27))
    with pytest.raises(LakeTableMissingError):
        stored_days(place.bench.lake)


def test_a_file_may_tell_a_day_that_nobody_serves(place: Place, tmp_path: Path) -> None:
    del place.served[date(2026, 11, 3)]
    own = tmp_path / "own.csv"
    own.write_text("Date, USD, GBP, JPY\n03 November 2026, 1.1, 0.8, 170\n")
    assert place.load(file=own).days_by_source == Counter(ecb=3, sandbox=2, file=1)


def test_one_load_at_a_time(place: Place) -> None:
    with loading._lock(place.bench.lake), pytest.raises(LoadBusyError, match="Another job is loading"):
        place.load()


SILENT = """
import socket, sys
def refuse(*_): raise AssertionError("the network was used")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from pathlib import Path
from pipelines.cli import make_app
assert not [name for name in sys.modules if name.startswith("great_expectations")], "paid for by every command"
from pipelines.expectations.door import Door, RefusedFileError
from pipelines.expectations.docs import build_docs
door = Door("eu", Path(sys.argv[1]))
columns = {"line": [2] * 3, "Date": ["2026-10-30"] * 3, "currency": ["USD", "GBP", "JPY"], "rate": ["1", "0.8", "170"]}
door.expect("fx_rates", "good.csv", columns)
try:
    door.expect("fx_rates", "bad.csv", columns | {"rate": ["-1", "0.8", "170"]})
except RefusedFileError:
    print(build_docs(Path(sys.argv[1])))
"""


def test_data_docs_are_built_without_network_and_other_commands_do_not_load_the_library(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SILENT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data-docs/index.html").is_file()
    pages = [page.read_text() for page in (tmp_path / "data-docs/validations/fx_rates").rglob("*.html")]
    assert len(pages) == 2
    assert any("Failed" in page for page in pages)
