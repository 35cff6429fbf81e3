"""`meridian lake …`."""

import json
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import parse_date
from pipelines.lake import quarantine_commands

if TYPE_CHECKING:
    from pipelines.lake.status import LakeStatus
    from warehouse.lake_maintain import Maintained

app = typer.Typer(help="The region's lake.", no_args_is_help=True)
app.add_typer(quarantine_commands.app, name="quarantine")
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
    _, end = found.day_bounds(parse_date(day))
    with connect(found, found.database_url(env), "meridian lake wait") as connection:
        lake = Lake.open(found, env)
        reached = wait_for_lake(connection, lake, min(end, datetime.now(UTC)), timeout)
        lake.close()
    held = f"commit {reached.lake_seq}, snapshot {reached.snapshot_id}"
    typer.echo(f"the lake of {found.code} holds everything up to {day}: {held}")


@app.command()
def check(
    region: RegionOption,
    within: Annotated[float, typer.Option(help="Seconds that the lake may lag behind the database.", min=0)] = 60.0,
) -> None:
    """Alarm: exit with 1 unless everything that is committed by now reaches the lake within so many seconds."""
    from pipelines.lake.status import read_status
    from pipelines.lake.wait import wait_for_lake
    from pipelines.leadership import connect
    from regions.region import load_region
    from warehouse.lake import Lake

    found, env, began = load_region(region), environment("reader"), monotonic()
    lake = Lake.open(found, env)
    try:
        with connect(found, found.database_url(env), "meridian lake check") as connection:
            wait_for_lake(connection, lake, datetime.now(UTC), within)
    finally:
        lake.close()
    lag_seconds, shown = monotonic() - began, read_status(found, env)
    held = f"{shown['events']:,} events, {shown['quarantined']:,} in quarantine"
    typer.echo(f"the lake of {region} is {lag_seconds:.1f} s behind the database: {held}")


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


@app.command()
def maintain(
    region: RegionOption,
    day: Annotated[
        str, typer.Option("--date", help="Compact days up to this one, UTC, YYYY-MM-DD; every day unless told.")
    ] = "",
    keep_hours: Annotated[float, typer.Option(help="Keep replaced files and old snapshots so long.", min=0)] = 24.0,
    settle_hours: Annotated[float, typer.Option(help="Leave files alone that are younger.", min=0)] = 1.0,
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compact the lake's files, expire old snapshots, and unlink what nothing refers to any more."""
    from pipelines.lake.maintain import run
    from regions.region import load_region
    from warehouse.lake_maintain import Policy

    until = parse_date(day) if day else None
    policy = Policy(until, timedelta(hours=keep_hours), timedelta(hours=settle_hours))
    shown = None if is_json else lambda one: typer.echo(_maintained(one))
    done = run(load_region(region), environment("lake"), policy, datetime.now(UTC), shown)
    if is_json:
        typer.echo(json.dumps([one.to_json() for one in done], indent=2))


def _maintained(one: "Maintained") -> str:
    made = f"{one.compacted.files_before} files became {one.compacted.files_after} ({one.compacted.rows} rows)"
    beaten = ", some were replaced by others first" if one.compacted.is_beaten else ""
    return (
        f"{one.table}: {made}{beaten}, {one.snapshots_expired} snapshots expired, {one.files_unlinked} files unlinked"
    )


def _table(shown: "LakeStatus") -> str:
    lines = [
        f"{name.replace('_', ' '):<22} {value}" for name, value in shown.items() if name not in {"positions", "tables"}
    ]
    lines += [f"{'table':<22} {'rows':>12} {'files':>8} {'MB':>10} {'snapshots':>10}"]
    for table in shown["tables"]:
        size = f"{table['bytes'] / 1e6:.1f}"
        lines.append(f"{table['name']:<22} {table['rows']:>12} {table['files']:>8} {size:>10} {table['snapshots']:>10}")
    lines += [f"{name:<22} {position}" for name, position in sorted(shown["positions"].items())]
    return "\n".join(lines)
