"""Commands to a region's internal API: business rows have one writer, and a job asks it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

from regions.errors import MeridianError, UsageError

if TYPE_CHECKING:
    from regions.region import Region

TIMEOUT_SECONDS = 15.0
_DONE = {200, 201}
_USER_ERRORS = range(400, 500)


class RequestRefusedError(MeridianError):
    """The region's API did not do what was asked."""


def command(
    region: Region,
    env: Mapping[str, str],
    path: str,
    body: Mapping[str, Any],
    *,
    key: str | None = None,
    client: httpx.Client | None = None,
) -> dict[str, Any]:
    """POST to /internal/v1/<path>; the answer. Raises UsageError for what the API refuses, RequestRefusedError."""
    post = client.post if client else httpx.post
    try:
        response = post(
            f"{region.api_base_url(env)}/internal/v1/{path}",
            json=dict(body),
            headers={
                "Authorization": f"Bearer {region.service_key(env)}",
                "Idempotency-Key": key or secrets.token_hex(16),
            },
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
        )
    except httpx.TransportError as error:
        raise RequestRefusedError(f"The API of region {region.code} cannot be reached: {error}") from error
    if response.status_code in _DONE:
        found: dict[str, Any] = response.json()
        return found
    detail = _detail(response)
    if response.status_code in _USER_ERRORS:
        raise UsageError(f"The API of region {region.code} refused the request: {detail}")
    raise RequestRefusedError(f"The API of region {region.code} answered {response.status_code}: {detail}")


def _detail(response: httpx.Response) -> str:
    try:
        problem = response.json()
        places = "; ".join(f"{one['pointer']} {one['detail']}" for one in problem.get("errors", []))
        return f"{problem['detail']} {places}".strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.reason_phrase
