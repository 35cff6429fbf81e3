"""Where a region's parts run: environment variables named after the region, `DATABASE_URL_EU`. Checked when read."""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from regions.errors import ConfigurationError

SANDBOX: Final = "sandbox"  # the adapter of the simulated gateway, and the name of a region's first account there
_PEPPER_BYTES: Final = 32
_HOST_PORT: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")


class RegionEnvironment:
    """The part of a Region that reads the environment. `env` is the process's own unless given.

    Every method raises ConfigurationError with the variable's name, and never with its value: values hold passwords.
    """

    code: str

    def api_base_url(self, env: Mapping[str, str] | None = None) -> str:
        """Base URL of the region's API as the world sees it, without a slash at the end."""
        return self._url("API_BASE_URL", env, {"http", "https"}).rstrip("/")

    def console_url(self, env: Mapping[str, str] | None = None) -> str:
        """Base URL of the region's console, without a slash at the end."""
        return self._url("CONSOLE_URL", env, {"http", "https"}).rstrip("/")

    def database_url(self, env: Mapping[str, str] | None = None) -> str:
        """The region's PostgreSQL, as this process's own role."""
        return self._url("DATABASE_URL", env, {"postgresql"})

    def kafka_bootstrap_servers(self, env: Mapping[str, str] | None = None) -> str:
        """`host:port`, several separated by commas."""
        value = self._variable("KAFKA_BOOTSTRAP_SERVERS", "host:port of the region's Kafka", env)
        if not all(_HOST_PORT.fullmatch(part.strip()) for part in value.split(",")):
            raise ConfigurationError(f"{self._name('KAFKA_BOOTSTRAP_SERVERS')} must be host:port, separated by commas")
        return value

    def lake_uri(self, env: Mapping[str, str] | None = None) -> str:
        """Root of the region's lake."""
        return self._url("LAKE_URI", env, {"file", "s3", "gs", "abfss"}).rstrip("/")

    def vault_uri(self, env: Mapping[str, str] | None = None) -> str:
        """The region's key vault; `regions.vault.open_vault` opens it."""
        return self._url("VAULT_URI", env, {"file"}).rstrip("/")

    def warehouse_uri(self, env: Mapping[str, str] | None = None) -> str:
        """Folder of the region's warehouse builds."""
        return self._url("WAREHOUSE_URI", env, {"file"}).rstrip("/")

    def key_pepper(self, env: Mapping[str, str] | None = None) -> bytes:
        """The secret under which API keys and tokens are hashed, decoded: 32 bytes at least."""
        value = self._variable("KEY_PEPPER", "32 random bytes or more in base64", env)
        try:
            pepper = base64.b64decode(value, validate=True)
        except binascii.Error:
            pepper = b""
        if len(pepper) < _PEPPER_BYTES:
            raise ConfigurationError(f"{self._name('KEY_PEPPER')} must be {_PEPPER_BYTES} bytes or more in base64")
        return pepper

    def service_key(self, env: Mapping[str, str] | None = None) -> str:
        """The key of the region's internal API."""
        return self._variable("SERVICE_KEY", "the key of the region's internal API", env)

    def sandbox_api_key(self, env: Mapping[str, str] | None = None, gateway: str = SANDBOX) -> str:
        """Our key at the simulated gateway; that of a second account is derived from the first one's."""
        key = self._variable("SANDBOX_API_KEY", "the region's key at the simulated gateway", env)
        return account_secret(key, gateway)

    def sandbox_webhook_secret(self, env: Mapping[str, str] | None = None, gateway: str = SANDBOX) -> str:
        """The secret that signs the simulated gateway's webhooks; that of a second account is derived likewise."""
        meaning = "the secret that signs the simulated gateway's webhooks"
        secret = self._variable("SANDBOX_WEBHOOK_SECRET", meaning, env)
        return account_secret(secret, gateway)

    def _name(self, variable: str) -> str:
        return f"{variable}_{self.code.upper()}"

    def _variable(self, variable: str, meaning: str, env: Mapping[str, str] | None) -> str:
        value = (os.environ if env is None else env).get(self._name(variable), "").strip()
        if not value:
            raise ConfigurationError(
                f"{self._name(variable)} is not set: set it to {meaning}, or start the local stack with `meridian up`"
            )
        return value

    def _url(self, variable: str, env: Mapping[str, str] | None, schemes: set[str]) -> str:
        forms = " or ".join(f"{scheme}://…" for scheme in sorted(schemes))
        value = self._variable(variable, f"a URL, {forms}", env)
        try:
            parts = urlsplit(value)
            is_good = parts.scheme in schemes and bool(
                parts.path.strip("/") if parts.scheme == "file" else parts.hostname
            )
            _ = parts.port
        except ValueError:
            is_good = False
        if not is_good or any(char.isspace() for char in value):
            raise ConfigurationError(f"{self._name(variable)} must be a URL, {forms}")
        return value


def account_secret(secret: str, gateway: str) -> str:
    """The secret of one of a region's accounts at the simulated gateway, from that of the first one."""
    return secret if gateway == SANDBOX else hmac.new(secret.encode(), gateway.encode(), hashlib.sha256).hexdigest()
