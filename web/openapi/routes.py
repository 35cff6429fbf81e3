import hashlib

from flask import Blueprint, Flask, Response, current_app, render_template, request

from regions.region import Region
from web.http.answers import encode, json_response
from web.http.versions import CHANGES, FIRST
from web.openapi.document import document
from web.openapi.problems import every_reason
from web.openapi.registry import Declared, declared

blueprint = Blueprint("openapi", __name__)
_KEY = "meridian-openapi"
_CACHED = "public, max-age=300"


class Published:
    """The document of an app, made when first asked for: it costs what a hundred requests cost."""

    def __init__(self, region: Region, base_url: str, routes: list[Declared]) -> None:
        self._of = (region, base_url, routes)
        self._bytes: bytes | None = None

    @property
    def routes(self) -> list[Declared]:
        """Every route of /v1."""
        return self._of[2]

    def json(self) -> bytes:
        """The document."""
        if self._bytes is None:
            self._bytes = encode(document(*self._of))
        return self._bytes


def publish(app: Flask, region: Region, base_url: str) -> None:
    """Serve the app's document. Raises ConfigurationError if a route of /v1 is not declared."""
    app.extensions[_KEY] = Published(region, base_url, declared(app))
    app.register_blueprint(blueprint)


def published() -> Published:
    """What the app that serves the current request has published."""
    found: Published = current_app.extensions[_KEY]
    return found


@blueprint.get("/openapi.json")
def openapi_json() -> Response:
    """The API's contract."""
    body = published().json()
    response = json_response(200, body, {"Cache-Control": _CACHED})
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    return response.make_conditional(request)  # type: ignore[return-value] # the same response, or 304


@blueprint.get("/docs/changelog")
def changelog_page() -> Response:
    """What has changed from version to version, for people."""
    html = render_template("docs/changelog.html", changes=CHANGES[::-1], first=FIRST)
    return Response(html, mimetype="text/html", headers={"Cache-Control": _CACHED})


@blueprint.get("/docs/problems")
def problems_page() -> Response:
    """Every kind of problem, for people: problem documents link here."""
    html = render_template("docs/problems.html", problems=every_reason(published().routes))
    return Response(html, mimetype="text/html", headers={"Cache-Control": _CACHED})
