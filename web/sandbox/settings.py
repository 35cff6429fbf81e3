"""What the simulated PSP reads from its environment, checked whole before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from regions.errors import ConfigurationError
from regions.region import Region, load_catalog
from regions.region_parts import GatewayAccount

GATEWAY = "sandbox"
DEFAULT_HOLD_SECONDS = 15.0
DEFAULT_ACTION_SECONDS = 900.0
DEFAULT_TOKEN_SECONDS = 900.0
DEFAULT_PENDING_SECONDS = 5.0
_DAY = 86_400.0
DEFAULT_AUTHORISATION_SECONDS = 7 * _DAY
DEFAULT_TRANSFER_SECONDS = 14 * _DAY
DEFAULT_DISPUTE_SECONDS = 20.0
DEFAULT_EVIDENCE_SECONDS = 10 * _DAY
DEFAULT_IDEMPOTENCY_SECONDS = 7 * _DAY
_DAYS_MAX = 30
_SECONDS_MAX = 60 * _DAY
WEBHOOK_PATH = "/gateways/{name}/webhooks"


@dataclass(frozen=True)
class Account:
    """One merchant account at this PSP, which serves one of our regions. Secrets stay out of `repr`."""

    name: str
    region: str
    timezone: str
    currencies: tuple[str, ...]
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    webhook_url: str
    parent_origin: str

    @property
    def tz(self) -> ZoneInfo:
        """The time zone of the account's business day and of its reports."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True)
class Settings:
    """The whole configuration of the process. Durations are in seconds."""

    database_url: str = field(repr=False)
    base_url: str
    control_key: str = field(repr=False)
    accounts: Mapping[str, Account]
    hold_seconds: float = DEFAULT_HOLD_SECONDS
    action_seconds: float = DEFAULT_ACTION_SECONDS
    token_seconds: float = DEFAULT_TOKEN_SECONDS
    pending_seconds: float = DEFAULT_PENDING_SECONDS
    authorisation_seconds: float = DEFAULT_AUTHORISATION_SECONDS
    transfer_seconds: float = DEFAULT_TRANSFER_SECONDS
    dispute_seconds: float = DEFAULT_DISPUTE_SECONDS
    evidence_seconds: float = DEFAULT_EVIDENCE_SECONDS
    idempotency_seconds: float = DEFAULT_IDEMPOTENCY_SECONDS
    payout_days: int = 0  # banking days from a batch's business day to its payout

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment. Raises ConfigurationError that names the variable and what to do."""
        accounts = [
            account
            for region in load_catalog().values()
            if _has_account(region, env)
            for account in _accounts(region, env)
        ]
        if not accounts:
            raise ConfigurationError(
                "No SANDBOX_API_KEY_<REGION> is set: give one region's API key at least, such as SANDBOX_API_KEY_EU."
            )
        return cls(
            database_url=database_url(env),
            base_url=_required(env, "SANDBOX_URL", "the base URL of this process, as browsers see it").rstrip("/"),
            control_key=_required(env, "SANDBOX_CONTROL_KEY", "the key of the /_control endpoints"),
            accounts={account.name: account for account in accounts},
            hold_seconds=_seconds(env, "SANDBOX_HOLD_SECONDS", DEFAULT_HOLD_SECONDS),
            action_seconds=_seconds(env, "SANDBOX_ACTION_SECONDS", DEFAULT_ACTION_SECONDS),
            token_seconds=_seconds(env, "SANDBOX_TOKEN_SECONDS", DEFAULT_TOKEN_SECONDS),
            pending_seconds=_seconds(env, "SANDBOX_PENDING_SECONDS", DEFAULT_PENDING_SECONDS),
            authorisation_seconds=_seconds(env, "SANDBOX_AUTHORISATION_SECONDS", DEFAULT_AUTHORISATION_SECONDS),
            transfer_seconds=_seconds(env, "SANDBOX_TRANSFER_SECONDS", DEFAULT_TRANSFER_SECONDS),
            dispute_seconds=_seconds(env, "SANDBOX_DISPUTE_SECONDS", DEFAULT_DISPUTE_SECONDS),
            evidence_seconds=_seconds(env, "SANDBOX_EVIDENCE_SECONDS", DEFAULT_EVIDENCE_SECONDS),
            idempotency_seconds=_seconds(env, "SANDBOX_IDEMPOTENCY_SECONDS", DEFAULT_IDEMPOTENCY_SECONDS),
            payout_days=_days(env, "SANDBOX_PAYOUT_DAYS"),
        )

    @property
    def final_after_seconds(self) -> int:
        """After so long a request that was sent can no longer charge: a look-up that finds nothing is then final."""
        return 60 + int(self.hold_seconds)


def database_url(env: Mapping[str, str] = os.environ) -> str:
    """The URL of the sandbox's own database. Raises ConfigurationError."""
    return _required(env, "SANDBOX_DATABASE_URL", "the URL of the sandbox's own PostgreSQL database")


def origin(url: str) -> str:
    """The origin (scheme, host and port) of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _has_account(region: Region, env: Mapping[str, str]) -> bool:
    return bool(env.get(f"SANDBOX_API_KEY_{region.code.upper()}"))


def _accounts(region: Region, env: Mapping[str, str]) -> list[Account]:
    """The region's accounts here; keys and secrets of all but the first are derived from the first one's."""
    ours = [gateway for gateway in region.gateways if gateway.adapter == GATEWAY]
    if not any(gateway.name == GATEWAY for gateway in ours):
        raise ConfigurationError(
            f"SANDBOX_API_KEY_{region.code.upper()} is set, but region {region.code} has no gateway called {GATEWAY!r}."
        )
    return [_account(region, gateway, env) for gateway in ours]


def _account(region: Region, gateway: GatewayAccount, env: Mapping[str, str]) -> Account:
    suffix = region.code.upper()
    secret = f"SANDBOX_WEBHOOK_SECRET_{suffix}"
    _required(env, secret, "the secret that signs this account's webhooks")
    given_url = env.get(f"SANDBOX_WEBHOOK_URL_{suffix}") if gateway.name == GATEWAY else None
    api_url = _required(env, f"API_BASE_URL_{suffix}", "the only site that may embed this account's card frame")
    return Account(
        name=gateway.account,
        region=region.code,
        timezone=region.timezone,
        currencies=tuple(region.currencies),
        api_key=region.sandbox_api_key(env, gateway.name),
        webhook_secret=region.sandbox_webhook_secret(env, gateway.name),
        webhook_url=given_url or api_url.rstrip("/") + WEBHOOK_PATH.format(name=gateway.name),
        parent_origin=origin(api_url),
    )


def _required(env: Mapping[str, str], name: str, purpose: str) -> str:
    value = env.get(name, "")
    if not value:
        raise ConfigurationError(f"{name} is not set: give {purpose}.")
    return value


def _days(env: Mapping[str, str], name: str) -> int:
    text = env.get(name, "") or "0"
    if not text.isdecimal() or int(text) > _DAYS_MAX:
        raise ConfigurationError(f"{name} is {text!r}: give between 0 and {_DAYS_MAX} days.")
    return int(text)


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} is {text!r}: give a number of seconds.") from error
    if not 0 <= value <= _SECONDS_MAX:
        raise ConfigurationError(f"{name} is {text!r}: give between 0 and {_SECONDS_MAX:.0f} seconds.")
    return value
