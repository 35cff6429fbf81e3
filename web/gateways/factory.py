"""Which gateways a region's processes can reach. An adapter that is not listed here does not exist."""

import binascii
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from regions.environment import account_secret
from regions.errors import ConfigurationError
from regions.region import Region
from regions.region_parts import GatewayAccount
from web.gateways.adyen.adapter import TEST_PAGE_ORIGINS, TEST_URL, AdyenGateway, AdyenSettings
from web.gateways.protocol import Gateway
from web.gateways.sandbox.adapter import NOT_FOUND_AFTER, SandboxGateway, SandboxSettings
from web.gateways.stripe.adapter import BASE_URL, StripeGateway, StripeSettings
from web.settings import Settings

NOT_FOUND_AFTER_VARIABLE = "SANDBOX_NOT_FOUND_AFTER_SECONDS"
Env = Mapping[str, str]


def open_gateways(region: Region, settings: Settings, env: Env = os.environ) -> Mapping[str, Gateway]:
    """An adapter per gateway of the region, by name; ConfigurationError for one that we have no adapter for."""
    return MappingProxyType({account.name: _open(account, region, settings, env) for account in region.gateways})


def _open(account: GatewayAccount, region: Region, settings: Settings, env: Env) -> Gateway:
    makers: dict[str, Callable[[], Gateway]] = {
        SandboxGateway.name: lambda: _sandbox(account, settings, env),
        StripeGateway.name: lambda: _stripe(account, region, env),
        AdyenGateway.name: lambda: _adyen(account, region, env),
    }
    maker = makers.get(account.adapter)
    if maker is None:
        raise ConfigurationError(f"Region {region.code} names the gateway {account.adapter!r}, which has no adapter.")
    return maker()


def _sandbox(account: GatewayAccount, settings: Settings, env: Env) -> Gateway:
    return SandboxGateway(
        SandboxSettings(
            base_url=settings.sandbox_url,
            account=account.account,
            api_key=account_secret(settings.sandbox_api_key, account.name),
            webhook_secret=account_secret(settings.sandbox_webhook_secret, account.name),
            not_found_after=_not_found_after(env),
        )
    )


def _stripe(account: GatewayAccount, region: Region, env: Env) -> Gateway:
    return StripeGateway(
        StripeSettings(
            account=account.account,
            api_key=_secret(env, "STRIPE_API_KEY", region, "the secret key of the Stripe account"),
            webhook_secret=_secret(env, "STRIPE_WEBHOOK_SECRET", region, "the signing secret of its webhook endpoint"),
            base_url=env.get("STRIPE_URL") or BASE_URL,
        )
    )


def _adyen(account: GatewayAccount, region: Region, env: Env) -> Gateway:
    suffix = region.code.upper()
    hmac_key = _secret(env, "ADYEN_HMAC_KEY", region, "the HMAC key of its standard webhook, in hex")
    try:
        binascii.unhexlify(hmac_key)
    except binascii.Error:
        raise ConfigurationError(f"ADYEN_HMAC_KEY_{suffix} is not hex: copy it as Adyen shows it.") from None
    url = env.get(f"ADYEN_URL_{suffix}") or TEST_URL
    origins = tuple(env.get(f"ADYEN_PAGE_ORIGINS_{suffix}", "").split()) or TEST_PAGE_ORIGINS
    return AdyenGateway(
        AdyenSettings(
            account=account.account,
            api_key=_secret(env, "ADYEN_API_KEY", region, "the API key of the Adyen merchant account"),
            hmac_key=hmac_key,
            base_url=url,
            page_origins=origins,
            livemode=url != TEST_URL and "-live" in url,
        )
    )


def _secret(env: Env, name: str, region: Region, what: str) -> str:
    variable = f"{name}_{region.code.upper()}"
    value = env.get(variable, "").strip()
    if not value:
        raise ConfigurationError(f"{variable} is not set: region {region.code} needs {what}.")
    return value


def _not_found_after(env: Env) -> timedelta:
    text = env.get(NOT_FOUND_AFTER_VARIABLE)
    if not text:
        return NOT_FOUND_AFTER
    if not (text.isascii() and text.isdigit()):
        raise ConfigurationError(f"{NOT_FOUND_AFTER_VARIABLE} is {text!r}: give whole seconds.")
    return timedelta(seconds=int(text))
