"""Tables as CSV: the header is searched by its names, whatever stands before it and whatever separates the fields."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import Source

SEPARATORS = ",;\t|"
HEADER_LINES_MAX = 50
Normalise = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Header:
    """Where a table's header stands, and what its columns are called."""

    line: int
    separator: str
    columns: tuple[str, ...]


def find_header(source: Source, names: frozenset[str], normalise: Normalise = str.strip) -> Header | None:
    """The first line among the first ones that has all these names among its columns."""
    with source.text() as text:
        for number, line in enumerate(itertools.islice(text, HEADER_LINES_MAX), 1):
            for separator in SEPARATORS:
                columns = _split(line, separator, normalise)
                if names <= set(columns):
                    return Header(number, separator, columns)
    return None


def rows(source: Source, header: Header, findings: Findings) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below the header, fields stripped, each with the number of its last physical line.

    Blank ones are skipped; one that does not fit is a problem and is left out.
    """
    with source.text() as text:
        for _ in range(header.line):
            text.readline()
        reader = csv.reader(text, delimiter=header.separator, strict=True)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                findings.refuse(header.line + reader.line_num, "not_csv", f"not CSV: {error}")
                return
            number = header.line + reader.line_num
            if not any(field.strip() for field in row):
                continue
            if len(row) != len(header.columns):
                findings.refuse(number, "width", f"{len(row)} fields, but the header has {len(header.columns)}")
                continue
            yield number, {name: field.strip() for name, field in zip(header.columns, row, strict=True)}


def check_header(header: Header, needed: frozenset[str], names: frozenset[str], findings: Findings) -> bool:
    """Whether every needed column is there, and no column that we read is there twice."""
    counts: dict[str, int] = {}
    for column in header.columns:
        counts[column] = counts.get(column, 0) + 1
    if missing := sorted(needed - set(counts)):
        findings.refuse(header.line, "missing_column", f"the header lacks {', '.join(missing)}")
    if repeated := sorted(name for name in names if counts.get(name, 0) > 1):
        findings.refuse(header.line, "repeated_column", f"the header repeats {', '.join(repeated)}")
    return not missing and not repeated


def describe(source: Source, header: Header, findings: Findings) -> None:
    """What the file's writing is."""
    findings.details |= {"encoding": source.encoding, "separator": header.separator, "header_line": header.line}
    if source.encoding == "iso-8859-1":
        findings.note(None, "encoding", "the file is not UTF-8 text; it was read as ISO 8859-1")


def text_of(row: Mapping[str, str], column: str) -> str | None:
    """A field, or None if it is empty or the file has no such column."""
    return row.get(column) or None


def _split(line: str, separator: str, normalise: Normalise) -> tuple[str, ...]:
    try:
        fields = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return ()
    return tuple(normalise(field) for field in fields)
