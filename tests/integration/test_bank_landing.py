"""Bank statements on their way into the lake: once, whole, or not at all."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipelines.recon import bank_landing
from pipelines.recon.bank_landing import LandedStatement
from pipelines.recon.statement import StatementError
from pipelines.recon.statements import land_statement, parse_statement
from regions.errors import UsageError
from regions.region_parts import BankAccount
from tests.support.bank_files import DAY, IBAN, camt, camt_entry, camt_statement, mt940
from tests.support.warehouse import Bench, bench

CAMT = camt(camt_statement(camt_entry("20.00"), camt_entry("-5.00"), closing="115.00"))
MT940 = mt940(":61:260303C20,00NTRFX//B-1", ":61:260303D5,00NTRFX//B-1", closing="C260303EUR115,00")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def put(place: Bench, folder: Path, content: bytes, name: str = "s") -> LandedStatement | None:
    path = folder / name
    path.write_bytes(content)
    region = replace(place.region, bank_accounts=(BankAccount(IBAN, "EUR"),))
    return land_statement(place.lake, region, DAY, {"MERIDIAN_STATE": str(folder)}, path)


def rows(place: Bench, table: str, columns: str = "*") -> list[tuple[object, ...]]:
    source = getattr(place.inputs(), table).duckdb_sql()
    return duckdb.sql(f"SELECT {columns} FROM {source} ORDER BY ALL").fetchall()


def test_the_same_file_lands_once_and_another_format_of_it_replaces_it(place: Bench, tmp_path: Path) -> None:
    first = put(place, tmp_path, CAMT)
    assert first
    assert (first.is_new, first.statement_count, first.entry_count) == (True, 1, 2)
    before = rows(place, "bank_entries")
    again = put(place, tmp_path, CAMT, "other-name")
    assert again
    assert not again.is_new
    assert rows(place, "bank_entries") == before
    put(place, tmp_path, MT940)
    assert rows(place, "bank_statements", "statement_key, format, opening_minor, closing_minor, entry_count") == [
        (f"{IBAN}/EUR/2026-03-03/62", "mt940", 10_000, 11_500, 2)
    ]
    assert rows(place, "bank_entries", "amount_minor, account, reference_text") == [
        (-500, IBAN, " B-1 "),
        (2000, IBAN, " B-1 "),
    ]
    assert len(set(rows(place, "bank_entries", "entry_id"))) == 2


def test_a_statement_of_another_day_stands_beside_it(place: Bench, tmp_path: Path) -> None:
    put(place, tmp_path, CAMT)
    put(place, tmp_path, CAMT.replace(b"2026-03-03", b"2026-03-02").replace(b">62<", b">61<"))
    assert len(rows(place, "bank_entries")) == 4
    assert len(rows(place, "bank_statements")) == 2


def test_a_statement_that_does_not_foot_leaves_the_lake_as_it_is(place: Bench, tmp_path: Path) -> None:
    put(place, tmp_path, CAMT)
    before = rows(place, "bank_entries"), rows(place, "bank_statements")
    broken = CAMT.replace(b">115.00<", b">115.01<")
    with pytest.raises(StatementError, match=r"broken\.xml, line 4: .* difference -1; nothing was landed"):
        put(place, tmp_path, broken, "broken.xml")
    assert (rows(place, "bank_entries"), rows(place, "bank_statements")) == before
    [page] = tmp_path.glob("quarantine/eu/bank_entries/*/report.html")
    assert "does not foot" in page.read_text()
    assert (page.parent / "broken.xml").read_bytes() == broken


def test_what_great_expectations_finds_is_named_with_its_line_and_column(place: Bench, tmp_path: Path) -> None:
    broken = CAMT.replace(b"<Dt>2026-03-03</Dt></BookgDt>", b"<Dt>2025-03-03</Dt></BookgDt>", 1)
    with pytest.raises(UsageError, match=r"line 5, column booking date: `365` must be a day of the statement"):
        put(place, tmp_path, broken)
    [report] = tmp_path.glob("quarantine/eu/bank_entries/*/report.json")
    assert json.loads(report.read_text())["findings"][0]["examples"] == [
        {"line": 5, "column": "booking date", "value": "365"}
    ]
    assert rows(place, "bank_entries") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (camt(camt_statement(kind="Ntfctn"), message="054"), "does not say its day"),
        (b"Type,Batch Number\n", "is not a bank statement"),
        (CAMT.replace(b"2026-03-03", b"2026-03-04"), "is of 2026-03-04, after 2026-03-03"),
        (CAMT[:900], "the file is cut off"),
    ],
)
def test_what_is_no_statement_of_the_day_is_refused(place: Bench, tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(StatementError, match=said):
        put(place, tmp_path, content)


def test_a_statement_of_an_account_that_is_not_ours_is_refused(place: Bench, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(CAMT)
    with pytest.raises(StatementError, match=f"region eu has no account {IBAN} in EUR"):
        land_statement(place.lake, place.region, DAY, {"MERIDIAN_STATE": str(tmp_path)}, path)
    assert rows(place, "bank_entries") == []


def test_a_notice_lands_beside_the_statement_that_states_the_same(place: Bench, tmp_path: Path) -> None:
    notice = camt(camt_statement(camt_entry("20.00"), kind="Ntfctn"), message="054")
    put(place, tmp_path, CAMT)
    landed = put(place, tmp_path, notice)
    assert landed
    assert (landed.is_new, landed.entry_count) == (True, 1)
    assert [row[1] for row in rows(place, "bank_statements", "format, entry_count")] == [2, 1]
    assert rows(place, "bank_statements", "format, opening_minor, closing_minor")[1] == ("camt.054", 0, 2000)
    assert len(rows(place, "bank_entries", "entry_id")) == 3
    again = put(place, tmp_path, notice)
    assert again
    assert not again.is_new


def test_a_landing_that_stopped_half_way_is_not_seen_and_is_repaired(
    place: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are there, their statement is not: what the warehouse stages is what was there before."""

    def staged() -> list[tuple[object, ...]]:
        inputs = place.inputs()
        query = (Path(__file__).parents[2] / "dbt/models/staging/settlement/stg_bank_entries.sql").read_text()
        for name in ("bank_entries", "bank_statements"):
            query = query.replace(f"{{{{ source('lake', '{name}') }}}}", getattr(inputs, name).duckdb_sql())
        return duckdb.sql(f"SELECT amount_minor, currency FROM ({query}) ORDER BY 1").fetchall()

    put(place, tmp_path, CAMT)
    assert staged() == [(-500, "EUR"), (2000, "EUR")]
    replace, done = bank_landing._replace, []

    def stop(*arguments: object) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(replace(*arguments))  # type: ignore[arg-type]

    file = parse_statement(camt(camt_statement(camt_entry("7.00"), closing="107.00")), name="n")
    monkeypatch.setattr(bank_landing, "_replace", stop)
    with pytest.raises(KeyboardInterrupt):
        bank_landing.land(place.lake, place.region, file, livemode=False)
    monkeypatch.undo()
    assert staged() == [], "neither the old version, whose entries are gone, nor half of the new one"
    assert bank_landing.land(place.lake, place.region, file, livemode=False).is_new
    assert staged() == [(700, "EUR")]
