"""`meridian listen`: test events on a developer's machine, signed like any other. Nothing comes in: it fetches."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence

import httpx

from pipelines.webhooks.merchant import MerchantApi, RefusedError
from regions.webhook_signing import Signer, make_secret

POLL_SECONDS = 1.0
FORWARD_SECONDS = 20.0
SECRET_BYTES = 32


def listen(
    api: MerchantApi, url: str, event_types: Sequence[str], stop: threading.Event, say: Callable[[str], None]
) -> None:
    """Forward events to `url` until `stop` is set. Raises RefusedError if the API does not let us listen."""
    listener = api.post("/v1/webhook_listeners", {"event_types": list(event_types)})
    secret = make_secret(secrets.token_bytes(SECRET_BYTES))
    signer = Signer.of([secret])
    say(f"Forwarding {', '.join(event_types)} to {url}. The secret, for as long as this runs: {secret}")
    try:
        with httpx.Client(timeout=FORWARD_SECONDS, follow_redirects=False) as client:
            while not stop.is_set():
                try:
                    handed = api.post(f"/v1/webhook_listeners/{listener['id']}/poll")["data"]
                except (RefusedError, httpx.TransportError) as error:
                    say(f"{error}; trying again")
                    handed = []
                for one in handed:
                    say(_forward(client, url, signer, one["event_id"], one["body"]))
                if not handed:
                    stop.wait(POLL_SECONDS)
    finally:
        api.delete(f"/v1/webhook_listeners/{listener['id']}")


def _forward(client: httpx.Client, url: str, signer: Signer, event_id: str, text: str) -> str:
    body, started = text.encode(), time.perf_counter()
    headers = signer.headers(event_id, int(time.time()), body) | {"content-type": "application/json"}
    event = httpx.Response(200, content=body).json()
    told = f"{event['type']} {event['object_id']} #{event['sequence']}"
    try:
        answer = client.post(url, content=body, headers=headers)
    except httpx.TransportError as error:
        return f"{told} → {type(error).__name__}"
    return f"{told} → {answer.status_code} in {(time.perf_counter() - started) * 1000:.0f} ms"
