"""`meridian webhook …`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pipelines.bootstrap import environment

app = typer.Typer(help="Webhooks to merchants.", no_args_is_help=True)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]


@app.callback()
def group() -> None:
    """Webhooks to merchants."""


@app.command()
def run(region: RegionOption) -> None:
    """Route the region's events to merchants' endpoints and send them, until stopped."""
    from pipelines import foreground
    from pipelines.webhooks import process

    foreground.run_in_foreground("webhooks", region, environment("dispatcher"), process.run)


@app.command()
def explain(
    headers: Annotated[Path, typer.Option(help="A file with the headers as they came, `name: value`, one a line.")],
    body: Annotated[Path, typer.Option(help="A file with the body as it came, to the byte.")],
    secret: Annotated[str, typer.Option(envvar="WEBHOOK_SECRET", help="The endpoint's secret, whsec_….")],
    public_key: Annotated[str, typer.Option(help="The endpoint's public key, whpk_…, if known.")] = "",
    at: Annotated[int, typer.Option(help="When it came, in seconds since 1970; now unless given.")] = 0,
) -> None:
    """Say which check fails: headers, encoding, clock, altered body, wrong secret. Exit code 1 if one does."""
    from pipelines.webhooks.explain import Verdict
    from pipelines.webhooks.explain import explain as judge

    found = judge(secret, _headers(headers), _read(body), at or int(time.time()), public_key or None)
    for is_good, sentence in found.findings:
        typer.echo(f"{'ok  ' if is_good else 'FAIL'}  {sentence}")
    if found.verdict is Verdict.GENUINE:
        typer.echo("The message is genuine.")
    else:
        typer.echo(f"It fails by: {found.verdict}.")
        sys.exit(1)


def _headers(path: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in _read(path).decode("utf-8", "replace").splitlines())
    return {name: value for name, mark, value in lines if mark}


def _read(path: Path) -> bytes:
    from regions.errors import UsageError

    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
