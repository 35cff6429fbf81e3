"""Forms that decide something: each is ours, carries a key so that sending it twice decides once, and is a command."""

from collections.abc import Mapping
from typing import Any

from flask import abort, request

from web.console import session
from web.console.accounts import domain
from web.console.commands import CommandRefusedError
from web.console.wiring import wired

BAD_REQUEST = 400
KEY_LENGTH_MAX = 64


def form_values(purpose: str, key: str = "") -> dict[str, str]:
    """What every form of ours carries: that it is ours, and the key, a new one unless given."""
    token = request.cookies.get(session.session_cookie(), "")
    return {"csrf": domain.csrf_token(token, purpose), "key": key or domain.new_token()}


def check_form(purpose: str) -> None:
    """Answer 400 unless the posted form is ours."""
    if not session.is_own_form(session.session_cookie(), purpose):
        abort(BAD_REQUEST, "This form is too old. Please try again.")
    if len(request.form.get("key", "")) > KEY_LENGTH_MAX:
        abort(BAD_REQUEST)


def command(path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Have the service do what the posted form decides. Raises CommandRefusedError."""
    commands = wired().commands
    if commands is None:
        raise CommandRefusedError("This console can only read: it was not given a way to the region's service.")
    return commands.send(path, body, request.form.get("key") or domain.new_token())
