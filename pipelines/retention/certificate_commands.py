"""`meridian certificate …`."""

import base64
import binascii
import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.bootstrap import environment
from regions.errors import UsageError

app = typer.Typer(help="Certificates of erasure.", no_args_is_help=True)
_KEY_BYTES = 32


@app.callback()
def group() -> None:
    """Certificates of erasure."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The certificate.")],
    *,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The region's public key, a file; else the region is asked."),
    ] = None,
) -> None:
    """Check a certificate against the region's published key; exit code 3 for an altered one."""
    from pipelines.retention.certificate import CertificateRefusedError, check

    try:
        signed = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CertificateRefusedError(f"{file} is not JSON") from error
    content = check(signed, _public_key(signed, key))
    typer.echo(
        f"{file} is what region {content['region']} signed on {content['issued_at']}: "
        f"{len(content['erased'])} erasures of the plan {content['plan'][:12]}, approved by {content['approved_by']}"
    )


@app.command("key")
def show_key(region: Annotated[str, typer.Option("--region", help="The region's code.")]) -> None:
    """Print the region's published public key, base64."""
    from pipelines.retention.request import fetch_public_key
    from regions.region import load_region

    typer.echo(fetch_public_key(load_region(region), environment("reader")))


def _public_key(signed: object, file: Path | None) -> bytes:
    from pipelines.retention.certificate import CertificateRefusedError
    from pipelines.retention.request import fetch_public_key
    from regions.region import load_region, region_codes

    if file is None:
        content = signed.get("certificate") if isinstance(signed, dict) else None
        code = content.get("region") if isinstance(content, dict) else None
        if code not in region_codes():
            raise CertificateRefusedError("The file does not name a region that issues certificates")
        text = fetch_public_key(load_region(str(code)), environment("reader"))
    else:
        try:
            text = file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read as a public key") from error
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise UsageError("The public key must be 32 bytes in base64")
    return key
