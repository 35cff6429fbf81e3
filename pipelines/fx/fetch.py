"""Fetching one day's reference rates over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import httpx

from pipelines.fx.ecb import RateFile
from regions.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from regions.region import Region

PATH = "/v1/ecb/eurofxref-daily.csv"
SOURCE_HEADER = "Rates-Source"
SOURCES = frozenset({"ecb", "sandbox"})
TIMEOUT_SECONDS = 30.0
FILE_BYTES_MAX = 1024 * 1024
_OK, _NOT_FOUND = 200, 404


class RatesUnavailableError(UnavailableError):
    """The server of daily rates did not answer as it should."""


def daily_name(day: date) -> str:
    """What the daily file of a day is called."""
    return f"eurofxref-daily {day.isoformat()}"


def fetch_daily(region: Region, day: date, env: Mapping[str, str]) -> RateFile | None:
    """The daily file of a day, or None if none is published.

    Raises ConfigurationError, or RatesUnavailableError if the server does not answer as it should.
    """
    base_url = env.get("SANDBOX_URL", "").rstrip("/")
    if not base_url:
        raise ConfigurationError("SANDBOX_URL is not set: set it to the base URL that serves daily rates")
    headers = {"Authorization": f"Bearer {region.sandbox_api_key(env)}"}
    try:
        response = httpx.get(
            base_url + PATH, params={"date": day.isoformat()}, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False
        )
    except httpx.TransportError as error:
        raise RatesUnavailableError(f"Daily rates cannot be fetched from {base_url}: {error}") from error
    if response.status_code == _NOT_FOUND:
        return None
    source = response.headers.get(SOURCE_HEADER, "ecb")
    if response.status_code != _OK or len(response.content) > FILE_BYTES_MAX or source not in SOURCES:
        raise RatesUnavailableError(f"{base_url} answered {response.status_code} for the rates of {day}")
    return RateFile(daily_name(day), response.content, source)
