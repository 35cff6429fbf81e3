"""`meridian global …`: the group's warehouse."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import parse_date
from pipelines.stack.state import state_path

if TYPE_CHECKING:
    from warehouse.global_builds import GlobalWarehouse

app = typer.Typer(help="The global warehouse: what may leave each region, united.", no_args_is_help=True)


@app.command()
def build(
    day: Annotated[str, typer.Option("--date", help="The business date that each region should be built for.")],
    *,
    is_strict: Annotated[
        bool, typer.Option("--strict", help="Build nothing if a region is missing or older, and exit with 1.")
    ] = False,
) -> None:
    """Unite the exportable part of every region's published build, test it, and let readers see it."""
    from regions.region import load_catalog

    regions = list(load_catalog().values())
    record = open_global().build(regions, parse_date(day), environment("reader"), is_strict=is_strict)
    typer.echo(f"build-{record.number} of the global warehouse for {record.business_date} is published")
    for name, count in record.table_rows.items():
        typer.echo(f"  {name:<24} {count:>10,} rows")
    for part in record.parts:
        if part.build is not None:
            held = sum(part.withheld.values())
            note = f", {held} groups below {part.minimum_group_size} stayed" if held else ""
            typer.echo(f"  {part.region}: {part.export.value} of build-{part.build}, {part.business_date}{note}")
        if part.complaint:
            typer.echo(f"  warning: {part.complaint}", err=True)


@app.command()
def status(
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the global builds, which one is published, and what each region gave."""
    warehouse = open_global()
    published, records = warehouse.published(), warehouse.records()
    if is_json:
        document = {"published": published, "builds": [asdict(record) for record in records]}
        typer.echo(json.dumps(document, indent=2, default=str))
        return
    if not records:
        typer.echo("the global warehouse has no build yet")
    for record in records:
        mark = "*" if record.number == published else " "
        reason = f"  {record.failure}" if record.failure else ""
        regions = " ".join(f"{part.region}={part.state.value}" for part in record.parts)
        typer.echo(f"{mark} build-{record.number}  {record.business_date}  {record.status.value}  {regions}{reason}")


def open_global() -> "GlobalWarehouse":
    """The global warehouse that the environment names."""
    from warehouse.global_builds import GlobalWarehouse

    return GlobalWarehouse.open(environment("reader"), state_path())
