"""Landing bank statements in the lake: whole, once, replacing what an earlier version of the same statement said.

Entries are committed first and statements after them. A statement's row names the file that it came from, and readers
take the entries of that file alone: nothing is seen before it is whole, and landing again after a crash repairs it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import In

from warehouse.lake import LAKE_SEQ, read_lake_seq, read_map
from warehouse.lake_bank import BANK_ENTRIES, BANK_STATEMENTS
from warehouse.lake_writer import AnotherWriterError

if TYPE_CHECKING:
    from pipelines.recon.statement import BankStatement, StatementFile
    from regions.region import Region
    from warehouse.lake import Lake
    from warehouse.lake_tables import TableDefinition

STATEMENTS = "meridian.statements"  # statement → SHA-256 of the file that is landed
_COMMIT_TRIES = 5


@dataclass(frozen=True, slots=True)
class LandedStatement:
    """What landing did. `is_new` is False when exactly this content was there already."""

    sha256: str
    statement_count: int
    entry_count: int
    is_new: bool


def is_landed(lake: Lake, content: bytes) -> bool:
    """Whether exactly this file is what the lake has of some statement."""
    landed = read_map(lake.ensure_table(BANK_STATEMENTS), STATEMENTS)
    return hashlib.sha256(content).hexdigest() in landed.values()


def land(lake: Lake, region: Region, file: StatementFile, *, livemode: bool) -> LandedStatement:
    """Put a file's statements and entries in place of any earlier version of the same statements.

    Raises AnotherWriterError when others keep committing.
    """
    keys = [file.key_of(statement) for statement in file.statements]
    done = LandedStatement(file.sha256, len(file.statements), len(file.entries), is_new=True)
    landed = read_map(lake.ensure_table(BANK_STATEMENTS), STATEMENTS)
    if keys and all(landed.get(key) == file.sha256 for key in keys):
        return LandedStatement(file.sha256, len(file.statements), len(file.entries), is_new=False)

    def entries(lake_seq: int) -> list[dict[str, Any]]:
        rows = []
        for entry_id, entry in zip(file.entry_ids(region.code), file.entries, strict=True):
            statement = file.statement_of(entry)
            rows.append(
                _common(statement, file, region, lake_seq=lake_seq, livemode=livemode)
                | {
                    "entry_id": entry_id,
                    "entry_number": entry.entry_number,
                    "line_number": entry.line_number,
                    "booking_date": entry.booking_date or file.day_of(statement),
                    "value_date": entry.value_date,
                    "kind": entry.kind,
                    "status": entry.status,
                    "amount_minor": entry.amount_minor,
                    "transaction_code": entry.transaction_code,
                    "bank_reference": entry.bank_reference,
                    "reference_text": f" {' '.join(entry.references)} ",
                    "detail_count": entry.detail_count,
                    "instructed_currency": entry.instructed_currency,
                    "instructed_minor": entry.instructed_minor,
                    "exchange_rate": entry.exchange_rate,
                }
            )
        return rows

    def statements(lake_seq: int) -> list[dict[str, Any]]:
        return [
            _common(one, file, region, lake_seq=lake_seq, livemode=livemode)
            | {
                "statement_id": one.id,
                "sequence": one.sequence,
                "format": file.format,
                "opening_minor": one.opening.amount_minor if one.opening else 0,
                "closing_minor": one.closing.amount_minor if one.closing else one.sum_minor,  # a notice has none
                "entry_count": one.entry_count,
                "pending_count": one.pending_count,
                "sum_minor": one.sum_minor,
            }
            for one in file.statements
        ]

    _replace(lake, BANK_ENTRIES, keys, file.sha256, entries)
    _replace(lake, BANK_STATEMENTS, keys, file.sha256, statements)
    return done


def _replace(
    lake: Lake,
    definition: TableDefinition,
    keys: Sequence[str],
    sha256: str,
    rows_of: Callable[[int], list[dict[str, Any]]],
) -> None:
    """Rows in place of those of the same statements, in one commit, on the table as it is then."""
    for attempt in range(1, _COMMIT_TRIES + 1):
        table = lake.ensure_table(definition)
        known = read_map(table, STATEMENTS)
        lake_seq = read_lake_seq(table) + 1
        rows = rows_of(lake_seq)
        transaction = table.transaction()
        if replaced := [key for key in keys if key in known]:
            # PyIceberg's constructor takes what its declared fields do not say.
            transaction.delete(In("statement_key", replaced))  # type: ignore[misc, call-arg, arg-type]
        if rows:
            transaction.append(pa.Table.from_pylist(rows, schema=definition.schema.as_arrow()))
        landed = json.dumps(known | dict.fromkeys(keys, sha256), sort_keys=True)
        transaction.set_properties({STATEMENTS: landed, LAKE_SEQ: str(lake_seq)})
        try:
            transaction.commit_transaction()
        except CommitFailedException as error:
            if attempt == _COMMIT_TRIES:
                raise AnotherWriterError("Other jobs keep landing bank statements: try again") from error
        else:
            return


def _common(
    statement: BankStatement, file: StatementFile, region: Region, *, lake_seq: int, livemode: bool
) -> dict[str, Any]:
    return {
        "statement_key": file.key_of(statement),
        "region": region.code,
        "livemode": livemode,
        "account": statement.account,
        "currency": statement.currency,
        "statement_date": file.day_of(statement),
        "file_hash": file.sha256,
        "lake_seq": lake_seq,
    }
