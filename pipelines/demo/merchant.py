"""A merchant's side of the API: a bearer key, idempotency keys, JSON."""

import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from regions.errors import MeridianError


class ApiError(MeridianError):
    """The API refused something that the simulated merchant had a right to."""


class Merchant:
    """One merchant in one region. `client` may be shared; the key goes along with each request."""

    def __init__(self, client: httpx.Client, api_url: str, secret_key: str) -> None:
        self._client = client
        self._api_url = api_url.rstrip("/")
        self._key = secret_key

    def create_link(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """A new link; `order` holds at least amount_minor, currency and reference."""
        return self._call("POST", "/v1/links", order)

    def deactivate_link(self, link_id: str) -> dict[str, Any]:
        """Nobody may start to pay the link from now on."""
        return self._call("POST", f"/v1/links/{link_id}/deactivate", {})

    def payments_of(self, link_id: str) -> list[dict[str, Any]]:
        """The payments of a link, as the API tells them."""
        data: list[dict[str, Any]] = self._call("GET", f"/v1/payments?link_id={link_id}")["data"]
        return data

    def refund(self, payment_id: str, amount_minor: int | None, reason: str) -> dict[str, Any]:
        """Give back `amount_minor`, or everything that is left (None)."""
        body = {"reason": reason} | ({"amount_minor": amount_minor} if amount_minor else {})
        return self._call("POST", f"/v1/payments/{payment_id}/refunds", body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        response = self._client.request(method, self._api_url + path, json=body, headers=headers)
        if not response.is_success:
            raise ApiError(f"{method} {path} was answered {response.status_code}: {response.text[:300]}")
        document: dict[str, Any] = response.json()
        return document
