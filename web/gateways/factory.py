"""Which gateways a region's processes can reach. An adapter that is not listed here does not exist."""

import os
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from regions.errors import ConfigurationError
from regions.region import GatewayAccount, Region
from web.gateways.protocol import Gateway
from web.gateways.sandbox.adapter import NOT_FOUND_AFTER, SandboxGateway, SandboxSettings
from web.settings import Settings

NOT_FOUND_AFTER_VARIABLE = "SANDBOX_NOT_FOUND_AFTER_SECONDS"


def open_gateways(region: Region, settings: Settings, env: Mapping[str, str] = os.environ) -> Mapping[str, Gateway]:
    """An adapter per gateway of the region, by name; ConfigurationError for one that we have no adapter for."""
    return MappingProxyType({account.name: _open(account, region, settings, env) for account in region.gateways})


def _open(account: GatewayAccount, region: Region, settings: Settings, env: Mapping[str, str]) -> Gateway:
    if account.name != SandboxGateway.name:
        raise ConfigurationError(f"Region {region.code} names the gateway {account.name!r}, which has no adapter.")
    return SandboxGateway(
        SandboxSettings(
            base_url=settings.sandbox_url,
            account=account.account,
            api_key=settings.sandbox_api_key,
            webhook_secret=settings.sandbox_webhook_secret,
            not_found_after=_not_found_after(env),
        )
    )


def _not_found_after(env: Mapping[str, str]) -> timedelta:
    text = env.get(NOT_FOUND_AFTER_VARIABLE)
    if not text:
        return NOT_FOUND_AFTER
    if not (text.isascii() and text.isdigit()):
        raise ConfigurationError(f"{NOT_FOUND_AFTER_VARIABLE} is {text!r}: give whole seconds.")
    return timedelta(seconds=int(text))
