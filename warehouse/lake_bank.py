"""The lake's tables of bank statements: what each states, and its entries."""

from __future__ import annotations

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import BooleanType, DateType, IntegerType, LongType, NestedField, PrimitiveType, StringType

from warehouse.lake_files import TableFiles, columns_of
from warehouse.lake_tables import TableDefinition

_STATEMENT: tuple[tuple[str, PrimitiveType, bool], ...] = (
    ("statement_key", StringType(), True),  # which statement it is, whatever its format: account, currency, day, number
    ("region", StringType(), True),
    ("livemode", BooleanType(), True),
    ("account", StringType(), True),
    ("currency", StringType(), True),
    ("statement_date", DateType(), True),
)
_STATEMENTS: tuple[tuple[str, PrimitiveType, bool], ...] = (
    *_STATEMENT,
    ("statement_id", StringType(), True),  # as the bank names it
    ("sequence", StringType(), False),
    ("format", StringType(), True),
    ("opening_minor", LongType(), True),
    ("closing_minor", LongType(), True),
    ("entry_count", IntegerType(), True),  # booked ones
    ("pending_count", IntegerType(), True),
    ("sum_minor", LongType(), True),
    ("file_hash", StringType(), True),
    ("lake_seq", LongType(), True),
)
_ENTRIES: tuple[tuple[str, PrimitiveType, bool], ...] = (
    ("entry_id", StringType(), True),
    *_STATEMENT,
    ("entry_number", IntegerType(), True),
    ("line_number", IntegerType(), True),
    ("booking_date", DateType(), True),
    ("value_date", DateType(), False),
    ("kind", StringType(), True),
    ("status", StringType(), True),
    ("amount_minor", LongType(), True),  # credit positive
    ("transaction_code", StringType(), False),
    ("bank_reference", StringType(), False),
    ("reference_text", StringType(), True),  # separated by blanks, and with one at either end
    ("detail_count", IntegerType(), True),
    ("instructed_currency", StringType(), False),
    ("instructed_minor", LongType(), False),
    ("exchange_rate", StringType(), False),  # decimal text, as printed
    ("file_hash", StringType(), True),
    ("lake_seq", LongType(), True),
)


def _table(name: str, columns: tuple[tuple[str, PrimitiveType, bool], ...]) -> TableDefinition:
    fields = [
        NestedField(number, title, kind, required=needed) for number, (title, kind, needed) in enumerate(columns, 1)
    ]
    day = next(field.field_id for field in fields if field.name == "statement_date")
    return TableDefinition(
        name,
        Schema(*fields),
        PartitionSpec(
            PartitionField(source_id=day, field_id=1000, transform=IdentityTransform(), name="statement_date")
        ),
    )


BANK_STATEMENTS = _table("bank_statements", _STATEMENTS)
BANK_ENTRIES = _table("bank_entries", _ENTRIES)


def no_files(definition: TableDefinition) -> TableFiles:
    """What a build reads that knows nothing of the table: its columns and no file."""
    return TableFiles(definition.name, None, 0, (), columns_of(definition.schema))
