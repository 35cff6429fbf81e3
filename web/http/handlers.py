import logging

import psycopg
from flask import Flask, Response, g, request
from psycopg import errors
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from web.http import limits, versions
from web.http.answers import encode, json_response, request_id
from web.http.problems import DeadlineExceededProblem, HttpProblem, NotFoundError, Problem, UnavailableProblem
from web.wiring import wired

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
DOCUMENTATION_PATH = "/docs/problems"
UNANSWERED = (
    OperationalError, InterfaceError, InternalError, PoolTimeoutError, psycopg.OperationalError, psycopg.InterfaceError,
)  # fmt: skip
# A statement's, a lock's and a transaction's: web/db/engine.py. All of them roll back.
DEADLINES = (
    errors.QueryCanceled, errors.LockNotAvailable, errors.TransactionTimeout, errors.IdleInTransactionSessionTimeout,
)  # fmt: skip


def register(app: Flask) -> None:
    """Make every error a problem document, give every answer its request id. Blueprints may override for pages."""
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(HTTPException, _of_framework)
    for error in (*UNANSWERED, *DEADLINES):
        app.register_error_handler(error, _of_database)
    app.register_error_handler(Exception, _unexpected)
    app.before_request(_refuse_nul)
    limits.register(app)
    app.after_request(_finish)


def problem_response(problem: Problem) -> Response:
    """A problem as a response."""
    document = problem.document(request_id(), wired().settings.api_base_url + DOCUMENTATION_PATH)
    return json_response(problem.status, encode(document), problem.headers, PROBLEM_TYPE)


def _of_framework(error: HTTPException) -> Response:
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After", "Location"}}
    problem = HttpProblem(error.code or 500, error.name, error.description or error.name, headers)
    return problem_response(problem)


def _of_database(error: Exception) -> Response:
    if _is_deadline(error):
        log.warning("a request took too long", extra={"request_id": request_id(), "error": type(error).__name__})
        return problem_response(DeadlineExceededProblem())
    if isinstance(error, InternalError):
        return _unexpected(error)
    log.error("the database refused or did not answer", exc_info=error, extra={"request_id": request_id()})
    return problem_response(UnavailableProblem())


def _is_deadline(error: BaseException | None) -> bool:
    """Whether a deadline of the database ended it; what is met on a closed connection follows from that."""
    while error is not None:
        if isinstance(error, DEADLINES):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error, extra={"request_id": request_id()})
    return problem_response(Problem("This was not your fault. Give us the request id if it stays."))


def _refuse_nul() -> None:
    """No object's address has a NUL in it, and no statement may carry one."""
    if "\x00" in request.path:
        raise NotFoundError("There is nothing at this address.")


def _finish(response: Response) -> Response:
    headers = response.headers
    headers.add("Request-Id", request_id())
    if "api_version" in g:
        headers.add(versions.HEADER, g.api_version)
    headers.add("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    return response
