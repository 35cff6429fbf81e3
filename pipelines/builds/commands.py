"""`meridian warehouse …`."""

import json
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.bootstrap import environment
from regions.errors import UsageError

if TYPE_CHECKING:
    from warehouse.build_record import BuildRecord

app = typer.Typer(help="The region's warehouse: build, audit, publish.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]
DateOption = Annotated[str, typer.Option("--date", help="Business date in the region's time zone, YYYY-MM-DD.")]


@app.command()
def build(
    region: RegionOption,
    day: DateOption,
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take what the lake holds now, even if the date has recorded inputs.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Read everything again, instead of new data upon an earlier build.")
    ] = False,
) -> None:
    """Build a candidate from the lake and test it; a date built before is made again from its recorded inputs."""
    from pipelines.builds.service import build_warehouse
    from regions.region import load_region

    record = build_warehouse(load_region(region), parse_date(day), environment("lake"), refresh=refresh, is_whole=whole)
    source = f"the inputs of build-{record.rerun_of}" if record.rerun_of else "the lake as it is now"
    typer.echo(
        f"build-{record.number} of {record.region} for {record.business_date}: "
        f"built and tested from {source}, {_how(record)}"
    )
    for name, count in record.table_rows.items():
        typer.echo(f"  {name:<24} {count:>10,} rows")
    for warning in record.warnings:
        typer.echo(f"  warning: {warning}", err=True)


@app.command()
def publish(region: RegionOption) -> None:
    """Let readers see the latest candidate, if it passed all its tests; the switch is atomic."""
    from regions.region import load_region
    from warehouse.builds import Warehouse

    warehouse = Warehouse.open(load_region(region), environment("lake"))
    with warehouse.lock():
        record = warehouse.publish()
    typer.echo(f"build-{record.number} of {record.region} for {record.business_date} is published")


@app.command()
def status(
    region: RegionOption,
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the builds, which one is published, and why one failed."""
    from regions.region import load_region
    from warehouse.builds import Warehouse

    warehouse = Warehouse.open(load_region(region), environment("lake"))
    published, records = warehouse.published(), warehouse.records()
    if is_json:
        typer.echo(json.dumps({"published": published, "builds": [_document(record) for record in records]}, indent=2))
        return
    if not records:
        typer.echo(f"the warehouse of {region} has no build yet")
    for record in records:
        mark = "*" if record.number == published else " "
        reason = f"  {record.failure}" if record.failure else ""
        typer.echo(f"{mark} build-{record.number}  {record.business_date}  {record.status.value}{reason}")


def parse_date(text: str, option: str = "--date") -> date:
    """The date that an option gives. Raises UsageError, naming the option."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no date: write YYYY-MM-DD") from error


def _how(record: "BuildRecord") -> str:
    base = record.increment.base if record.increment else None
    return f"upon build-{base}" if base else "whole"


def _document(record: "BuildRecord") -> dict[str, Any]:
    cut = record.inputs.cut
    return {
        "build": record.number,
        "business_date": record.business_date.isoformat(),
        "status": record.status.value,
        "rerun_of": record.rerun_of,
        "base": record.increment.base if record.increment else None,
        "events_snapshot": record.inputs.events.snapshot_id,
        "cut": f"{cut.epoch}:{cut.batch}" if cut else None,
        "reports": record.reports,
        "table_rows": record.table_rows,
        "warnings": list(record.warnings),
        "failure": record.failure,
    }
