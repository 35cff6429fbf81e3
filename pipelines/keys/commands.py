"""`meridian keys …`: a merchant's API keys from a terminal, by the merchant's own API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import orjson
import typer

from pipelines.webhooks.merchant import MerchantApi

app = typer.Typer(no_args_is_help=True, help="A merchant's API keys: make, list, roll, revoke.")
StackRegion = Annotated[str, typer.Option("--region", help="A region of the local stack; the first unless given.")]
KeyId = Annotated[str, typer.Argument(help="The key's id: key_eu_….")]
PAGE = 100
DAY_SECONDS = 86_400


@app.command()
def create(
    kind: Annotated[str, typer.Option(help="secret, restricted or publishable.")] = "restricted",
    name: Annotated[str, typer.Option(help="Your name for it.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="Of a restricted key: links:write, …; repeatable.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="Where it may be used: a CIDR; repeatable.")] = None,
    expires_at: Annotated[str, typer.Option(help="When it ends: 2030-01-31T12:00:00Z.")] = "",
    region: StackRegion = "",
) -> None:
    """Make a key, in the mode of the key that asks, and show it this once."""
    wanted: dict[str, Any] = {"kind": kind, "name": name, "allowed_networks": network or []}
    if scope:
        wanted["scopes"] = scope
    if expires_at:
        wanted["expires_at"] = expires_at
    with _merchant(region) as api:
        _show(api.post("/v1/keys", wanted))


@app.command(name="list")
def list_(region: StackRegion = "") -> None:
    """Every key of this mode, newest first, a line of JSON each: what it may do, its state, its last use; no secret."""
    with _merchant(region) as api:
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = api.get("/v1/keys", query)
            for key in page["data"]:
                _show(key)
            if not page["has_more"]:
                return
            query["starting_after"] = page["data"][-1]["id"]


@app.command()
def roll(
    key_id: KeyId,
    overlap_seconds: Annotated[
        int, typer.Option(help="How long the old one still works; 30 days at most.")
    ] = DAY_SECONDS,
    region: StackRegion = "",
) -> None:
    """Make a key that may do the same, show it this once, and let the old one end after the overlap."""
    with _merchant(region) as api:
        _show(api.post(f"/v1/keys/{key_id}/roll", {"overlap_seconds": overlap_seconds}))


@app.command()
def revoke(key_id: KeyId, region: StackRegion = "") -> None:
    """End a key at once."""
    with _merchant(region) as api:
        _show(api.post(f"/v1/keys/{key_id}/revoke"))


@contextmanager
def _merchant(region: str) -> Iterator[MerchantApi]:
    api = MerchantApi.open(region or None)
    try:
        yield api
    finally:
        api.close()


def _show(value: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(value).decode())
