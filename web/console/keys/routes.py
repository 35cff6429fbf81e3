"""API keys on the console: looked at in the database, made and ended by commands to the service."""

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from regions.ids import region_of
from web.clock import utc_now
from web.console.commands import CommandRefusedError
from web.console.deciding import check_form, command, form_values
from web.console.keys import domain, repository
from web.console.mode import LIVE, chosen_livemode
from web.console.reading import region_rows
from web.console.session import signed_in
from web.console.view import page, page_with_script
from web.console.wiring import wired
from web.keys.domain import status_at

blueprint = Blueprint("keys", __name__, url_prefix="/keys")
log = logging.getLogger(__name__)

PURPOSE = "keys"
NOT_FOUND, CONFLICT, REFUSED = 404, 409, 422
REUSED = "idempotency_key_reused"
Row = dict[str, Any]


@blueprint.get("")
def keys() -> Response:
    """Every key of the mode: what it may do, from where, when it was used, and whether it works."""
    after = request.args.get("after") or None
    if after is not None and region_of(after) is None:
        abort(NOT_FOUND)
    with region_rows(signed_in()) as connection:
        livemode = chosen_livemode(connection)
        found = repository.keys(connection, livemode=livemode, after=after)
    rows = [_with_status(row) for row in found[: repository.PAGE_ROWS]]
    next_id = rows[-1]["id"] if len(found) > len(rows) else None
    return page("keys", livemode=livemode, rows=rows, after=after, next_id=next_id)


@blueprint.get("/new")
def new() -> Response:
    """The form that makes a key."""
    return _form({}, None)


@blueprint.post("/new")
def create() -> Response:
    """Make a key and show it: in this answer and nowhere else."""
    check_form(PURPOSE)
    try:
        made = command("keys", _wanted())
    except CommandRefusedError as error:
        return _form(request.form, error)
    return _made(made)


@blueprint.get("/<key_id>")
def key(key_id: str) -> Response:
    """One key, with the forms that roll and revoke it."""
    return _key_page(key_id)


@blueprint.post("/<key_id>/roll")
def roll(key_id: str) -> Response:
    """Make a key that may do the same and show it; the old one ends after the overlap."""
    check_form(PURPOSE)
    found = _found(key_id)
    try:
        body = _whose(found) | {"overlap_seconds": _overlap_seconds(request.form.get("overlap", ""))}
        made = command(f"keys/{found['id']}/roll", body)
    except CommandRefusedError as error:
        return _key_page(key_id, error, CONFLICT)
    return _made(made, found)


@blueprint.post("/<key_id>/revoke")
def revoke(key_id: str) -> AnyResponse:
    """End a key at once, if whoever asks says to know what that means."""
    check_form(PURPOSE)
    found = _found(key_id)
    if request.form.get("confirm") != "yes":
        untold = CommandRefusedError("Tick the box: whatever uses this key stops working at once.")
        return _key_page(key_id, untold, CONFLICT)
    try:
        command(f"keys/{found['id']}/revoke", _whose(found))
    except CommandRefusedError as error:
        return _key_page(key_id, error, CONFLICT)
    log.info("console key revoked", extra={"user_id": signed_in().id, "api_key": found["id"]})
    return redirect(url_for("keys.key", key_id=found["id"]), 303)


def _form(said: Mapping[str, str], error: CommandRefusedError | None) -> Response:
    account = signed_in()
    with region_rows(account) as connection:
        livemode = chosen_livemode(connection) if not said else said.get("mode") == LIVE
        merchants = [] if account.merchant_id else repository.merchants(connection)
    return page(
        "key_new", 200 if error is None else REFUSED, livemode=livemode, error=error, said=said, merchants=merchants,
        ticked=request.form.getlist("scope"), kinds=domain.KINDS, groups=domain.scope_groups(),
        form=form_values(PURPOSE, _key_again(error)),
    )  # fmt: skip


def _wanted() -> dict[str, Any]:
    """The form as the service's body; what is wrong in it the service says, but for what is no value at all."""
    account, said = signed_in(), request.form
    merchant_id = account.merchant_id or said.get("merchant", "").strip()
    with region_rows(account) as connection:
        if region_of(merchant_id) is None or not repository.has_merchant(connection, merchant_id):
            raise _wrong("merchant", "There is no such merchant.")
    wanted: dict[str, Any] = {
        "merchant_id": merchant_id, "livemode": said.get("mode") == LIVE, "actor": account.id,
        "kind": said.get("kind", ""), "name": said.get("name", "").strip(),
        "allowed_networks": domain.networks_in(said.get("networks", "")),
    }  # fmt: skip
    scopes, last_day = said.getlist("scope"), said.get("last_day", "")
    if scopes or wanted["kind"] == "restricted":
        wanted["scopes"] = scopes
    if last_day:
        try:
            wanted["expires_at"] = domain.end_of(date.fromisoformat(last_day), wired().region.tz).isoformat()
        except (ValueError, OverflowError):
            raise _wrong("expires_at", "This is no day.") from None
    return wanted


def _key_page(key_id: str, error: CommandRefusedError | None = None, status: int = 200) -> Response:
    with region_rows(signed_in()) as connection:
        found = repository.key(connection, key_id) or abort(NOT_FOUND)
        successors = repository.successors(connection, key_id)
    return page(
        "key", status, key=_with_status(found), successors=successors, error=error, overlaps=domain.OVERLAPS,
        overlap=domain.OVERLAP_SECONDS, form=form_values(PURPOSE, _key_again(error)),
    )  # fmt: skip


def _made(made: Mapping[str, Any], before: Row | None = None) -> Response:
    """The one page that shows a key. Loaded again, it is a repetition, which is answered without."""
    if made["secret"]:
        log.info("console key made", extra={"user_id": signed_in().id, "api_key": made["id"]})
    return page_with_script("key_made", made=made, before=before)


def _found(key_id: str) -> Row:
    with region_rows(signed_in()) as connection:
        return repository.key(connection, key_id) or abort(NOT_FOUND)


def _with_status(row: Row) -> Row:
    return row | {"status": status_at(row["revoked_at"], row["expires_at"], utc_now())}


def _whose(row: Row) -> dict[str, Any]:
    return {"merchant_id": row["merchant_id"], "livemode": row["livemode"], "actor": signed_in().id}


def _overlap_seconds(chosen: str) -> int:
    for seconds in domain.OVERLAPS:
        if chosen == str(seconds):
            return seconds
    raise CommandRefusedError("Choose when the old key ends.")


def _key_again(error: CommandRefusedError | None) -> str:
    """The form's key once more, so that nothing is done twice; none if it was used for another form."""
    return "" if error is None or error.code == REUSED else request.form.get("key", "")


def _wrong(name: str, message: str) -> CommandRefusedError:
    return CommandRefusedError("Look at what is marked.", fields={name: message})
