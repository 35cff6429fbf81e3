from flask import Blueprint, request

from regions.ids import new_id
from web.clock import utc_now
from web.gateways import repository
from web.gateways.errors import WebhookRejectedError
from web.http.problems import NotFoundError, Problem
from web.wiring import wired

blueprint = Blueprint("gateways", __name__, url_prefix="/gateways")


class WebhookRefusedProblem(Problem):
    """A webhook that does not prove where it comes from."""

    status = 401
    code = "webhook_rejected"
    title = "The webhook cannot be accepted"


@blueprint.post("/<name>/webhooks")
def receive(name: str) -> tuple[str, int]:
    """Keep a gateway's webhook, encrypted, and answer at once: the worker processes it. A repeat changes nothing."""
    wiring, now, body = wired(), utc_now(), request.get_data()
    gateway = wiring.gateways.get(name)
    if gateway is None:
        raise NotFoundError("There is no such gateway.")
    try:
        event_id = gateway.verify_webhook(dict(request.headers), body, now)
    except WebhookRejectedError as error:
        raise WebhookRefusedProblem(str(error)) from error
    sealed = wiring.vault.encrypt_region(body, purpose="gateway_webhook")
    with wiring.database.transaction() as connection:
        repository.keep(connection, new_id("webhook", wiring.region.code), name, event_id, sealed, now)
    return "", 200
