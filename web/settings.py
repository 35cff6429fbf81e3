import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from regions.errors import ConfigurationError
from regions.region import Region, load_catalog
from web.http.addresses import Network
from web.rates.domain import Rate, rate_of

BODY_BYTES_MAX = 65_536
REQUEST_MS = 10_000  # what a request's transaction may take; a statement's and a lock's shares are in web/db/engine.py
REQUEST_MS_LEAST, REQUEST_MS_MOST = 100, 25_000  # less than gunicorn's and an idempotency key's lease
TRUSTED_PROXIES = "TRUSTED_PROXIES"
RATE_PER_KEY, RATE_PER_ADDRESS = Rate(100, 500), Rate(200, 1000)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a web process of one region reads from the environment. Secrets never show in a repr."""

    database_url: str = field(repr=False)
    api_base_url: str
    api_base_urls: Mapping[str, str]  # every region's that is known here, for 421 answers
    console_url: str
    key_pepper: bytes = field(repr=False)
    service_key: str = field(repr=False)
    vault_uri: str
    sandbox_url: str
    sandbox_api_key: str = field(repr=False)
    sandbox_webhook_secret: str = field(repr=False)
    body_bytes_max: int = BODY_BYTES_MAX
    pool_size: int = 8
    request_ms: int = REQUEST_MS
    rate_per_key: Rate = RATE_PER_KEY
    rate_per_address: Rate = RATE_PER_ADDRESS
    trusted_proxies: tuple[Network, ...] = ()  # whose X-Forwarded-For is believed
    may_send_to_localhost: bool = False  # a developer's machine: test endpoints may be on it

    @classmethod
    def from_environment(cls, region: Region, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read every variable; raise ConfigurationError naming the first one that is missing or wrong."""
        api_base_url = region.api_base_url(env)
        sandbox_url = env.get("SANDBOX_URL", "").strip().rstrip("/")
        if not sandbox_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                "SANDBOX_URL must be set to the base URL of the simulated gateway, http://… or https://…"
            )
        return cls(
            database_url=region.database_url(env),
            api_base_url=api_base_url,
            api_base_urls=_known_base_urls(env),
            console_url=env.get(f"CONSOLE_URL_{region.code.upper()}") or f"{api_base_url}/console",
            key_pepper=region.key_pepper(env),
            service_key=region.service_key(env),
            vault_uri=region.vault_uri(env),
            sandbox_url=sandbox_url,
            sandbox_api_key=region.sandbox_api_key(env),
            sandbox_webhook_secret=region.sandbox_webhook_secret(env),
            request_ms=_request_ms(env),
            rate_per_key=_rate(env, "RATE_LIMIT_PER_KEY", RATE_PER_KEY),
            rate_per_address=_rate(env, "RATE_LIMIT_PER_ADDRESS", RATE_PER_ADDRESS),
            trusted_proxies=trusted_networks(env),
            may_send_to_localhost=env.get("WEBHOOKS_TO_LOCALHOST") == "1",
        )


def _rate(env: Mapping[str, str], name: str, default: Rate) -> Rate:
    text = env.get(name, "").strip()
    found = rate_of(text) if text else default
    if found is None:
        raise ConfigurationError(f"{name} is {text!r}: give requests a second and at once, such as 100/500.")
    return found


def _request_ms(env: Mapping[str, str]) -> int:
    text = env.get("REQUEST_TIMEOUT_MS", "").strip() or str(REQUEST_MS)
    if not text.isascii() or not text.isdigit() or not REQUEST_MS_LEAST <= int(text) <= REQUEST_MS_MOST:
        raise ConfigurationError(
            f"REQUEST_TIMEOUT_MS is {text!r}: give milliseconds from {REQUEST_MS_LEAST} to {REQUEST_MS_MOST}."
        )
    return int(text)


def trusted_networks(env: Mapping[str, str]) -> tuple[Network, ...]:
    """The networks of our own proxies. Raises ConfigurationError naming what is none."""
    found = []
    for part in env.get(TRUSTED_PROXIES, "").replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(part))
        except ValueError as error:
            raise ConfigurationError(
                f"{TRUSTED_PROXIES} names {part!r}, which is no address or network ({error}): "
                "give those of our own proxies, separated by commas"
            ) from error
    return tuple(found)


def _known_base_urls(env: Mapping[str, str]) -> dict[str, str]:
    """The API base URLs of the regions that run somewhere: a 421 names a region without one, not its address."""
    return {
        code: region.api_base_url(env)
        for code, region in load_catalog().items()
        if env.get(f"API_BASE_URL_{code.upper()}", "").strip()
    }
