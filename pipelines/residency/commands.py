"""`meridian residency …`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from regions.errors import MeridianError

app = typer.Typer(help="What may leave a region, and the proof.", no_args_is_help=True)


class ResidencyRefusedError(MeridianError):
    """Data that is bound to a region would leave it, or nobody has said whether it is."""


@app.callback()
def group() -> None:
    """What may leave a region, and the proof."""


@app.command()
def check(
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="A compiled dbt manifest; else the project is compiled.")
    ] = None,
) -> None:
    """Prove by column lineage that the global warehouse is made of exportable data or of large enough aggregates."""
    from pipelines.residency.check import check as check_project
    from pipelines.residency.check import minimum_group_size
    from pipelines.residency.manifest import read_manifest
    from regions.data_map import data_map
    from warehouse.dbt_runner import manifest_path

    with tempfile.TemporaryDirectory(prefix="meridian-residency-") as folder:
        project = read_manifest(manifest or manifest_path(Path(folder)))
    report = check_project(project, data_map(), minimum_group_size())
    if report.problems:
        for problem in report.problems:
            typer.echo(problem, err=True)
        raise ResidencyRefusedError(f"{len(report.problems)} problems: nothing may leave its region like this")
    typer.echo(f"{report.columns} columns of {report.relations} relations declare their class")
    typer.echo(
        f"{report.proven} columns of {report.global_models} global models are exportable through their whole lineage, "
        f"or aggregates over at least {minimum_group_size()} rows"
    )
