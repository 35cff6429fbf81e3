"""`meridian sandbox …`: drive the local stack's simulated PSP by hand."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pipelines.builds.commands import DateOption, RegionOption, parse_date
from pipelines.sandbox import words
from pipelines.stack.commands import StateOption, state_folder
from pipelines.stack.errors import StackUsageError
from regions.environment import account_secret
from regions.region import load_region

if TYPE_CHECKING:
    from pipelines.sandbox.control import Control

app = typer.Typer(help="The simulated PSP of the local stack, driven by hand.", no_args_is_help=True)
PaymentArgument = Annotated[str, typer.Argument(help="Our payment (pay_…) or attempt (att_…), or the PSP's 16 digits.")]
AmountOption = Annotated[int | None, typer.Option("--amount-minor", min=1, help="Minor units; all of it if not given.")]
GatewayOption = Annotated[str, typer.Option("--gateway", help="Which account, by the region's name for it.")]
WhereOption = Annotated[str | None, typer.Option("--gateway", help="Which account, for 16 digits; the first if not.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the PSP's own document.")]
GATEWAY = "sandbox"
ALL = "all"


@app.command()
def dispute(
    region: RegionOption,
    payment: PaymentArgument,
    reason: Annotated[str, typer.Option(help="fraudulent, product_not_received, duplicate, …")] = "fraudulent",
    amount_minor: AmountOption = None,
    respond_within: Annotated[float | None, typer.Option(min=0, help="Seconds until it is lost unanswered.")] = None,
    gateway: WhereOption = None,
    state: StateOption = None,
    *,
    is_json: JsonOption = False,
) -> None:
    """Let a payer dispute a payment; the webhook goes out, and the money is back with the payer for now."""
    at, payment_id = _payment(region, state, payment, gateway)
    wishes = {"reason": reason, "amount_minor": amount_minor, "respond_within_seconds": respond_within}
    opened = at.control.dispute(at.account, payment_id, **wishes)
    _show(opened, words.of_dispute(opened, region, at.gateway), is_json=is_json)


@app.command()
def decide(
    region: RegionOption,
    dispute_id: Annotated[str, typer.Argument(metavar="DISPUTE", help="The PSP's dispute (16 digits).")],
    outcome: Annotated[str, typer.Argument(help="won or lost")],
    state: StateOption = None,
    *,
    is_json: JsonOption = False,
) -> None:
    """Let the bank decide a dispute, at whichever account it is."""
    if outcome not in {"won", "lost"}:
        raise StackUsageError(f"A dispute is won or lost, not {outcome!r}.")
    decided = _decide(region, state, dispute_id, outcome)
    _show(decided, words.of_verdict(decided), is_json=is_json)


@app.command()
def outage(
    region: RegionOption,
    seconds: Annotated[int, typer.Option(min=0, max=86_400, help="How long; 0 ends it.")] = 30,
    gateway: GatewayOption = GATEWAY,
    state: StateOption = None,
    *,
    is_json: JsonOption = False,
) -> None:
    """Take the PSP down for a region's account, or for `all` of them: it answers 503 until the time is over."""
    for name in _names(region) if gateway == ALL else [gateway]:
        at = _open(region, state, name)
        dials = at.control.turn_faults(at.account, down_seconds=seconds)
        _show(dials, words.of_outage(dials, name, seconds), is_json=is_json)


@app.command()
def faults(
    region: RegionOption,
    dial: Annotated[list[str] | None, typer.Option("--set", help="A dial, such as latency_ms=200; repeatable.")] = None,
    gateway: GatewayOption = GATEWAY,
    state: StateOption = None,
    *,
    is_json: JsonOption = False,
) -> None:
    """Turn the PSP's dials for a region's account, and show all of them."""
    at = _open(region, state, gateway)
    dials = at.control.turn_faults(at.account, **dict(_dial(text) for text in dial or []))
    _show(dials, words.of_faults(dials, at.gateway), is_json=is_json)


@app.command()
def transfer(
    region: RegionOption,
    payment: PaymentArgument,
    amount_minor: AmountOption = None,
    gateway: WhereOption = None,
    state: StateOption = None,
    *,
    is_json: JsonOption = False,
) -> None:
    """Let a payer push money to a payment by bank transfer: the whole amount, less or more, once or twice."""
    at, payment_id = _payment(region, state, payment, gateway)
    sent = at.control.transfer(at.account, payment_id, amount_minor)
    _show(sent, words.of_transfer(sent, amount_minor), is_json=is_json)


@app.command()
def settle(
    region: RegionOption,
    day: DateOption,
    plant: Annotated[list[str] | None, typer.Option(help="An error to plant in the report; repeatable.")] = None,
    gateway: GatewayOption = GATEWAY,
    state: StateOption = None,
    *,
    is_json: JsonOption = False,
) -> None:
    """Close the PSP's batch of a business day, with errors planted if wanted; prints the answer key."""
    at = _open(region, state, gateway)
    batch = at.control.settle(at.account, parse_date(day), plant or [])
    _show(batch, words.of_batch(batch, region, gateway), is_json=is_json)


@app.command()
def books(
    region: RegionOption, gateway: GatewayOption = GATEWAY, state: StateOption = None, *, is_json: JsonOption = False
) -> None:
    """What the PSP really did: the judge of "charged exactly once"."""
    at = _open(region, state, gateway)
    shown = at.control.get("/_control/books", account=at.account)
    _show(shown, words.of_books(shown, gateway), is_json=is_json)


class _At(NamedTuple):
    """One of a region's accounts at the simulated PSP."""

    control: "Control"
    gateway: str
    account: str
    api_key: str
    database_url: str


def _names(region: str) -> list[str]:
    return [one.name for one in load_region(region).gateways if one.adapter == GATEWAY]


def _open(region: str, state: StateOption, gateway: str = GATEWAY) -> _At:
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
    mine = stack["regions"][region]
    api_key = account_secret(mine["sandbox_api_key"], gateway)
    return _At(Control.of(stack["sandbox"]), gateway, accounts[gateway], api_key, mine["role_urls"]["reader"])


def _payment(region: str, state: StateOption, named: str, gateway: str | None) -> tuple[_At, str]:
    """Where a payment is, and what it is called there."""
    from pipelines.sandbox.attempts import attempt_of

    if not named.startswith(("att_", "pay_")):
        return _open(region, state, gateway or GATEWAY), named
    attempt = attempt_of(_open(region, state).database_url, named)
    at = _open(region, state, attempt.gateway)
    return at, at.control.payment_of(attempt.id, at.api_key)


def _decide(region: str, state: StateOption, dispute_id: str, outcome: str) -> dict[str, Any]:
    from pipelines.sandbox.control import NoSuchObjectError

    for name in _names(region):
        at = _open(region, state, name)
        try:
            return at.control.decide(at.account, dispute_id, outcome)
        except NoSuchObjectError:
            continue
    raise StackUsageError(f"The simulated PSP has no dispute {dispute_id} in region {region}.")


def _dial(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not name or not value.isdigit():
        raise StackUsageError(f"{text!r} is no dial: write it as latency_ms=200.")
    known = [one for one, _ in words.DIALS]
    if name not in known:
        raise StackUsageError(f"{name} is no dial: there are {', '.join(known)}.")
    return name, int(value)


def _show(document: dict[str, Any], lines: Iterable[str], *, is_json: bool) -> None:
    typer.echo(json.dumps(document, indent=2) if is_json else "\n".join(lines))
