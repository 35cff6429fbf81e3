"""Asking for an erasure: a command to the region's internal API, which alone writes business rows."""

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
    """The region's API did not record the request."""


def request_erasure(
    region: Region, env: Mapping[str, str], *, subject: str, person: str, reason: str, key: str | None
) -> dict[str, Any]:
    """Record an erasure request, and return it as the API shows it. Raises UsageError for what the API refuses."""
    try:
        response = httpx.post(
            f"{region.api_base_url(env)}/internal/v1/erasure_requests",
            json={"subject_id": subject, "requested_by": person, "reason": reason},
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


def fetch_public_key(region: Region, env: Mapping[str, str]) -> str:
    """The key that checks the region's certificates, base64, as the region publishes it."""
    try:
        response = httpx.get(f"{region.api_base_url(env)}/privacy/certificate-key", timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        return str(response.json()["public_key"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise RequestRefusedError(
            f"The API of region {region.code} does not tell its certificate key ({error}): give it with --key"
        ) from error


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
