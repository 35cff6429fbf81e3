"""The lake's table of reference exchange rates."""

from __future__ import annotations

from pyiceberg.schema import Schema
from pyiceberg.types import DateType, DecimalType, LongType, NestedField, PrimitiveType, StringType, TimestamptzType

from warehouse.lake_files import TableFiles, columns_of
from warehouse.lake_tables import TableDefinition

RATE_DIGITS = 20
RATE_DECIMALS = 8

_COLUMNS: tuple[tuple[str, PrimitiveType], ...] = (
    ("rate_date", DateType()),
    ("published_at", TimestamptzType()),  # nobody knew the rate before
    ("base", StringType()),  # always EUR
    ("quote", StringType()),
    ("rate", DecimalType(RATE_DIGITS, RATE_DECIMALS)),  # units of quote for one base, unrounded
    ("source", StringType()),  # who says so: ecb, sandbox, file
    ("file_sha256", StringType()),
    ("lake_seq", LongType()),
)
FX_RATES = TableDefinition(
    "fx_rates",
    Schema(*(NestedField(number, name, kind, required=True) for number, (name, kind) in enumerate(_COLUMNS, 1))),
)


def no_rates() -> TableFiles:
    """What a build reads that knows no rates: the table's columns and no file."""
    return TableFiles(FX_RATES.name, None, 0, (), columns_of(FX_RATES.schema))
