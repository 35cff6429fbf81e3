"""`meridian listen` and `meridian trigger`: webhooks on a developer's machine."""

import signal
import threading
from typing import Annotated

import orjson
import typer

app = typer.Typer()
StackRegion = Annotated[str, typer.Option("--region", help="A region of the local stack; the first unless given.")]


@app.command()
def listen(
    forward_to: Annotated[str, typer.Option(help="Where events go: http://localhost:3000/webhooks.")],
    events: Annotated[str, typer.Option(help="Types, separated by commas: payment.*,refund.succeeded.")] = "*",
    region: StackRegion = "",
) -> None:
    """Forward a merchant's test events to this machine, signed, until stopped."""
    from pipelines.webhooks.listen import listen as forward
    from pipelines.webhooks.merchant import MerchantApi

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    api = MerchantApi.open(region or None)
    try:
        forward(api, forward_to, [one.strip() for one in events.split(",")], stop, typer.echo)
    finally:
        api.close()


@app.command()
def trigger(
    event_type: Annotated[str, typer.Argument(help="The type of event: payment.succeeded.")],
    endpoint: Annotated[str, typer.Option(help="Only to this endpoint, whe_…; to all that want it unless given.")] = "",
    region: StackRegion = "",
) -> None:
    """Send an example event to a merchant's test endpoints and listeners."""
    from pipelines.webhooks.merchant import MerchantApi

    api = MerchantApi.open(region or None)
    try:
        sent = api.post("/v1/webhook_triggers", {"type": event_type} | ({"endpoint_id": endpoint} if endpoint else {}))
    finally:
        api.close()
    typer.echo(orjson.dumps(sent).decode())
