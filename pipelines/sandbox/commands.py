"""`meridian sandbox …`: drive the local stack's simulated PSP by hand."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.builds.commands import DateOption, RegionOption, parse_date
from pipelines.stack.commands import StateOption, state_folder
from pipelines.stack.errors import StackUsageError
from regions.environment import account_secret
from regions.region import load_region

if TYPE_CHECKING:
    from pipelines.sandbox.control import Control

app = typer.Typer(help="The simulated PSP of the local stack, driven by hand.", no_args_is_help=True)
PaymentArgument = Annotated[str, typer.Argument(help="The PSP's payment (16 digits), or our attempt (att_…).")]
AmountOption = Annotated[int | None, typer.Option("--amount-minor", min=1, help="Minor units; all of it if not given.")]
GatewayOption = Annotated[str, typer.Option("--gateway", help="Which account, by the region's name for it.")]
GATEWAY = "sandbox"
ALL = "all"


@app.command()
def dispute(
    region: RegionOption,
    payment: PaymentArgument,
    reason: Annotated[str, typer.Option(help="fraudulent, product_not_received, duplicate, …")] = "fraudulent",
    amount_minor: AmountOption = None,
    respond_within: Annotated[float | None, typer.Option(min=0, help="Seconds until it is lost unanswered.")] = None,
    state: StateOption = None,
) -> None:
    """Let a payer dispute a payment; the webhook goes out, and the money is back with the payer for now."""
    control, account, api_key = _open(region, state)
    opened = control.dispute(
        account,
        control.payment_of(payment, api_key),
        reason=reason,
        amount_minor=amount_minor,
        respond_within_seconds=respond_within,
    )
    _show(opened)


@app.command()
def decide(
    region: RegionOption,
    dispute_id: Annotated[str, typer.Argument(metavar="DISPUTE", help="The PSP's dispute (16 digits).")],
    outcome: Annotated[str, typer.Argument(help="won or lost")],
    state: StateOption = None,
) -> None:
    """Let the bank decide a dispute."""
    if outcome not in {"won", "lost"}:
        raise StackUsageError(f"A dispute is won or lost, not {outcome!r}.")
    control, account, _ = _open(region, state)
    _show(control.decide(account, dispute_id, outcome))


@app.command()
def outage(
    region: RegionOption,
    seconds: Annotated[int, typer.Option(min=0, max=86_400, help="How long; 0 ends it.")] = 30,
    gateway: GatewayOption = GATEWAY,
    state: StateOption = None,
) -> None:
    """Take the PSP down for a region's account, or for `all` of them: it answers 503 until the time is over."""
    names = (
        [one.name for one in load_region(region).gateways if one.adapter == GATEWAY] if gateway == ALL else [gateway]
    )
    for name in names:
        control, account, _ = _open(region, state, name)
        _show(control.turn_faults(account, down_seconds=seconds))


@app.command()
def faults(
    region: RegionOption,
    dial: Annotated[list[str] | None, typer.Option("--set", help="A dial, such as latency_ms=200; repeatable.")] = None,
    state: StateOption = None,
) -> None:
    """Turn the PSP's dials for a region, and show all of them."""
    control, account, _ = _open(region, state)
    _show(control.turn_faults(account, **dict(_dial(text) for text in dial or [])))


@app.command()
def transfer(
    region: RegionOption, payment: PaymentArgument, amount_minor: AmountOption = None, state: StateOption = None
) -> None:
    """Let a payer push money to a payment by bank transfer: the whole amount, less or more, once or twice."""
    control, account, api_key = _open(region, state)
    _show(control.transfer(account, control.payment_of(payment, api_key), amount_minor))


@app.command()
def settle(
    region: RegionOption,
    day: DateOption,
    plant: Annotated[list[str] | None, typer.Option(help="An error to plant in the report; repeatable.")] = None,
    gateway: GatewayOption = GATEWAY,
    state: StateOption = None,
) -> None:
    """Close the PSP's batch of a business day, with errors planted if wanted; prints the answer key."""
    control, account, _ = _open(region, state, gateway)
    _show(control.settle(account, parse_date(day), plant or []))


@app.command()
def books(region: RegionOption, gateway: GatewayOption = GATEWAY, state: StateOption = None) -> None:
    """What the PSP really did: the judge of "charged exactly once"."""
    control, account, _ = _open(region, state, gateway)
    _show(control.get("/_control/books", account=account))


def _open(region: str, state: StateOption, gateway: str = GATEWAY) -> "tuple[Control, str, str]":
    from pipelines.sandbox.control import Control

    found = load_region(region)
    stack = state_folder(state).read_stack()
    if stack is None or region not in stack["regions"]:
        raise StackUsageError(f"The region {region} is not part of a local stack that runs: start it with meridian up.")
    accounts = {one.name: one.account for one in found.gateways if one.adapter == GATEWAY}
    if gateway not in accounts:
        raise StackUsageError(
            f"The region {region} has no account {gateway!r} at the simulated PSP: it has {', '.join(accounts)}."
        )
    api_key = account_secret(stack["regions"][region]["sandbox_api_key"], gateway)
    return Control.of(stack["sandbox"]), accounts[gateway], api_key


def _dial(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not name or not value.isdigit():
        raise StackUsageError(f"{text!r} is no dial: write it as latency_ms=200.")
    return name, int(value)


def _show(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2))
