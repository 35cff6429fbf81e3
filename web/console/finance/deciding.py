"""What finance decides on the console: breaks are resolved, days closed, each by a command to the service."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import abort, redirect, request, url_for
from sqlalchemy import text
from werkzeug.wrappers import Response as AnyResponse

from regions.errors import UsageError
from warehouse.breaks import one_break, proposal
from web.console import session
from web.console.commands import CommandRefusedError
from web.console.deciding import check_form, command
from web.console.finance.forms import PURPOSE, breaks_of, form_values
from web.console.finance.routes import blueprint
from web.console.mode import chosen_livemode
from web.console.reading import published, region_rows
from web.console.view import page

CONFLICT = 409
DECISIONS = {"approve": "approved", "reject": "rejected", "reopen": "reopened"}
_CLOSES = text("""
SELECT c.through, c.closed_by, c.reason, c.closed_at FROM ledger_closes c ORDER BY c.through DESC LIMIT 24
""")


@blueprint.post("/finance/breaks/<break_id>/resolve")
def propose(break_id: str) -> AnyResponse:
    """Propose how a break is resolved."""
    check_form(PURPOSE)
    reason, other_id = request.form.get("reason", "").strip(), request.form.get("other", "").strip()
    with published() as build:
        found = breaks_of(build) if build else []
    try:
        one = one_break(found, break_id)
        other = one_break(found, other_id) if other_id else None
        body = proposal(one, other, reason, session.signed_in().id, request.form.get("side"))
    except UsageError as error:
        return _refused(str(error))
    return _send("recon/resolutions", body, url_for("finance.one_break", break_id=one.id))


@blueprint.post("/finance/resolutions/<resolution_id>/<decision>")
def decide(resolution_id: str, decision: str) -> AnyResponse:
    """Approve, reject or re-open."""
    check_form(PURPOSE)
    if decision not in DECISIONS:
        abort(404)
    body = {
        "decision": DECISIONS[decision],
        "actor": session.signed_in().id,
        "reason": request.form.get("reason", "").strip() or None,
    }
    break_id = request.form.get("break_id", "")
    return _send(
        f"recon/resolutions/{resolution_id}/decisions", body, url_for("finance.one_break", break_id=break_id or "none")
    )


@blueprint.get("/finance/close")
def closes() -> AnyResponse:
    """Which days are closed, and the form that closes more."""
    with region_rows(session.signed_in()) as connection:
        rows = connection.execute(_CLOSES).mappings().all()
        livemode = chosen_livemode(connection)
    with published() as build:
        still_open = [one for one in breaks_of(build) if one.status != "resolved"] if build else []
    return page("closes", rows=rows, livemode=livemode, open_count=len(still_open), form=form_values())


@blueprint.post("/finance/close")
def close() -> AnyResponse:
    """Close the books through a day."""
    check_form(PURPOSE)
    try:
        through = date.fromisoformat(request.form.get("through", ""))
    except ValueError:
        return _refused("Give the last day of the period.")
    reason = request.form.get("reason", "").strip()
    body = {"through": through.isoformat(), "actor": session.signed_in().id, "reason": reason}
    return _send("ledger/closes", body, url_for("finance.closes"))


def _send(path: str, body: Mapping[str, Any], then: str) -> AnyResponse:
    try:
        command(path, body)
    except CommandRefusedError as error:
        return _refused(str(error))
    return redirect(then, 303)


def _refused(message: str) -> AnyResponse:
    return page("message", CONFLICT, heading="This was not done", message=message)
