"""`meridian lake quarantine …`."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from pipelines.bootstrap import environment

app = typer.Typer(help="Records that could not be accepted as events.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """Records that could not be accepted as events."""


@app.command("list")
def list_(
    region: RegionOption,
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List what was set aside, with its place and its reason; never its content."""
    from pipelines.lake.quarantine import list_set_aside
    from regions.region import load_region

    found = list_set_aside(load_region(region), environment("reader"))
    if is_json:
        typer.echo(json.dumps([one.to_json() for one in found], indent=2))
        return
    for one in found:
        place = f"{one.topic}/{one.partition}@{one.offset}"
        typer.echo(f"{one.quarantined_at:%Y-%m-%dT%H:%M:%SZ}  {place:<28} {one.position or '-':<14} {one.reason}")
    typer.echo(f"{len(found)} records are set aside")


@app.command()
def replay(region: RegionOption) -> None:
    """Judge every record that was set aside again, and let into the lake what is an event now."""
    from pipelines.lake.quarantine import replay as judge_again
    from regions.region import load_region

    done = judge_again(load_region(region), environment("lake"), datetime.now(UTC))
    typer.echo(f"{done.accepted} events came into the lake, {done.removed} records left quarantine")
    for reason in sorted(set(done.staying)):
        typer.echo(f"{done.staying.count(reason)} stay: {reason}")
