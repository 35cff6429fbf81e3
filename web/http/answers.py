from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Response, g

from regions.ids import new_id
from web.wiring import wired

REPLAYED_HEADER = "Idempotency-Replayed"


Write = Callable[[Mapping[str, Any] | None], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route says: a status, a JSON value without PII, and without secrets unless `kept` has none, headers.

    `write` belongs to a `single_write_route`: its only write, which the edge runs together with the idempotency key. It
    gets the parameters of `idempotency.CLAIM`, or None when the request has no such key.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Write | None = None
    mimetype: str = "application/json"  # of another kind of body, which is bytes
    kept: Any = None  # what repetitions are answered, where `body` shows a secret once


def json_response(status: int, body: bytes, headers: Mapping[str, str], mimetype: str = "application/json") -> Response:
    """A response of JSON bytes."""
    response = Response(body, status=status, mimetype=mimetype)
    response.headers.extend(headers)
    return response


def encode(body: Any) -> bytes:
    """JSON bytes of a route's value; bytes stay as they are."""
    return body if isinstance(body, bytes) else orjson.dumps(body)


def request_id() -> str:
    """The current request's id, `req_<region>_…`: in the answer's header, in problems, logs and events."""
    if "request_id" not in g:
        g.request_id = new_id("request", wired().region.code)
    return str(g.request_id)
