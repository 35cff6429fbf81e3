"""Files of links: lines and cells become one JSON object a row. No clock, no database."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

ROWS_MAX = 100_000
ROW_BYTES_MAX = 16_384
CHUNK_ROWS = 1_000
NUMBERS = frozenset({"amount_minor", "max_payments", "expires_in"})
TEXTS = frozenset(
    {
        "currency", "reference", "description", "usage", "channel", "campaign", "expires_at", "locale",
        "capture_method", "statement_descriptor", "idempotency_key",
    }
)  # fmt: skip
METADATA = "metadata."


class FileError(Exception):
    """A file that cannot be read as a whole."""


def json_rows(body: bytes) -> Iterator[bytes]:
    """The rows of JSON Lines; empty lines are none."""
    for line in io.BytesIO(body):
        row = line.strip()
        if row:
            yield row


def csv_rows(body: bytes) -> Iterator[bytes]:
    """The rows of a CSV file with a header (RFC 4180, UTF-8), as JSON: an empty cell is left out."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError("The file is not UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_header(header)
        for cells in reader:
            if cells:
                yield orjson.dumps(_row(header, cells))
    except csv.Error as error:
        raise FileError(f"Line {reader.line_num} cannot be read as CSV: {error}.") from None


def chunks(rows: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Rows in chunks. Raises FileError for too many rows and for none."""
    count, chunk = 0, list[bytes]()
    for row in rows:
        count += 1
        if count > ROWS_MAX:
            raise FileError(f"The file has more than {ROWS_MAX} rows.")
        chunk.append(row if len(row) <= ROW_BYTES_MAX else b'"too long"')
        if len(chunk) == CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
    if count == 0:
        raise FileError("The file has no rows.")


def _check_header(header: Sequence[str]) -> None:
    unknown = [name for name in header if name not in NUMBERS | TEXTS and not name.startswith(METADATA)]
    if unknown:
        known = ", ".join(sorted(NUMBERS | TEXTS))
        raise FileError(f"The header names {unknown[0]!r}, which is no column here: use {known} or metadata.<key>.")
    if len(set(header)) != len(header):
        raise FileError("The header names a column twice.")


def _row(header: Sequence[str], cells: Sequence[str]) -> Any:
    if len(cells) != len(header):
        return f"has {len(cells)} cells, and the header {len(header)}"
    row: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        if name.startswith(METADATA):
            row.setdefault("metadata", {})[name.removeprefix(METADATA)] = cell
        else:
            row[name] = int(cell) if name in NUMBERS and _is_whole(cell) else cell
    return row


def _is_whole(cell: str) -> bool:
    return cell.isascii() and cell.removeprefix("-").isdigit() and len(cell) <= 18  # noqa: PLR2004 - fits 64 bits
