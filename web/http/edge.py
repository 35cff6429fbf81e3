"""The request edge: who asks, in which region, was it asked before; one transaction a request, committed here."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from flask import Response, current_app, g, request
from sqlalchemy import Connection

from regions.ids import region_of
from web.clock import utc_now
from web.db.scope import Scope
from web.http import idempotency as keys
from web.http import versions
from web.http.answers import REPLAYED_HEADER, Answer, Read, encode, json_response, request_id
from web.http.auth import admit, authenticate, authenticate_reading, check_region, presented_key_hash
from web.http.callers import Caller
from web.http.contract import scope_of
from web.http.idempotency import IdempotencyKey, KeyTakenError, Stored
from web.http.problems import InFlightError, Problem
from web.wiring import Wiring, wired

P = ParamSpec("P")


def merchant_route(view: Callable[Concatenate[Scope, P], Answer]) -> Callable[P, Response]:
    """Serve a merchant's request in one transaction: key, idempotency, the view, commit."""

    @wraps(view)
    def serve(*args: P.args, **kwargs: P.kwargs) -> Response:
        check_ids(kwargs)
        idempotency = keys.key_of(request)
        try:
            with merchant_scope(idempotency) as (scope, stored):
                if idempotency is not None and stored is not None:
                    return replay(stored, idempotency, scope)
                answer = view(scope, *args, **kwargs)
                body = told(answer.body)
                if idempotency is not None:
                    kept = body if answer.kept is None else told(answer.kept)
                    keys.claim_answered(scope, idempotency, answer.status, kept)
        except KeyTakenError:
            return answer_of_winner(idempotency)
        return json_response(answer.status, body, answer.headers, answer.mimetype)

    return serve


def single_write_route(view: Callable[Concatenate[Scope, P], Answer]) -> Callable[P, Response]:
    """Serve a merchant's request that reads nothing and writes one statement: `Answer.write`, which is its transaction.

    One round trip if this process has met the caller: the statement writes only if the key still opens what it did.
    Else, and for what is refused or repeated, two. The view's scope shows no rows: reading through it finds nothing.
    """

    def prepare(
        scope: Scope, key: Mapping[str, Any], idempotency: IdempotencyKey | None, *args: P.args, **kwargs: P.kwargs
    ) -> Callable[[], Response]:
        answer = view(scope, *args, **kwargs)
        if answer.write is None:
            raise TypeError(f"{view.__name__} is a single_write_route without a write")
        body, store = told(answer.body), answer.write
        claim = {} if idempotency is None else keys.answered(scope, idempotency, answer.status, body)

        def write() -> Response:
            store({**claim, **key})
            return json_response(answer.status, body, answer.headers)

        return write

    @wraps(view)
    def serve(*args: P.args, **kwargs: P.kwargs) -> Response:
        check_ids(kwargs)
        wiring, idempotency = wired(), keys.key_of(request)
        key_hash = _key_hash(wiring)
        known = wiring.known_callers.get(key_hash)
        with wiring.database.single_statements() as connection:
            if known is not None and not wiring.key_use.is_due(known.key_id):
                write = None
                with suppress(Problem):  # said by who has asked the database what the key opens
                    scope = _admitted(wiring, connection, known)
                    write = prepare(scope, _key_of(key_hash, known), idempotency, *args, **kwargs)
                if write is not None:
                    with suppress(KeyTakenError):
                        return write()
            caller = authenticate(connection, key_hash, idempotency, request_id())
            scope = _admitted(wiring, connection, caller)
            wiring.known_callers.keep(key_hash, caller)
            if idempotency is not None and caller.stored is not None:
                return replay(caller.stored, idempotency, scope)
            with suppress(KeyTakenError):
                return prepare(scope, _key_of(key_hash, caller), idempotency, *args, **kwargs)()
        return answer_of_winner(idempotency)

    return serve


def _key_of(key_hash: bytes, caller: Caller) -> dict[str, Any]:
    """The parameters of a statement that looks at the caller's key once more; see web.http.idempotency."""
    return {"key_hash": key_hash, "key_seen": caller.seen}


def single_read_route(view: Callable[P, Read]) -> Callable[P, Response]:
    """Serve a merchant's request that reads by one statement: the view's `Read`, in one round trip with the key."""

    @wraps(view)
    def serve(*args: P.args, **kwargs: P.kwargs) -> Response:
        check_ids(kwargs)
        wiring, read = wired(), view(*args, **kwargs)
        with wiring.database.single_statements() as connection:
            caller, rows = authenticate_reading(connection, _key_hash(wiring), request_id(), read)
            answer = read.conclude(_admitted(wiring, connection, caller), rows)
        return json_response(answer.status, told(answer.body), answer.headers, answer.mimetype)

    return serve


def told(body: Any) -> bytes:
    """An answer's bytes, in the caller's version of the API."""
    return encode(versions.as_of(g.api_version, body))


def check_ids(path_values: Mapping[str, object]) -> None:
    """Raise WrongRegionError if the path names another region's object: nothing is read or written for it."""
    wiring = wired()
    for value in path_values.values():
        home = region_of(value) if isinstance(value, str) else None
        if home is not None:
            check_region(home, wiring.region, wiring.settings)


@contextmanager
def merchant_scope(idempotency: IdempotencyKey | None) -> Iterator[tuple[Scope, Stored | None]]:
    """The transaction of an authenticated request, with what its idempotency key holds. Commits when the block ends."""
    with _scope_on(wired().database.transaction(), idempotency) as opened:
        yield opened


@contextmanager
def _scope_on(
    connecting: AbstractContextManager[Connection], idempotency: IdempotencyKey | None
) -> Iterator[tuple[Scope, Stored | None]]:
    wiring = wired()
    key_hash = _key_hash(wiring)
    with connecting as connection:
        caller = authenticate(connection, key_hash, idempotency, request_id())
        yield _admitted(wiring, connection, caller), caller.stored


def _key_hash(wiring: Wiring) -> bytes:
    return g.get("key_hash") or presented_key_hash(request, wiring.region, wiring.settings)


def _admitted(wiring: Wiring, connection: Connection, caller: Caller) -> Scope:
    """The caller's scope, if the caller may do this."""
    g.api_version = versions.chosen(request.headers.get(versions.HEADER), caller.api_version)
    needed = scope_of(current_app.view_functions.get(request.endpoint or ""))
    admit(caller, needed, request, wiring.settings)
    wiring.key_use.note(connection, caller.key_id, caller.merchant_id)
    return Scope(connection, wiring.region, caller.merchant_id, caller.livemode, request_id(), utc_now(), caller.key_id)


def replay(stored: Stored, idempotency: IdempotencyKey, scope: Scope) -> Response:
    """Answer a repeated request with what the first one was answered; raise the problem if it is not a repetition."""
    keys.check(stored, idempotency, scope.now)
    if stored.response_status is None or stored.response_body is None:
        raise InFlightError(keys.RETRY_AFTER_SECONDS)
    return json_response(stored.response_status, stored.response_body, {REPLAYED_HEADER: "true"})


def answer_of_winner(idempotency: IdempotencyKey | None) -> Response:
    """Answer a request that lost the race for its idempotency key: its work was rolled back, the winner's stands."""
    with merchant_scope(idempotency) as (scope, stored):
        if idempotency is None or stored is None:  # the winner was rolled back, or its key purged, in between
            raise InFlightError(keys.RETRY_AFTER_SECONDS)
        return replay(stored, idempotency, scope)
