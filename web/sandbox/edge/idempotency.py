"""One answer per Idempotency-Key: the claim, the work and the stored answer are one transaction.

A second request with the key waits on the unique index until the first one commits and then gets the very same answer;
when that takes longer than the lock timeout it is told 409. If the first one fails or dies, its claim goes with it.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, request

from web.sandbox.database import Conn
from web.sandbox.edge import context
from web.sandbox.edge.problems import ProblemError
from web.sandbox.settings import Account

KEY_LENGTH_MAX = 255


@dataclass(frozen=True)
class Answer:
    """What a POST answers. The change is committed at once; then the answer is held, or lost and a 500 sent instead."""

    body: dict[str, Any]
    status: int = 201
    hold_seconds: float = 0
    is_lost: bool = False


class HeldError(Exception):
    """Nothing is changed, and the caller learns `problem` only after the hold: a request that got lost."""

    def __init__(self, problem: ProblemError, hold_seconds: float) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.hold_seconds = hold_seconds


def respond(account: Account, body: dict[str, Any], work: Callable[[Conn], Answer]) -> Response:
    """Run `work` once for this request's key and answer; a repeat gets the stored answer without a hold.

    Raises ProblemError 400 without a key, 422 when the key came earlier with another request.
    """
    try:
        return _respond(account, body, work)
    except HeldError as held:
        time.sleep(held.hold_seconds)
        raise held.problem from held


def _respond(account: Account, body: dict[str, Any], work: Callable[[Conn], Answer]) -> Response:
    key = _key()
    with context.database().transaction() as connection:
        answered = _claim(connection, account.name, key, _fingerprint(body))
        if answered is not None:
            return _response(*answered, replayed=True)
        answer = work(connection)
        text = json.dumps(answer.body, separators=(",", ":"))
        connection.execute(
            "UPDATE idempotency_keys SET response_status = %s, response_body = %s WHERE account = %s AND key = %s",
            [answer.status, text, account.name, key],
        )
    if answer.hold_seconds:
        time.sleep(answer.hold_seconds)
    if answer.is_lost:
        raise ProblemError(500, "internal_error", "Something went wrong on our side.")
    return _response(answer.status, text)


def _claim(connection: Conn, account: str, key: str, fingerprint: bytes) -> tuple[int, str] | None:
    claimed = connection.execute(
        "INSERT INTO idempotency_keys (account, key, fingerprint) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING key",
        [account, key, fingerprint],
    ).fetchone()
    if claimed is not None:
        return None
    row = connection.execute(
        "SELECT fingerprint, response_status, response_body FROM idempotency_keys WHERE account = %s AND key = %s",
        [account, key],
    ).fetchone()
    if row is None or row["fingerprint"] != fingerprint:
        raise ProblemError(422, "idempotency_key_reused", "This Idempotency-Key was used before with another request.")
    return row["response_status"], row["response_body"]


def _key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        raise ProblemError(
            400, "idempotency_key_required", "Send an Idempotency-Key of 1 to 255 printable ASCII characters."
        )
    return key


def _fingerprint(body: dict[str, Any]) -> bytes:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.path}\n{canonical}".encode()).digest()


def _response(status: int, text: str, *, replayed: bool = False) -> Response:
    response = Response(text, status, content_type="application/json")
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response
