"""What a build reads: exact lake files, named once, so that the same build can be made again.

dbt sees them as sources: views in a small DuckDB file that is attached as `lake`. However long the file list is, it is
in no command line and in no model, and no view over lake files ends up in a published build.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from regions.errors import MeridianError
from warehouse.lake_bank import BANK_ENTRIES, BANK_STATEMENTS, no_files
from warehouse.lake_files import Column, TableFiles
from warehouse.lake_fx import no_rates
from warehouse.recon_runs import COLUMNS


class InputsGoneError(MeridianError):
    """Lake files that a recorded build has read are no longer there."""


@dataclass(frozen=True, slots=True)
class RunParameters:
    """What every model may ask about the run. No model asks the clock."""

    region: str
    timezone: str
    business_date: date
    default_currency: str  # of merchants that have declared none: the region's first


@dataclass(frozen=True, slots=True)
class StreamCut:
    """The last relay batch that the lake holds whole: (epoch, batch). A batch never splits a transaction."""

    epoch: int
    batch: int


@dataclass(frozen=True, slots=True)
class Consumed:
    """What an earlier build has read: the events of ingest commits up to `lake_seq` that are not behind `cut`."""

    lake_seq: int
    cut: StreamCut | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tables of one build, and where the stream was cut; without a cut every event counts."""

    events: TableFiles
    settlement_lines: TableFiles
    cut: StreamCut | None = None
    fx_rates: TableFiles = field(default_factory=no_rates)
    bank_statements: TableFiles = field(default_factory=lambda: no_files(BANK_STATEMENTS))
    bank_entries: TableFiles = field(default_factory=lambda: no_files(BANK_ENTRIES))

    def to_json(self) -> dict[str, Any]:
        """As it stands in a build's record."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Inputs:
        """What `to_json` wrote."""
        cut = document["cut"]
        return cls(
            _read_files(document["events"]),
            _read_files(document["settlement_lines"]),
            StreamCut(**cut) if cut else None,
            _read_files(document["fx_rates"]) if "fx_rates" in document else no_rates(),  # older builds knew none
            **{
                definition.name: _read_files(document[definition.name])
                for definition in (BANK_STATEMENTS, BANK_ENTRIES)
                if definition.name in document
            },
        )

    def check_files(self) -> None:
        """Raises InputsGoneError naming the first file that compaction or retention has removed."""
        tables = (self.events, self.settlement_lines, self.fx_rates, self.bank_statements, self.bank_entries)
        for path in (path for table in tables for path in table.files):
            if not Path(path).is_file():
                raise InputsGoneError(
                    f"The recorded inputs are gone: {path} is no longer in the lake. Use --refresh to take new ones"
                )


def write_inputs(
    path: Path, inputs: Inputs, run: RunParameters, after: Consumed | None = None, previous: Path | None = None
) -> None:
    """Write the DuckDB file that builds attach as `lake`: views over the files, and one row of parameters.

    With `after`, the view of events has only those that were not consumed before. `previous` has the breaks that the
    reconciliation before left open.
    """
    staged = path.with_suffix(".new")
    staged.unlink(missing_ok=True)
    with duckdb.connect(str(staged)) as connection:
        connection.execute(
            "CREATE TABLE run AS SELECT ? AS region, ? AS timezone, CAST(? AS DATE) AS business_date, "
            "? AS default_currency",
            [run.region, run.timezone, run.business_date, run.default_currency],
        )
        connection.execute(f"CREATE TABLE previous_breaks ({COLUMNS})")
        if previous is not None:
            connection.execute("INSERT INTO previous_breaks FROM read_parquet(?)", [str(previous)])
        connection.execute(f"CREATE VIEW events AS {events_sql(inputs, after)}")
        for name in ("settlement_lines", "fx_rates", "bank_statements", "bank_entries"):
            files: TableFiles = getattr(inputs, name)
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {files.duckdb_sql()}")  # noqa: S608 - paths are quoted
    staged.replace(path)


def events_sql(inputs: Inputs, after: Consumed | None = None) -> str:
    """Events up to the cut, for DuckDB, without those consumed before. What is sealed stays in the lake."""
    columns = "* EXCLUDE (pii, kafka_topic, kafka_partition, ingested_at)"
    if all(column.name != "xid" for column in inputs.events.columns):  # recorded before the column was there
        columns += ", CAST(NULL AS BIGINT) AS xid"
    rows = f"SELECT {columns} FROM {inputs.events.duckdb_sql()}"  # noqa: S608 - paths come from the lake's catalog, quoted
    conditions = [within(inputs.cut)] if inputs.cut else []
    if after is not None:
        before = [f"lake_seq <= {after.lake_seq:d}", *([within(after.cut)] if after.cut else [])]
        conditions.append(f"NOT ({' AND '.join(before)})")
    return f"{rows} WHERE {' AND '.join(conditions)}" if conditions else rows


def within(cut: StreamCut) -> str:
    """The condition that an event is not behind the cut."""
    place = "(CAST(split_part(position, ':', 1) AS BIGINT), CAST(split_part(position, ':', 2) AS BIGINT))"
    return f"{place} <= ({cut.epoch:d}, {cut.batch:d})"


def _read_files(document: dict[str, Any]) -> TableFiles:
    return TableFiles(
        table=document["table"],
        snapshot_id=document["snapshot_id"],
        lake_seq=document["lake_seq"],
        files=tuple(document["files"]),
        columns=tuple(Column(**column) for column in document["columns"]),
        row_count=document.get("row_count"),
        changes=document.get("changes", 0),
    )
