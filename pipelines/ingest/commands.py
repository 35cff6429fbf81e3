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


@app.command()
def replay(
    region: RegionOption,
    source: Annotated[str, typer.Option(help="kafka (from the start) or outbox (the relay sends again).")] = "kafka",
    after: Annotated[str, typer.Option(help="With outbox: the position (epoch:batch:ordinal) to go on after.")] = "",
) -> None:
    """Take a range of the stream again; what the lake has is dropped by its position."""
    from pipelines.ingest.replay import Source
    from pipelines.ingest.replay import replay as ask
    from regions.errors import UsageError
    from regions.region import load_region

    if source not in set(Source):
        raise UsageError(f"--source {source!r}: write kafka or outbox")
    typer.echo(ask(load_region(region), environment("lake"), Source(source), after))
