import logging
from uuid import UUID

import uuid_utils
from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from regions.ids import new_id
from web.console import session
from web.console.accounts import domain
from web.console.mode import chosen_livemode
from web.console.reading import region_rows
from web.console.session import signed_in
from web.console.view import page
from web.console.webhooks import repository
from web.console.wiring import wired

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")
log = logging.getLogger(__name__)

SEND_TEST = "webhook-test"
BAD_REQUEST, CONFLICT, NOT_FOUND = 400, 409, 404


@blueprint.get("")
def endpoints() -> Response:
    """Endpoints, how they do, and what became of the last day's deliveries."""
    with region_rows(signed_in()) as connection:
        livemode = chosen_livemode(connection)
        rows = repository.endpoints(connection, livemode=livemode)
    return page("webhooks", livemode=livemode, rows=rows)


@blueprint.get("/<endpoint_id>")
def endpoint(endpoint_id: str) -> Response:
    """One endpoint: its secrets (when, never what), its deliveries, the test button."""
    with region_rows(signed_in()) as connection:
        found = repository.endpoint(connection, endpoint_id)
        if found is None:
            abort(NOT_FOUND)
        secrets = repository.secrets(connection, endpoint_id)
        rows = repository.deliveries(connection, endpoint_id)
    csrf = domain.csrf_token(request.cookies.get(session.session_cookie(), ""), SEND_TEST)
    return page(
        "webhook", endpoint=found, secrets=secrets, rows=rows, csrf=csrf, is_sent=request.args.get("sent") == "1"
    )


@blueprint.post("/<endpoint_id>/test")
def send_test(endpoint_id: str) -> AnyResponse:
    """Send `webhook.test` to an endpoint."""
    account = signed_in()
    if not session.is_own_form(session.session_cookie(), SEND_TEST):
        abort(BAD_REQUEST, "This form is too old. Please try again.")
    event_id, delivery_id = UUID(int=uuid_utils.uuid7().int), new_id("delivery", wired().region.code)
    with region_rows(account, writes=True) as connection:
        if repository.endpoint(connection, endpoint_id) is None:
            abort(NOT_FOUND)
        if not repository.send_test(connection, endpoint_id, event_id, delivery_id):
            abort(CONFLICT, "This endpoint is disabled: enable it first.")
    log.info("console test event", extra={"user_id": account.id, "endpoint": endpoint_id, "delivery": delivery_id})
    return redirect(url_for("webhooks.endpoint", endpoint_id=endpoint_id, sent="1"), 303)


@blueprint.get("/deliveries/<delivery_id>")
def delivery(delivery_id: str) -> Response:
    """One delivery and every try of it, masked."""
    with region_rows(signed_in()) as connection:
        found = repository.delivery(connection, delivery_id)
        if found is None:
            abort(NOT_FOUND)
        tries = repository.attempts(connection, delivery_id)
    return page("webhook_delivery", delivery=found, tries=tries)
