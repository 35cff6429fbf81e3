"""`meridian sql`: one reading statement on a published warehouse, a region's or the global one."""

import csv
import json
import math
import sys
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.bootstrap import environment
from regions.errors import UsageError

if TYPE_CHECKING:
    from warehouse.query import Answer, Published

app = typer.Typer()


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.command("sql")
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT (or WITH, FROM, DESCRIBE, SHOW, EXPLAIN).")],
    region: Annotated[str | None, typer.Option("--region", help="The region's code: eu, us, in, hk.")] = None,
    *,
    is_global: Annotated[bool, typer.Option("--global", help="Ask the global warehouse instead.")] = False,
    output: Annotated[
        Format, typer.Option("--format", help="table, csv (NULL is empty), or json (one array).")
    ] = Format.TABLE,
) -> None:
    """Ask the published warehouse. It is opened read-only, without access to files, network or settings."""
    from warehouse.query import ask, open_published

    with open_published(_chosen(region, is_global=is_global)) as connection:
        answer = ask(connection, statement)
        {Format.TABLE: _print_table, Format.CSV: _print_csv, Format.JSON: _print_json}[output](answer)


def _chosen(region: str | None, *, is_global: bool) -> "Published":
    if (region is None) != is_global:
        raise UsageError("Give either --region with a region's code or --global")
    if region is None:
        from pipelines.global_.commands import open_global

        return open_global()
    from regions.region import load_region
    from warehouse.builds import Warehouse

    return Warehouse.open(load_region(region), environment("lake"))


def _print_table(answer: "Answer") -> None:
    rows = [["" if value is None else _text(value) for value in row] for row in answer]
    widths = [max([len(name), *(len(row[i]) for row in rows)]) for i, name in enumerate(answer.columns)]
    numeric = [
        all(_is_number(row[i]) for row in rows if row[i]) and any(row[i] for row in rows) for i in range(len(widths))
    ]
    for row in (answer.columns, ["-" * width for width in widths], *rows):
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.write(f"({len(rows)} row{'' if len(rows) == 1 else 's'})\n")


def _print_csv(answer: "Answer") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(["" if value is None else _text(value) for value in row] for row in answer)


def _print_json(answer: "Answer") -> None:
    """An array of objects, written as it is read. Decimals are text, so that no digit is lost."""
    sys.stdout.write("[")
    for number, row in enumerate(answer):
        document = dict(zip(answer.columns, map(_json, row), strict=True))
        sys.stdout.write(",\n " if number else "\n ")
        sys.stdout.write(json.dumps(document, ensure_ascii=False))
    sys.stdout.write("\n]\n")


def _text(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, dict | list | tuple):
        return json.dumps(_json(value), ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _is_number(text: str) -> bool:
    try:
        Decimal(text)
    except ArithmeticError:
        return False
    return True
