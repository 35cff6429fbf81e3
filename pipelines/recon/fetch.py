"""Fetching a gateway's settlement report, and the bank's statement, over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import httpx

from regions.environment import SANDBOX
from regions.errors import ConfigurationError, MeridianError

if TYPE_CHECKING:
    from regions.region import Region

TIMEOUT_SECONDS = 30.0
REPORT_BYTES_MAX = 256 * 1024 * 1024
_OK = 200


class ReportUnavailableError(MeridianError):
    """The gateway did not hand out a report that it should have."""


@dataclass(frozen=True, slots=True)
class FetchedReport:
    """A report's bytes as the gateway gave them, and when it closed each batch in it."""

    name: str
    content: bytes
    closed_at: Mapping[int, datetime] = field(default_factory=dict)


def fetch_report(region: Region, day: date, env: Mapping[str, str], gateway: str = SANDBOX) -> FetchedReport | None:
    """The sandbox's report of a business day, or None if it has closed no batch of that day.

    Raises ConfigurationError, or ReportUnavailableError if the gateway does not answer as it should.
    """
    with _client(region, env, gateway) as client:
        entries = [entry for entry in _list(client, "/v1/settlement_reports") if entry["date"] == day.isoformat()]
        if not entries:
            return None
        content = _get(client, f"/v1/settlement_reports/{day.isoformat()}.csv").content
    if len(content) > REPORT_BYTES_MAX:
        raise ReportUnavailableError(
            f"The settlement report of {day} has {len(content)} bytes, the most is {REPORT_BYTES_MAX}"
        )
    digest = hashlib.sha256(content).hexdigest()
    if any(entry["sha256"] != digest for entry in entries):
        raise ReportUnavailableError(f"The settlement report of {day} is not the one that the gateway lists: try again")
    closed_at = {int(entry["batch_number"]): datetime.fromisoformat(entry["closed_at"]) for entry in entries}
    return FetchedReport(_title("settlement report", day, gateway), content, closed_at)


def fetch_statement(region: Region, day: date, env: Mapping[str, str], gateway: str = SANDBOX) -> FetchedReport | None:
    """The bank statement of a day in camt.053, which the sandbox's bank gives, or None if it has none.

    Raises as `fetch_report` does.
    """
    with _client(region, env, gateway) as client:
        entries = [entry for entry in _list(client, "/v1/bank_statements") if entry["date"] == day.isoformat()]
        if not entries:
            return None
        content = _get(client, f"/v1/bank_statements/{day.isoformat()}.xml").content
    if len(content) > REPORT_BYTES_MAX:
        raise ReportUnavailableError(
            f"The bank statement of {day} has {len(content)} bytes, the most is {REPORT_BYTES_MAX}"
        )
    return FetchedReport(_title("bank statement", day, gateway), content)


def _title(what: str, day: date, gateway: str) -> str:
    return f"{what} of {day}" if gateway == SANDBOX else f"{what} of {day} of {gateway}"


def _client(region: Region, env: Mapping[str, str], gateway: str) -> httpx.Client:
    base_url = env.get("SANDBOX_URL", "").rstrip("/")
    if not base_url:
        raise ConfigurationError("SANDBOX_URL is not set: set it to the gateway's base URL, or start the local stack")
    headers = {"Authorization": f"Bearer {region.sandbox_api_key(env, gateway)}"}
    return httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=False)


def _list(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    response = _get(client, path)
    try:
        entries: list[dict[str, Any]] = response.json()["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise ReportUnavailableError(f"What the gateway lists at {path} is not what it should be") from error
    return entries


def _get(client: httpx.Client, path: str) -> httpx.Response:
    try:
        response = client.get(path)
    except httpx.TransportError as error:
        raise ReportUnavailableError(f"The gateway cannot be reached at {client.base_url}: {error}") from error
    if response.status_code != _OK:
        raise ReportUnavailableError(f"The gateway answered {response.status_code} for {path}")
    return response
