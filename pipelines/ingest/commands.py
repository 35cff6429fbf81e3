"""`meridian ingest …`."""

from typing import Annotated

import typer

from pipelines.bootstrap import environment

app = typer.Typer(help="Kafka to lake.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """Kafka to lake."""


@app.command()
def run(region: RegionOption) -> None:
    """Take events from the region's Kafka into its lake, each once, until stopped."""
    from pipelines import foreground
    from pipelines.ingest import process

    foreground.run_in_foreground("ingest", region, environment("lake"), process.run)
