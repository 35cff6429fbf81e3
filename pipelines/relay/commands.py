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
