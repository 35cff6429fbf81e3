from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Response, g

from regions.ids import new_id
from web.db.scope import Scope
from web.wiring import wired

REPLAYED_HEADER = "Idempotency-Replayed"


Write = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route says: a status, a JSON value without PII, and without secrets unless `kept` has none, headers.

    `write` belongs to a `single_write_route`: its only write, which the edge runs together with the idempotency key and
    with a last look at the caller's. It gets the parameters of `idempotency.beginning`.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Write | None = None
    mimetype: str = "application/json"  # of another kind of body, which is bytes
    kept: Any = None  # what repetitions are answered, where `body` shows a secret once


@dataclass(frozen=True, slots=True)
class Read:
    """What a `single_read_route` reads, in the very statement that finds its caller, and what it makes of the rows.

    `statement` is a SELECT; it takes `values` and, from the edge, `c.tenant` and `c.livemode`.
    """

    statement: str
    values: Mapping[str, Any]
    conclude: Callable[[Scope, Sequence[tuple[Any, ...]]], Answer]


def json_response(status: int, body: bytes, headers: Mapping[str, str], mimetype: str = "application/json") -> Response:
    """A response of JSON bytes."""
    response = Response(body, status, mimetype=mimetype)
    if headers:
        response.headers.extend(headers)
    return response


def encode(body: Any) -> bytes:
    """JSON bytes of a route's value; bytes stay as they are."""
    return body if isinstance(body, bytes) else orjson.dumps(body)


def request_id() -> str:
    """The current request's id, `req_<region>_…`: in the answer's header, in problems, logs and events."""
    found: str | None = g.get("request_id")
    if found is None:
        found = g.request_id = new_id("request", wired().region.code)
    return found
