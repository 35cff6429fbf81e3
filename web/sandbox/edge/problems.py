"""Errors as RFC 9457 problem documents for the API, and as plain pages for payers."""

import logging
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from psycopg import errors as pg
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_PAGES = ("/pay/", "/3ds/", "/approve/", "/transfer/", "/frame")


class ProblemError(Exception):
    """An answer that is not a success: HTTP status, a stable code, and one sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[dict[str, str]] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.retry_after = retry_after


class NotFoundError(ProblemError):
    """No such object in the caller's account."""

    def __init__(self, what: str) -> None:
        super().__init__(404, "not_found", f"There is no such {what} in this account.")


class InvalidFieldError(ProblemError):
    """One field is wrong. `pointer` is its JSON pointer."""

    def __init__(self, pointer: str, detail: str, code: str = "invalid_request") -> None:
        super().__init__(422, code, detail, errors=[{"pointer": pointer, "detail": detail}])


def from_validation(error: ValidationError) -> ProblemError:
    """Pydantic's findings as one problem that names each field. The values themselves are never repeated."""
    errors = [{"pointer": "/" + "/".join(str(part) for part in e["loc"]), "detail": e["msg"]} for e in error.errors()]
    fields = ", ".join(e["pointer"] for e in errors)
    return ProblemError(422, "invalid_request", f"The request is not valid: see {fields}.", errors=errors)


def register(app: Flask) -> None:
    """Turn every error of the app into an answer."""
    app.register_error_handler(ProblemError, answer)
    app.register_error_handler(ValidationError, lambda error: answer(from_validation(error)))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(pg.LockNotAvailable, _busy)
    app.register_error_handler(Exception, _unexpected)


def answer(problem: ProblemError) -> Response:
    """The problem as a response: a page on payers' paths, a problem document everywhere else."""
    if request.path.startswith(_PAGES) and any(kind == "text/html" for kind, _ in request.accept_mimetypes):
        response = Response(render_template("message.html", title=_title(problem.status), text=problem.detail))
    else:
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": _title(problem.status),
            "status": problem.status,
            "code": problem.code,
            "detail": problem.detail,
        }
        if problem.errors:
            document["errors"] = problem.errors
        response = jsonify(document)
        response.content_type = CONTENT_TYPE
    response.status_code = problem.status
    if problem.status == 401:  # noqa: PLR2004 - an HTTP status
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _title(status: int) -> str:
    return {
        400: "Bad request",
        401: "Unauthorized",
        402: "Payment refused",
        404: "Not found",
        405: "Method not allowed",
        409: "Conflict",
        413: "Too large",
        415: "Unsupported media type",
        422: "Unprocessable content",
        503: "Service unavailable",
        504: "Gateway timeout",
    }.get(status, "Error")


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    return answer(ProblemError(status, error.name.lower().replace(" ", "_"), error.description or error.name))


def _busy(_error: pg.LockNotAvailable) -> Response:
    detail = "Another request for the same object or with the same Idempotency-Key is still in flight: try again."
    return answer(ProblemError(409, "conflict_in_flight", detail, retry_after=1))


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error in %s", request.endpoint, exc_info=error)
    return answer(ProblemError(500, "internal_error", "Something went wrong on our side; nothing was changed."))
