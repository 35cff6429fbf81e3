"""A merchant's side of the API, for the commands of the merchant's engineer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import httpx

from pipelines.bootstrap import local_stack
from regions.errors import MeridianError, UsageError
from regions.ids import region_of_key

KEY, URL = "MERIDIAN_API_KEY", "MERIDIAN_API_URL"
TIMEOUT_SECONDS = 30.0


class RefusedError(MeridianError):
    """The API said no."""


class MerchantApi:
    """Calls of one merchant, by its key."""

    def __init__(self, base_url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": "meridian-cli"}
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_SECONDS, transport=transport)

    @classmethod
    def open(cls, region: str | None, env: Mapping[str, str] = os.environ) -> Self:
        """With the key and address of the environment, or those of the local stack. Raises UsageError."""
        key, url = env.get(KEY, ""), env.get(URL, "")
        if key and url:
            return cls(url, key)
        stack = local_stack()
        if stack is None:
            raise UsageError(f"Set {KEY} and {URL}, or start the local stack with `meridian up`.")
        code = region or region_of_key(key) or next(iter(stack["regions"]))
        found = stack["regions"].get(code)
        if found is None:
            raise UsageError(f"The local stack has no region {code!r}: it runs {', '.join(stack['regions'])}.")
        return cls(url or found["api_url"], key or found["secret_key"])

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for something. Raises RefusedError with what the API said."""
        return self._read(self._client.post(path, json=dict(body or {})))

    def get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Read something. Raises RefusedError."""
        return self._read(self._client.get(path, params=dict(query)))

    def delete(self, path: str) -> dict[str, Any]:
        """Delete something. Raises RefusedError."""
        return self._read(self._client.delete(path))

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    @staticmethod
    def _read(answer: httpx.Response) -> dict[str, Any]:
        try:
            document = answer.json()
        except ValueError:
            document = {}
        if answer.is_success:
            found: dict[str, Any] = document
            return found
        detail = document.get("detail") or f"status {answer.status_code}"
        places = [f"{one['pointer']} {one['detail']}" for one in document.get("errors", [])]
        raise RefusedError(f"The API refuses: {' '.join([detail, '; '.join(places)]).strip()}")
