"""Live money or test: never both on one page."""

from flask import abort, request
from sqlalchemy import Connection, text

LIVE, TEST = "live", "test"
_HAS_LIVE = text("SELECT EXISTS (SELECT FROM links WHERE livemode)")


def chosen_livemode(connection: Connection) -> bool:
    """What `?mode=` asks for; without it live, once there is anything live to see."""
    mode = request.args.get("mode")
    if mode is None:
        return bool(connection.execute(_HAS_LIVE).scalar_one())
    if mode not in {LIVE, TEST}:
        abort(404)
    return mode == LIVE
