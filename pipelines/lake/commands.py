"""`meridian lake …`."""

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.bootstrap import environment
from regions.errors import UsageError

if TYPE_CHECKING:
    from pipelines.lake.status import LakeStatus

app = typer.Typer(help="The region's lake.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """The region's lake."""


@app.command()
def wait(
    region: RegionOption,
    day: Annotated[str, typer.Option("--date", help="Business date in the region's time zone, YYYY-MM-DD.")],
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.", min=0)] = 120.0,
) -> None:
    """Wait until the lake holds every event committed up to the date's end (up to now, while the date lasts)."""
    from pipelines.lake.wait import wait_for_lake
    from pipelines.leadership import connect
    from regions.region import load_region
    from warehouse.lake import Lake

    found = load_region(region)
    env = environment("reader")
    _, end = found.day_bounds(_date(day))
    with connect(found, found.database_url(env), "meridian lake wait") as connection:
        lake = Lake.open(found, env)
        reached = wait_for_lake(connection, lake, min(end, datetime.now(UTC)), timeout)
        lake.close()
    held = f"commit {reached.lake_seq}, snapshot {reached.snapshot_id}"
    typer.echo(f"the lake of {found.code} holds everything up to {day}: {held}")


@app.command()
def status(
    region: RegionOption,
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what the lake holds, and how far relay and ingest are."""
    from pipelines.lake.status import read_status
    from regions.region import load_region

    found = load_region(region)
    shown = read_status(found, environment("reader"))
    typer.echo(json.dumps(shown, indent=2) if is_json else _table(shown))


def _table(shown: "LakeStatus") -> str:
    lines = [f"{name.replace('_', ' '):<22} {value}" for name, value in shown.items() if name != "positions"]
    return "\n".join(lines)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--date {text!r} is no date: write YYYY-MM-DD") from error
