"""Who is calling: the API key names the account, the control key opens the dials."""

import hmac

from flask import request

from web.sandbox.edge import context
from web.sandbox.edge.problems import ProblemError
from web.sandbox.settings import Account


def account() -> Account:
    """The account whose API key came as bearer. Raises ProblemError 401."""
    presented = _bearer()
    found = None
    for candidate in context.settings().accounts.values():  # all of them: the time taken says nothing about the key
        if _same(presented, candidate.api_key):
            found = candidate
    if found is None:
        raise ProblemError(401, "unauthorized", "Send a valid API key as 'Authorization: Bearer …'.")
    return found


def require_control() -> None:
    """Let only the holder of the control key pass. Raises ProblemError 401."""
    if not _same(_bearer(), context.settings().control_key):
        raise ProblemError(401, "unauthorized", "Send the control key as 'Authorization: Bearer …'.")


def _bearer() -> str:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _same(presented: str, expected: str) -> bool:
    return hmac.compare_digest(presented.encode(), expected.encode())
