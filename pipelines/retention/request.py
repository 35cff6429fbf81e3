"""Asking for an erasure: a command to the region's internal API, which alone writes business rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

from pipelines.internal_api import TIMEOUT_SECONDS, RequestRefusedError, command

if TYPE_CHECKING:
    from regions.region import Region


def request_erasure(
    region: Region, env: Mapping[str, str], *, subject: str, person: str, reason: str, key: str | None
) -> dict[str, Any]:
    """Record an erasure request, and return it as the API shows it. Raises UsageError for what the API refuses."""
    body = {"subject_id": subject, "requested_by": person, "reason": reason}
    return command(region, env, "erasure_requests", body, key=key)


def forget_methods(region: Region, env: Mapping[str, str], *, subject: str, key: str) -> None:
    """Have the saved methods of a subject withdrawn, and forgotten by their gateways."""
    command(region, env, "payment_methods/forget", {"subject_id": subject}, key=key)


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
