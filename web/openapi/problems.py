"""Every reason to refuse, and what it means: the error half of the document, and the page that problems link to."""

from collections.abc import Iterable

from web.http import problems as known
from web.http.contract import Operation
from web.http.problems import Problem
from web.openapi.registry import Declared

# What the edge, the parser and the framework may answer whatever the route.
ALWAYS: tuple[type[Problem], ...] = (
    known.MalformedRequestError,
    known.UnauthenticatedError,
    known.ScopeMissingError,
    known.AddressNotAllowedError,
    known.NotFoundError,
    known.RequestTimeoutError,
    known.WrongRegionError,
    known.InvalidFieldsError,
    known.RateLimitedError,
    Problem,
    known.UnavailableProblem,
    known.DeadlineExceededProblem,
)
WITH_BODY: tuple[type[Problem], ...] = (known.TooLargeError, known.UnsupportedMediaTypeError)
WITH_KEY: tuple[type[Problem], ...] = (known.InFlightError, known.IdempotencyKeyReusedError)
ELSEWHERE: tuple[type[Problem], ...] = (known.MethodNotAllowedError,)


def reasons(operation: Operation, method: str) -> list[type[Problem]]:
    """Every class of problem that a route may answer."""
    found = [*ALWAYS, *operation.errors]
    if method == "POST":
        found += WITH_KEY
    if operation.body is not None or operation.body_media:
        found += WITH_BODY
    return list(dict.fromkeys(found))


def every_reason(routes: Iterable[Declared]) -> list[type[Problem]]:
    """Every class of problem of the whole API, by status and code."""
    found = {*ELSEWHERE}
    for route in routes:
        found.update(reasons(route.operation, route.method))
    return sorted(found, key=lambda problem: (problem.status, problem.code))
