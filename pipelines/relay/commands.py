"""`meridian relay …`."""

from typing import Annotated

import typer

from pipelines.bootstrap import environment

app = typer.Typer(help="Outbox to Kafka.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """Outbox to Kafka."""


@app.command()
def run(region: RegionOption) -> None:
    """Send committed events from the region's outbox to its Kafka, until stopped."""
    from pipelines import foreground
    from pipelines.relay import process

    foreground.run_in_foreground("relay", region, environment("relay"), process.run)


@app.command("new-epoch")
def new_epoch(region: RegionOption) -> None:
    """Number anew after the region's database was restored; the relay must be stopped, the ingest must be done."""
    from pipelines.relay.new_epoch import begin
    from regions.region import load_region

    found = load_region(region)
    begun = begin(found, environment("relay"), environment("lake"))
    typer.echo(
        f"epoch {begun.epoch} of region {found.code} begins: {begun.already_sent} committed events are in the lake and "
        f"are not sent again, {begun.only_in_lake} events in the lake are unknown to this database"
    )
    if begun.is_other_cluster:
        typer.echo("transaction ids were told anew: the rows came from another PostgreSQL cluster")
