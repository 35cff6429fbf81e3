"""`meridian topics …`."""

from typing import Annotated

import typer

from pipelines.bootstrap import environment

app = typer.Typer(help="Kafka topics.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """Kafka topics."""


@app.command()
def create(region: RegionOption) -> None:
    """Create the region's missing topics; running it again changes nothing."""
    from pipelines.broker import ensure_topics
    from regions.region import load_region

    found = load_region(region)
    created = ensure_topics(found, found.kafka_bootstrap_servers(environment("relay")))
    for name in created:
        typer.echo(f"created {name}")
    if not created:
        typer.echo("all topics exist")
