"""What a request finds in the app: settings and database. One place, so that nothing else touches Flask's globals."""

from typing import Any, cast

from flask import current_app, request

from web.sandbox.database import Database
from web.sandbox.edge.problems import ProblemError
from web.sandbox.settings import Settings

_KEY = "meridian-sandbox"


def bind(extensions: dict[str, Any], settings: Settings, database: Database) -> None:
    """Put settings and database into the app."""
    extensions[_KEY] = (settings, database)


def settings() -> Settings:
    """The settings of the running app."""
    return cast("tuple[Settings, Database]", current_app.extensions[_KEY])[0]


def database() -> Database:
    """The database of the running app."""
    return cast("tuple[Settings, Database]", current_app.extensions[_KEY])[1]


def json_body() -> dict[str, Any]:
    """The request's JSON object. Raises ProblemError 400 for anything else; an empty body is an empty object."""
    if not request.get_data(cache=True):
        return {}
    document = request.get_json(silent=True, force=True)
    if not isinstance(document, dict):
        raise ProblemError(400, "invalid_json", "The body must be one JSON object.")
    return document
