"""`meridian region …`: the regions of the catalog, and making a new one ready."""

import os
from typing import Annotated

import typer

from pipelines.stack.commands import UP_TIMEOUT_S, StateOption, require_local_packages, state_folder
from regions.region import load_catalog, load_region

app = typer.Typer(help="Regions of the catalog.", no_args_is_help=True)


@app.command("list")
def list_regions() -> None:
    """List the catalog: one region a line."""
    for code, region in load_catalog().items():
        typer.echo(f"{code}\t{region.name}\t{', '.join(region.currencies)}\t{region.timezone}")


@app.command()
def init(
    code: Annotated[str, typer.Argument(help="The region's code: the name of its file in regions/catalog/.")],
    *,
    state: StateOption = None,
    timeout: Annotated[float, typer.Option(help="Give up after so many seconds.")] = UP_TIMEOUT_S,
) -> None:
    """Make a new region ready: its database with schema and roles, topics, vault and first merchant.

    Parts that DATABASE_URL_<REGION>, KAFKA_BOOTSTRAP_SERVERS_<REGION> … name are used; the others are made in the local
    stack, which `meridian up` then starts with the new region in it. Running it again changes nothing.
    """
    load_region(code)
    require_local_packages()
    from pipelines.stack.plan import Request
    from pipelines.stack.up import init_regions

    init_regions(state_folder(state), Request((code,)), os.environ, timeout_s=timeout)
    typer.echo(f"Region {code} is ready: `meridian up` starts its services.", err=True)
