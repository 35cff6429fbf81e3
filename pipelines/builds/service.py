"""Building a region's warehouse from its lake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import psycopg

from pipelines.builds.cut import batch_ends, find_cut
from pipelines.recon.landing import SETTLEMENT_LINES
from warehouse.builds import Warehouse
from warehouse.inputs import Inputs
from warehouse.lake import POSITIONS, Lake, read_map
from warehouse.lake_files import table_files
from warehouse.lake_fx import FX_RATES
from warehouse.lake_tables import EVENTS

if TYPE_CHECKING:
    from regions.region import Region
    from warehouse.build_record import BuildRecord


def build_warehouse(
    region: Region, day: date, env: Mapping[str, str], *, refresh: bool, is_whole: bool = False
) -> BuildRecord:
    """Make and test a candidate for a business date.

    A date that has a good build is made again from the inputs that it recorded, unless `refresh`: then, and the first
    time, it is made from what the lake holds now. It is built upon an earlier build where that is possible, unless
    `is_whole`. Raises WarehouseBusyError, TransformError, InputsGoneError and the
    lake's errors.
    """
    warehouse = Warehouse.open(region, env)
    with warehouse.lock():
        earlier = None if refresh else warehouse.recorded_inputs(day)
        if earlier is not None:
            earlier.inputs.check_files()
            return warehouse.build(day, earlier.inputs, rerun_of=earlier.rerun_of or earlier.number, is_whole=is_whole)
        return warehouse.build(day, take_inputs(region, env), is_whole=is_whole)


def take_inputs(region: Region, env: Mapping[str, str]) -> Inputs:
    """The lake's files as they are now, events up to the last batch that is there whole."""
    lake = Lake.open(region, env)
    try:
        events = lake.ensure_table(EVENTS)
        lines = lake.ensure_table(SETTLEMENT_LINES)
        rates = table_files(lake.ensure_table(FX_RATES))
        files = table_files(events)
        if not files.files:
            return Inputs(files, table_files(lines), fx_rates=rates)
        with psycopg.connect(region.database_url(env), autocommit=True) as connection:
            cut = find_cut(batch_ends(connection), read_map(events, POSITIONS))
        return Inputs(files, table_files(lines), cut, rates)
    finally:
        lake.close()
