"""A report as a file: CSV, XLSX, Parquet. Text that a spreadsheet would run as a formula is made harmless."""

from __future__ import annotations

import csv
import io
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from babel import Locale
from babel.core import UnknownLocaleError
from babel.numbers import get_decimal_symbol

from regions.errors import UsageError
from regions.files import sync_folder
from regions.money import Money, exponent
from warehouse.reports.model import Column, Kind, Result

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS: Final = ("csv", "xlsx", "parquet")
EXACT_DIGITS_MAX: Final = 15  # a spreadsheet's number is a double
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - their full-width twins
_PARTS_PER_MILLION = Decimal(1_000_000)


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before what starts like one, spaces aside."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip(" \u00a0").startswith(_FORMULA) else text


def locale_of(name: str) -> Locale:
    """A locale by its tag, such as de-DE. Raises UsageError."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise UsageError(f"{name!r} is no locale: use one like en-IE or de-DE") from None


def render(result: Result, form: str, locale: str) -> bytes:
    """The file's bytes. Raises UsageError for an unknown format."""
    if form == "csv":
        return to_csv(result, locale).encode()
    if form == "xlsx":
        return to_xlsx(result, locale)
    if form == "parquet":
        return to_parquet(result)
    raise UsageError(f"{form!r} is no format: use one of {', '.join(FORMATS)}")


def to_csv(result: Result, locale: str) -> str:
    """CSV (RFC 4180) with the locale's decimal sign; where that is a comma, fields are parted by semicolons."""
    point = get_decimal_symbol(locale_of(locale))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if point == "," else ",", lineterminator="\r\n")
    columns = result.report.columns
    writer.writerow([_header(column) for column in columns])
    for row in result.dicts():
        writer.writerow([_cell(row, column, point) for column in columns])
    return out.getvalue()


def _header(column: Column) -> str:
    return column.name.removesuffix("_minor").removesuffix("_ppm")


def _cell(row: Mapping[str, Any], column: Column, point: str) -> str:
    value = row[column.name]
    if value is None:
        return ""
    number = _number(row, column)
    if number is not None:
        return f"{number:f}".replace(".", point)
    return value.isoformat() if isinstance(value, date) else harmless(str(value))


def _number(row: Mapping[str, Any], column: Column) -> Decimal | None:
    """The exact value of a figure, amounts in major units; None for what is no figure."""
    value = row[column.name]
    if value is None:
        return None
    if column.kind is Kind.MONEY:
        return Money(int(value), row["currency"]).to_decimal()
    if column.kind is Kind.SHARE:
        return Decimal(int(value)) / _PARTS_PER_MILLION
    return Decimal(int(value)) if column.kind is Kind.COUNT else None


def to_xlsx(result: Result, locale: str) -> bytes:
    """A workbook: figures are numbers (the reader's program writes them its own way), text is never a formula."""
    import xlsxwriter

    locale_of(locale)
    out = io.BytesIO()
    settings = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, settings)
    sheet = book.add_worksheet(result.report.name[:31])
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    formats = {
        digits: book.add_format({"num_format": f"#,##0{'.' + '0' * digits if digits else ''}"}) for digits in range(5)
    }
    share = book.add_format({"num_format": "0.000%"})
    columns = result.report.columns
    for index, column in enumerate(columns):
        sheet.write_string(0, index, column.title, bold)
        sheet.set_column(index, index, 30 if column.kind is Kind.ID else 16)
    for number, row in enumerate(result.dicts(), start=1):
        for index, column in enumerate(columns):
            value, figure = row[column.name], _number(row, column)
            if value is None:
                continue
            if figure is not None and len(figure.as_tuple().digits) <= EXACT_DIGITS_MAX:
                digits = exponent(row["currency"]) if column.kind is Kind.MONEY else 0
                sheet.write_number(
                    number, index, float(figure), share if column.kind is Kind.SHARE else formats[digits]
                )
            elif figure is not None:
                sheet.write_string(number, index, f"{figure:f}")  # exact, rather than nearly
            elif isinstance(value, date):
                sheet.write_datetime(number, index, value, day)
            else:
                sheet.write_string(number, index, str(value))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(1, len(result.rows)), len(columns) - 1)
    _about(book.add_worksheet("about"), result)
    book.close()
    return out.getvalue()


def _about(sheet: Any, result: Result) -> None:
    asked = result.asked
    told = [("Report", result.report.title), ("About", result.report.about), ("From", asked.since.isoformat())]
    told += [("Through", asked.until.isoformat()), ("Money", "live" if asked.livemode else "test")]
    told += [("Warehouse build", str(result.build)), *((f"Only {name}", value) for name, value in asked.where.items())]
    for number, (name, value) in enumerate(told):
        sheet.write_string(number, 0, name)
        sheet.write_string(number, 1, value)


def to_parquet(result: Result) -> bytes:
    """Typed columns for programs: amounts stay in minor units, beside their currency."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {Kind.DATE: pa.date32(), Kind.COUNT: pa.int64(), Kind.MONEY: pa.int64(), Kind.SHARE: pa.int64()}
    columns = result.report.columns
    arrays = [
        pa.array([row[index] for row in result.rows], types.get(column.kind, pa.string()))
        for index, column in enumerate(columns)
    ]
    about = {"report": result.report.name, "build": str(result.build), "since": result.asked.since.isoformat()}
    about |= {"until": result.asked.until.isoformat(), "livemode": str(result.asked.livemode).lower()}
    schema = pa.schema(
        [pa.field(column.name, array.type) for column, array in zip(columns, arrays, strict=True)], about
    )
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out)
    return out.getvalue()


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises UsageError if it cannot be."""
    staged = path.with_name(f".{path.name}.new")
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
