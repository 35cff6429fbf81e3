"""`meridian airflow …`."""

import json
import os
import sys
from typing import Annotated

import typer

from pipelines.stack.commands import StateOption, state_folder

app = typer.Typer(help="Airflow, which starts the jobs.", no_args_is_help=True)


@app.command()
def pools() -> None:
    """Print the pools of the regions that Airflow serves, as `airflow pools import` reads them."""
    from pipelines.orchestration.pools import pools as pools_of
    from pipelines.orchestration.pools import served

    typer.echo(json.dumps(pools_of(served()), indent=2))


@app.command(context_settings={"ignore_unknown_options": True})
def cli(
    arguments: Annotated[list[str], typer.Argument(help="What to give to Airflow's own command line.")],
    state: StateOption = None,
) -> None:
    """Run Airflow's own command line in the Airflow of the local stack."""
    from pipelines.stack.airflow import cli_environment

    environment = cli_environment(state_folder(state))
    command = [sys.executable, "-m", "airflow", *arguments]
    os.execve(sys.executable, command, {**os.environ, **environment})  # noqa: S606 - no shell is wanted


@app.command()
def trigger(
    name: Annotated[str, typer.Argument(help="The DAG, such as region_day_eu.")],
    day: Annotated[str, typer.Option("--date", help="The business date, YYYY-MM-DD.")],
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take new inputs for a date that was built before.")
    ] = False,
    state: StateOption = None,
) -> None:
    """Start a DAG of the local stack's Airflow for a business date; what depends on its assets follows by itself."""
    from pipelines.builds.commands import parse_date
    from pipelines.orchestration.client import AirflowClient

    run = AirflowClient.of(state_folder(state)).trigger(name, parse_date(day), refresh=refresh)
    typer.echo(f"{name} runs for {day}: {run}")
