"""`meridian webhook …`."""

from typing import Annotated

import typer

from pipelines.bootstrap import environment

app = typer.Typer(help="Webhooks to merchants.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """Webhooks to merchants."""


@app.command()
def run(region: RegionOption) -> None:
    """Route the region's events to merchants' endpoints and send them, until stopped."""
    from pipelines import foreground
    from pipelines.webhooks import process

    foreground.run_in_foreground("webhooks", region, environment("dispatcher"), process.run)
