"""`meridian audit …`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.bootstrap import environment
from regions.errors import MeridianError

app = typer.Typer(help="The audit log of a region.", no_args_is_help=True)


class AuditLogBrokenError(MeridianError):
    """The log is not what was sealed."""

    exit_code = 3


@app.callback()
def group() -> None:
    """The audit log of a region."""


@app.command()
def verify(
    region: Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")],
    *,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A checkpoint that you have kept; else the one beside the region's keys."),
    ] = None,
) -> None:
    """Hold every entry against the chain of seals; exit code 3 if one was edited, deleted, reordered or cut off."""
    import psycopg

    from pipelines.audit import service
    from regions.audit import load_checkpoint
    from regions.region import load_region
    from regions.vault import open_vault

    found = load_region(region)
    vault_uri = found.vault_uri(environment("worker"))
    known = load_checkpoint(checkpoint or vault_uri)
    with psycopg.connect(found.database_url(environment("reader")), connect_timeout=5) as connection:
        verdict = service.verify(connection, found.code, open_vault(vault_uri).public_key(), known)
    for finding in verdict.findings:
        typer.echo(f"{finding.kind}: {finding.sentence}")
    if verdict.findings:
        raise AuditLogBrokenError(f"The audit log of region {found.code} is not what was sealed.")
    typer.echo(
        f"region {found.code}: {verdict.sealed} entries under {verdict.seals} seals are as they were sealed; "
        f"{verdict.entries - verdict.sealed} wait for the next seal"
    )
