"""`meridian outbox …`."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import parse_date

app = typer.Typer(help="The region's outbox: its days, its consumers, its lag.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """The region's outbox."""


@app.command()
def status(
    region: RegionOption,
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    is_prometheus: Annotated[bool, typer.Option("--prometheus", help="Print metrics in Prometheus' format.")] = False,
) -> None:
    """Show the relay's lag, the partitions and every consumer."""
    from pipelines.leadership import connect
    from pipelines.outbox.status import prometheus, read_status
    from regions.region import load_region

    found = load_region(region)
    with connect(found, found.database_url(environment("reader")), "meridian outbox status") as connection:
        shown = read_status(connection, datetime.now(UTC))
    if is_prometheus:
        typer.echo(prometheus(found.code, shown), nl=False)
    elif is_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        for name, value in shown.items():
            if name != "consumers":
                typer.echo(f"{name.replace('_', ' '):<22} {value}")
        for name, consumer in shown["consumers"].items():
            window = consumer["window_seconds"]
            behind = f"{consumer['partitions_behind']} partitions behind"
            typer.echo(f"consumer {name:<13} {behind if window is None else f'looks back {window} seconds'}")


@app.command()
def maintain(
    region: RegionOption,
    days_ahead: Annotated[int, typer.Option(help="How many days after today get their partition.", min=1, max=60)] = 3,
) -> None:
    """Make the partitions of the coming days, and move rows that waited without one (the worker does it hourly)."""
    from pipelines.leadership import connect
    from pipelines.outbox.repository import make_partitions
    from regions.region import load_region

    found = load_region(region)
    with connect(found, found.database_url(environment("retention")), "meridian outbox maintain") as connection:
        made = make_partitions(connection, days_ahead)
    typer.echo(f"{made} partitions made in region {found.code}")


@app.command()
def purge(
    region: RegionOption,
    day: Annotated[str, typer.Option("--date", help="Business date in the region's time zone, YYYY-MM-DD.")],
) -> None:
    """Drop the days before the date that every consumer has passed; says why another stays."""
    from pipelines.leadership import connect
    from pipelines.outbox.purge import purge as drop_passed
    from regions.region import load_region

    found = load_region(region)
    begin, _ = found.day_bounds(parse_date(day))
    with connect(found, found.database_url(environment("retention")), "meridian outbox purge") as connection:
        purged = drop_passed(connection, begin)
    for name, reason in purged.kept.items():
        typer.echo(f"{name} stays: {reason}")
    typer.echo(f"{len(purged.dropped)} partitions dropped, {purged.batches} batches forgotten")
