"""Landing a settlement report in the lake: whole, once, replacing what an earlier version of the same report said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestamptzType,
)

from pipelines.recon.settlement import SettlementLine, SettlementReport
from warehouse.lake import LAKE_SEQ, read_lake_seq, read_map
from warehouse.lake_tables import TableDefinition
from warehouse.lake_writer import AnotherWriterError

if TYPE_CHECKING:
    from regions.region import Region
    from warehouse.lake import Lake

REPORTS = "meridian.reports"  # report name → SHA-256 of what is landed
_COMMIT_TRIES = 5
_LINE = tuple(field.name for field in fields(SettlementLine))

_COLUMNS: tuple[tuple[str, PrimitiveType, bool], ...] = (
    ("line_id", StringType(), True),
    ("region", StringType(), True),
    ("livemode", BooleanType(), True),
    ("gateway", StringType(), True),
    ("gateway_account", StringType(), True),
    ("report_date", DateType(), True),
    ("line_number", IntegerType(), True),
    ("batch_number", IntegerType(), True),
    ("type", StringType(), True),
    ("psp_reference", StringType(), False),
    ("merchant_reference", StringType(), False),
    ("modification_reference", StringType(), False),
    ("modification_merchant_reference", StringType(), False),
    ("payment_method", StringType(), False),
    ("payment_method_variant", StringType(), False),
    ("gross_currency", StringType(), False),
    ("gross_minor", LongType(), True),  # credit positive, minor units
    ("exchange_rate", StringType(), False),  # decimal text, as printed
    ("net_currency", StringType(), True),
    ("net_minor", LongType(), True),
    ("commission_minor", LongType(), True),
    ("markup_minor", LongType(), True),
    ("scheme_fees_minor", LongType(), True),
    ("interchange_minor", LongType(), True),
    ("created_at", TimestamptzType(), True),
    ("booked_at", TimestamptzType(), True),
    ("closed_at", TimestamptzType(), True),  # when the gateway closed the batch; booked_at if it does not say
    ("file_hash", StringType(), True),
    ("lake_seq", LongType(), True),
)
SETTLEMENT_LINES = TableDefinition(
    "settlement_lines",
    Schema(*(NestedField(n, name, kind, required=required) for n, (name, kind, required) in enumerate(_COLUMNS, 1))),
    PartitionSpec(PartitionField(source_id=6, field_id=1000, transform=IdentityTransform(), name="report_date")),
)


@dataclass(frozen=True, slots=True)
class Landed:
    """What landing did. `is_new` is False when exactly this content was there already."""

    report: str
    sha256: str
    line_count: int
    is_new: bool


def is_landed(lake: Lake, content: bytes) -> bool:
    """Whether exactly this content is what the lake has of some report."""
    landed = read_map(lake.ensure_table(SETTLEMENT_LINES), REPORTS)
    return hashlib.sha256(content).hexdigest() in landed.values()


def reports_of(lake: Lake, day: date) -> dict[str, str]:
    """The reports of a day that the lake has, and the SHA-256 of each."""
    landed = read_map(lake.ensure_table(SETTLEMENT_LINES), REPORTS)
    return {name: sha256 for name, sha256 in landed.items() if name.partition("/")[2] == day.isoformat()}


def land(
    lake: Lake, region: Region, report: SettlementReport, closed_at: Mapping[int, datetime], *, livemode: bool
) -> Landed:
    """Put the report's lines into `settlement_lines`, in one commit, in place of any earlier version of it.

    `closed_at` says when the gateway closed each batch, where it does. Raises AnotherWriterError when others keep
    committing.
    """
    for attempt in range(1, _COMMIT_TRIES + 1):  # each time on the table as it is then
        table = lake.ensure_table(SETTLEMENT_LINES)
        reports = read_map(table, REPORTS)
        if reports.get(report.name) == report.sha256:
            return Landed(report.name, report.sha256, len(report.lines), is_new=False)
        lake_seq = read_lake_seq(table) + 1
        rows = [
            _row(line_id, line, report, region, closed_at, lake_seq=lake_seq, livemode=livemode)
            for line_id, line in zip(report.line_ids(region.code), report.lines, strict=True)
        ]
        transaction = table.transaction()
        if report.name in reports:
            transaction.delete(_rows_of(report))
        if rows:
            transaction.append(pa.Table.from_pylist(rows, schema=SETTLEMENT_LINES.schema.as_arrow()))
        landed = json.dumps(reports | {report.name: report.sha256}, sort_keys=True)
        transaction.set_properties({REPORTS: landed, LAKE_SEQ: str(lake_seq)})
        try:
            transaction.commit_transaction()
        except CommitFailedException as error:
            if attempt == _COMMIT_TRIES:
                raise AnotherWriterError("Other jobs keep landing settlement reports: try again") from error
        else:
            return Landed(report.name, report.sha256, len(rows), is_new=True)
    raise AssertionError("unreachable")


def _rows_of(report: SettlementReport) -> str:
    """An Iceberg filter: the rows of any version of the report."""
    return f"gateway = '{report.gateway}' AND report_date = '{report.report_date.isoformat()}'"


def _row(
    line_id: str,
    line: SettlementLine,
    report: SettlementReport,
    region: Region,
    closed_at: Mapping[int, datetime],
    *,
    lake_seq: int,
    livemode: bool,
) -> dict[str, Any]:
    return {name: getattr(line, name) for name in _LINE} | {
        "line_id": line_id,
        "region": region.code,
        "livemode": livemode,
        "gateway": report.gateway,
        "report_date": report.report_date,
        "closed_at": closed_at.get(line.batch_number, line.booked_at),
        "file_hash": report.sha256,
        "lake_seq": lake_seq,
    }
