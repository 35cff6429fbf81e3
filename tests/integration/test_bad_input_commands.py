"""Bad input through the command line, as a person meets it: one sentence names file and field, exit 2, nothing done.

What each file may say is tested beside its reader; here each kind of mistake goes the whole way once.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import regions
from pipelines.cli import main
from pipelines.fx.ecb import RateFile
from tests.support.regional import RegionDatabase
from tests.support.stream import REPOSITORY

HEADER = "Date, USD, GBP, JPY\n"
DAY = ("--region", "eu", "--date", "2026-11-06")
RULE = 'data_class = "payer_token"\ntrigger = "payment_final"\nmin = "P0D"\nmax = "P13M"'
SECOND_STEPS = '[[funnels.steps]]\nname = "submitted"'

RATE_FILES = {
    "a gap": (
        f"{HEADER}2026-11-09, 1, 1, 1\n2026-11-05, 1, 1, 1\n",
        "column Date: no rates for the business day 2026-11-06",
    ),
    "a negative rate": (f"{HEADER}06 November 2026, 1, -0.8, 1\n", "line 2, column GBP"),
    "a wrong header": (
        "Day, USD, GBP, JPY\n06 November 2026, 1, 1, 1\n",
        "line 1: the first column must be `Date`, not `Day`",
    ),
}
# What a person may have written into which file, the command that reads it, and what it says.
FILES = {
    "a rule for an unknown class": (
        "catalog/eu.toml", RULE, RULE.replace("payer_token", "payer_tokens"), ("retention", "plan", *DAY),
        "data_class is 'payer_tokens'",
    ),
    "a minimum above its maximum": (
        "catalog/eu.toml", RULE, RULE.replace('"P0D"', '"P14M"'), ("retention", "plan", *DAY), "min is above max",
    ),
    "a rule whose clock nothing starts": (
        "catalog/eu.toml", RULE, RULE.replace("payment_final", "written"), ("retention", "plan", *DAY),
        "payer_token after written: nothing ever starts this clock",
    ),
    "a feature with an unknown column": (
        "contracts/features.toml", 'column = "amount_minor"', 'column = "amount"', ("fraud", "parity", *DAY),
        "column needs the column 'amount'",
    ),
    "a funnel with one step": (
        "contracts/funnels.toml", SECOND_STEPS, None, ("funnel", *DAY), "steps has 1 step: a funnel needs 2 at least",
    ),
}  # fmt: skip
# Days and things that are not there: asked for by a date, a table, a name.
ABSENT = {
    "retention run": (("retention", "run", *DAY), "There is no plan of eu for 2026-11-06"),
    "retention verify": (("retention", "verify", *DAY), "There is no plan of eu for 2026-11-06"),
    "retention certificate": (("retention", "certificate", *DAY), "There is no plan of eu for 2026-11-06"),
    "a date that is none": (("retention", "plan", "--region", "eu", "--date", "2026-02-30"), "2026-02-30"),
    "rates of a lake that has none": (
        ("fx", "convert", "1", "EUR", "USD", "--on", "2026-03-01", "--region", "eu"), "holds no rates yet",
    ),
    "a currency that is N/A": (("fx", "convert", "1", "ISK", "EUR", "--on", "2012-01-02"), "ISK"),
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def meridian_on(folder: Path, env: dict[str, str], *arguments: str) -> Answer:
    """The command in a process of its own, with the packages of `folder` before those of the repository."""
    done = subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main()", *arguments],
        cwd=folder,
        env=env | {"PYTHONPATH": f"{folder}:{REPOSITORY}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def meridian(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command in this process: its libraries are loaded once."""

    def run(env: dict[str, str], *arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["meridian", *arguments])
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return Answer(int(caught.value.code or 0), said.out, said.err)

    return run


def written(database: RegionDatabase) -> dict[str, object]:
    """Everything that a command could have left behind: rows of retention, tables and files of the lake, builds."""
    with database.connect("postgres") as connection:
        plans = connection.execute("SELECT count(*) FROM retention_plans").fetchone()
        catalog = connection.execute("SELECT to_regclass('lake.iceberg_tables')::text").fetchone()
        tables = (
            connection.execute("SELECT count(*) FROM lake.iceberg_tables").fetchone() if catalog != (None,) else (0,)
        )
    folders = [Path(database.env[f"{name}_URI_EU"].removeprefix("file://")) for name in ("LAKE", "WAREHOUSE")]
    files = sorted(
        str(path) for folder in folders for path in folder.rglob("*") if path.suffix in {".parquet", ".duckdb"}
    )
    return {"plans": plans, "tables": tables, "files": files}


def refused(answer: Answer, *said: str) -> None:
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr.startswith("meridian: ")
    assert answer.stderr.count("\n") == 1, answer.stderr
    assert answer.stdout == ""
    assert all(part in answer.stderr for part in said), answer.stderr


@pytest.mark.parametrize(("text", "said"), RATE_FILES.values(), ids=RATE_FILES.keys())
def test_a_bad_rate_file_is_refused_whole(
    meridian: Callable[..., Answer],
    monkeypatch: pytest.MonkeyPatch,
    region_database: RegionDatabase,
    tmp_path: Path,
    text: str,
    said: str,
) -> None:
    history = RateFile("hist.csv", b"Date,USD,GBP,JPY\n2026-11-04,1,1,1\n", "ecb")
    monkeypatch.setattr("pipelines.fx.load.bundle", lambda: history)  # judging the real one takes a while
    file = tmp_path / "rates.csv"
    file.write_text(text, encoding="utf-8")
    before = written(region_database)
    refused(meridian(region_database.env_for("lake"), "fx", "load", *DAY, "--file", str(file)), str(file), said)
    assert written(region_database) == before


@pytest.mark.parametrize(("name", "old", "new", "command", "said"), FILES.values(), ids=FILES.keys())
def test_a_bad_declaration_is_named_with_its_file(
    region_database: RegionDatabase,
    tmp_path: Path,
    name: str,
    old: str,
    new: str | None,
    command: tuple[str, ...],
    said: str,
) -> None:
    shutil.copytree(Path(regions.__file__).parent, tmp_path / "regions", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "regions" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text[: text.index(old)] if new is None else text.replace(old, new, 1), encoding="utf-8")
    before = written(region_database)
    refused(meridian_on(tmp_path, region_database.env_for("retention"), *command), Path(name).name, said)
    assert written(region_database) == before


@pytest.mark.parametrize(("command", "said"), ABSENT.values(), ids=ABSENT.keys())
def test_what_is_not_there_is_named(
    meridian: Callable[..., Answer], region_database: RegionDatabase, command: tuple[str, ...], said: str
) -> None:
    role = "lake" if command[0] == "fx" else "retention"
    before = written(region_database)
    refused(meridian(region_database.env_for(role), *command), said)
    assert written(region_database) == before
