"""What the regions give to a global build: exportable columns of their published builds, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from regions.errors import ConfigurationError, MeridianError
from regions.region import Region
from warehouse.builds import Warehouse
from warehouse.exports import ExportedTable
from warehouse.global_record import Part, PartState
from warehouse.query import NotPublishedError, open_published


class StaleBuildError(MeridianError):
    """A region's published build lacks what the global models read."""


@dataclass(frozen=True)
class Source:
    """A region with its published build open, read-only; both fields are None if there is none."""

    region: Region
    part: Part
    build: duckdb.DuckDBPyConnection | None


@contextmanager
def open_sources(regions: Sequence[Region], day: date, env: Mapping[str, str]) -> Iterator[list[Source]]:
    """Every region's published build, the same until the end even if a newer one is published meanwhile."""
    sources: list[Source] = []
    try:
        sources.extend(_open(region, day, env) for region in regions)
        yield sources
    finally:
        for source in sources:
            if source.build is not None:
                source.build.close()


def _open(region: Region, day: date, env: Mapping[str, str]) -> Source:
    def part(state: PartState, reason: str | None, **found: Any) -> Part:
        return Part(
            region.code, state, region.residency.export, region.residency.minimum_group_size, reason=reason, **found
        )

    try:
        warehouse = Warehouse.open(region, env)
        build = open_published(warehouse)
    except (ConfigurationError, NotPublishedError) as error:
        return Source(region, part(PartState.MISSING, str(error)), None)
    [(name,)] = build.execute("SELECT current_database()").fetchall()  # DuckDB calls a database after its file
    number = int(name.removeprefix("build-"))
    record = next(record for record in warehouse.records() if record.number == number)
    found = {"build": number, "business_date": record.business_date}
    if record.business_date < day:
        reason = f"its published build-{number} is for {record.business_date}, before {day}"
        return Source(region, part(PartState.OLDER, reason, **found), build)
    return Source(region, part(PartState.INCLUDED, None, **found), build)


def write_sources(path: Path, tables: Sequence[ExportedTable], sources: Sequence[Source]) -> list[Part]:
    """Write the DuckDB file that dbt attaches as `lake`: the regions' tables united, and what each region gave.

    Returns each region's part with its counts. Raises StaleBuildError.
    """
    staged = path.with_suffix(".new")
    staged.unlink(missing_ok=True)
    with duckdb.connect(str(staged)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE SCHEMA regions")
        for table in tables:
            columns = ", ".join(f'"{column.name}" {column.data_type}' for column in table.columns)
            connection.execute(f"CREATE TABLE regions.{table.name} ({columns})")
        parts = [_take(connection, tables, source) for source in sources]
        connection.execute(
            "CREATE TABLE coverage (region VARCHAR, state VARCHAR, export VARCHAR, minimum_group_size BIGINT, "
            "build BIGINT, business_date DATE, groups_withheld BIGINT, reason VARCHAR)"
        )
        connection.executemany(
            "INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (p.region, p.state.value, p.export.value, p.minimum_group_size, p.build, p.business_date,
                 sum(p.withheld.values()), p.reason)
                for p in parts
            ],
        )  # fmt: skip
    staged.replace(path)
    return parts


def _take(connection: duckdb.DuckDBPyConnection, tables: Sequence[ExportedTable], source: Source) -> Part:
    """One region's rows. A region whose rows may not leave gives groups that are large enough."""
    if source.build is None:
        return source.part
    rows, withheld = {}, {}
    for table in tables:
        condition = table.condition(source.region.residency)
        if condition is None:
            continue
        name = f"main.{table.name}"
        wanted = f"SELECT {table.names} FROM {name} WHERE {condition}"  # noqa: S608 - names are the project's
        try:
            taken: pa.Table = source.build.sql(wanted).to_arrow_table()
            [(total,)] = source.build.execute(f"SELECT count(*) FROM {name}").fetchall()  # noqa: S608 - same
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise StaleBuildError(
                f"The published build-{source.part.build} of {source.region.code} lacks what the global warehouse reads"
                f" from {table.name}: build and publish it again ({str(error).splitlines()[0]})"
            ) from error
        connection.register("taken", taken)
        connection.execute(f"INSERT INTO regions.{table.name} ({table.names}) SELECT {table.names} FROM taken")  # noqa: S608 - same
        connection.unregister("taken")
        rows[table.name] = taken.num_rows
        withheld[table.name] = total - taken.num_rows
    return Part(
        source.part.region, source.part.state, source.part.export, source.part.minimum_group_size, source.part.build,
        source.part.business_date, source.part.reason, rows, withheld,
    )  # fmt: skip
