import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from regions.errors import ConfigurationError
from regions.region import Region
from web.http.addresses import Network
from web.settings import trusted_networks

KEY_BYTES_MIN = 32
FORM_BYTES_MAX = 8_192


@dataclass(frozen=True, slots=True)
class Settings:
    """What a console process of one region reads from the environment. Secrets never show in a repr."""

    database_url: str = field(repr=False)
    warehouse_uri: str
    key: bytes = field(repr=False)  # names failed sign-ins without telling whose they are
    trusted_proxies: tuple[Network, ...] = ()  # whose X-Forwarded-For is believed
    pool_size: int = 8
    api_base_url: str = ""
    service_key: str = field(default="", repr=False)  # without it the console can only read

    @classmethod
    def from_environment(cls, region: Region, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read every variable; raise ConfigurationError naming the first one that is missing or wrong."""
        return cls(
            database_url=region.database_url(env),
            warehouse_uri=region.warehouse_uri(env),
            key=console_key(region, env),
            trusted_proxies=trusted_networks(env),
            api_base_url=region.api_base_url(env) if _has_service_key(region, env) else "",
            service_key=region.service_key(env) if _has_service_key(region, env) else "",
        )


def _has_service_key(region: Region, env: Mapping[str, str]) -> bool:
    return bool(env.get(f"SERVICE_KEY_{region.code.upper()}", "").strip())


def console_key(region: Region, env: Mapping[str, str] = os.environ) -> bytes:
    """The console's own key, at least 32 bytes; ConfigurationError if it is missing or too short."""
    variable = f"CONSOLE_KEY_{region.code.upper()}"
    value = env.get(variable, "").strip()
    if not value:
        raise ConfigurationError(f"{variable} is not set: give at least {KEY_BYTES_MIN} random bytes in base64.")
    try:
        key = base64.b64decode(value, validate=True)
    except binascii.Error:
        key = b""
    if len(key) < KEY_BYTES_MIN:
        raise ConfigurationError(f"{variable} must be at least {KEY_BYTES_MIN} bytes in base64.")
    return key
