"""What the console asks of the region's web service: it writes nothing itself, and the service knows who decided."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx

from regions.errors import MeridianError

TIMEOUT_SECONDS = 8.0
_DONE = {200, 201}
NO_FIELDS: Mapping[str, str] = MappingProxyType({})
Post = Callable[[str, Mapping[str, Any], Mapping[str, str]], tuple[int, Any]]


class CommandRefusedError(MeridianError):
    """The service did not do what was asked; the message says why, for people, and `fields` which field is wrong."""

    def __init__(self, message: str, code: str = "", fields: Mapping[str, str] = NO_FIELDS) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Commands:
    """Sends commands to the internal API: `post(path, body, headers)` returns status and document."""

    post: Post
    service_key: str

    def send(self, path: str, body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """Have a command carried out once per idempotency key. Raises CommandRefusedError."""
        headers = {"Authorization": f"Bearer {self.service_key}", "Idempotency-Key": key}
        try:
            status, document = self.post(f"/internal/v1/{path}", body, headers)
        except (httpx.TransportError, ValueError):
            raise CommandRefusedError("The region's service does not answer. Try again in a minute.") from None
        if status in _DONE and isinstance(document, dict):
            return document
        problem = document if isinstance(document, dict) else {}
        wrong = {error["pointer"].strip("/").partition("/")[0]: error["detail"] for error in problem.get("errors", ())}
        detail = str(problem.get("detail") or "The region's service could not do this.")
        raise CommandRefusedError(detail, problem.get("code", ""), wrong)


def commands_to(base_url: str, service_key: str) -> Commands:
    """Commands to the web service at that address."""

    def post(path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, Any]:
        answer = httpx.post(f"{base_url}{path}", json=dict(body), headers=dict(headers), timeout=TIMEOUT_SECONDS)
        return answer.status_code, answer.json()

    return Commands(post, service_key)
