import base64

import pytest

from regions.errors import ConfigurationError
from regions.region import load_region
from web.db.engine import Database
from web.db.provision import LOGIN_ROLES, passwords_from
from web.settings import Settings

ENV = {
    "DATABASE_URL_EU": "postgresql://web:s3cret@127.0.0.1:1/meridian",
    "API_BASE_URL_EU": "https://eu.meridian.test/",
    "API_BASE_URL_US": "https://us.meridian.test",
    "KEY_PEPPER_EU": base64.b64encode(b"p" * 32).decode(),
    "SERVICE_KEY_EU": "service-key",
    "VAULT_URI_EU": "file:///vault/eu",
    "SANDBOX_URL": "http://127.0.0.1:9000",
    "SANDBOX_API_KEY_EU": "sandbox-key",
    "SANDBOX_WEBHOOK_SECRET_EU": "webhook-secret",
}


def test_settings_are_read_whole() -> None:
    settings = Settings.from_environment(load_region("eu"), ENV)
    assert settings.api_base_url == "https://eu.meridian.test"
    assert dict(settings.api_base_urls) == {"eu": "https://eu.meridian.test", "us": "https://us.meridian.test"}
    assert settings.console_url == "https://eu.meridian.test/console"


@pytest.mark.parametrize("name", sorted(set(ENV) - {"API_BASE_URL_US"}))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment(load_region("eu"), {key: value for key, value in ENV.items() if key != name})


def test_secrets_do_not_show() -> None:
    shown = repr(Settings.from_environment(load_region("eu"), ENV))
    for secret in ("s3cret", "service-key", "sandbox-key", "webhook-secret", "pppp"):
        assert secret not in shown


@pytest.mark.parametrize("url", ["mysql://u:s3cret@h/d", "nonsense s3cret"])
def test_a_wrong_database_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Database(url, application_name="tests")
    assert "s3cret" not in str(refused.value)


def test_every_missing_password_is_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        passwords_from({"DB_PASSWORD_WEB": "x"})
    for role in set(LOGIN_ROLES) - {"web"}:
        assert f"DB_PASSWORD_{role.upper()}" in str(refused.value)
