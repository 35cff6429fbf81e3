"""Reports as files: exact figures in the reader's notation, and nothing that a spreadsheet would run."""

import csv
import io
import zipfile
from datetime import date
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.errors import UsageError
from warehouse.reports.catalogue import REPORTS, report_of
from warehouse.reports.model import Asked, Column, Kind, Report, Result
from warehouse.reports.render import harmless, render, to_csv, to_parquet, to_xlsx

COLUMNS = (
    Column("day", "Day", Kind.DATE),
    Column("name", "Name", Kind.TEXT),
    Column("currency", "Currency", Kind.TEXT),
    Column("amount_minor", "Amount", Kind.MONEY),
    Column("rate_ppm", "Rate", Kind.SHARE),
    Column("line_count", "Lines", Kind.COUNT),
)
DAY = date(2026, 3, 14)


def result(*rows: tuple[Any, ...]) -> Result:
    report = Report("sample", "Sample", "For tests.", COLUMNS, "SELECT 1")
    return Result(report, Asked(DAY, DAY, livemode=False), 7, rows)


def read(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def test_figures_are_in_major_units_with_their_currencys_digits_and_the_locales_sign() -> None:
    rows = result((DAY, "a", "EUR", -123456, 6000, 3), (DAY, "b", "JPY", 500, None, 1), (DAY, "c", "KWD", 1, 1, 1))
    english = read(to_csv(rows, "en-IE"))
    assert english[0] == ["day", "name", "currency", "amount", "rate", "line_count"]
    assert [row[3] for row in english[1:]] == ["-1234.56", "500", "0.001"]
    assert english[1][4] == "0.006"
    german = read(to_csv(rows, "de-DE"), ";")
    assert [row[3] for row in german[1:]] == ["-1234,56", "500", "0,001"]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "＝1", "-cmd|' /C calc'!A0"],  # noqa: RUF001
)
def test_text_like_a_formula_is_made_harmless_and_a_negative_amount_stays_a_number(text: str) -> None:
    row = read(to_csv(result((DAY, text, "EUR", -5, 0, 0)), "en-IE"))[1]
    assert row[1].startswith("'")
    assert row[3] == "-0.05"
    sheet = zipfile.ZipFile(io.BytesIO(to_xlsx(result((DAY, text, "EUR", -5, 0, 0)), "en-IE")))
    assert b"<f>" not in sheet.read("xl/worksheets/sheet1.xml")


@given(st.text())
def test_harmless_text_never_starts_a_formula_and_loses_nothing(text: str) -> None:
    safe = harmless(text)
    assert safe in {text, f"'{text}"}
    assert safe.lstrip(" \u00a0")[:1] not in set("=+-@\t\r\n")


def test_a_workbook_has_numbers_and_an_amount_too_long_for_one_stays_exact() -> None:
    workbook = zipfile.ZipFile(
        io.BytesIO(to_xlsx(result((DAY, "a", "EUR", 199, 0, 1), (DAY, "b", "EUR", 10**17 + 1, 0, 1)), "en-IE"))
    )
    assert b"<v>1.99</v>" in workbook.read("xl/worksheets/sheet1.xml")
    assert b"1000000000000000.01" in workbook.read("xl/sharedStrings.xml")


def test_parquet_keeps_minor_units_and_says_where_it_comes_from() -> None:
    table = pq.read_table(io.BytesIO(to_parquet(result((DAY, "=1", "EUR", 199, None, 1)))))
    assert table.to_pylist() == [
        {"day": DAY, "name": "=1", "currency": "EUR", "amount_minor": 199, "rate_ppm": None, "line_count": 1}
    ]
    assert table.schema.metadata[b"build"] == b"7"


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="no format"):
        render(result(), "pdf", "en-IE")
    with pytest.raises(UsageError, match="no locale"):
        to_csv(result(), "xx-Nowhere")
    with pytest.raises(UsageError, match="settlement-statement"):
        report_of("profits")
    assert all(report.about for report in REPORTS.values())
