"""The events' contract, beside the API's."""

import functools
import hashlib

from flask import Blueprint, Response, request

from regions.asyncapi import document
from web.http.answers import encode, json_response
from web.wiring import wired

blueprint = Blueprint("asyncapi", __name__)
_CACHED = "public, max-age=300"


@functools.cache
def _body(region: str) -> tuple[bytes, str]:
    body = encode(document(region))
    return body, hashlib.sha256(body).hexdigest()[:32]


@blueprint.get("/asyncapi.json")
def asyncapi_json() -> Response:
    """The contract of the region's topics, as AsyncAPI 3."""
    body, tag = _body(wired().region.code)
    response = json_response(200, body, {"Cache-Control": _CACHED})
    response.set_etag(tag)
    return response.make_conditional(request)  # type: ignore[return-value] # the same response, or 304
