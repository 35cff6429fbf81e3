import pytest

from regions.errors import ConfigurationError
from tests.support.sandbox import environment
from web.sandbox.settings import Settings


def test_each_region_with_a_key_is_an_account_of_the_catalog() -> None:
    settings = Settings.from_environment(environment("postgresql://x/y"))
    assert [(account.region, name) for name, account in settings.accounts.items()] == [
        ("eu", "MeridianEU"),
        ("eu", "MeridianEU2"),
        ("in", "MeridianIN"),
        ("in", "MeridianIN2"),
        ("us", "MeridianUS"),
        ("us", "MeridianUS2"),
    ]
    assert settings.accounts["MeridianEU2"].webhook_url == "https://pay.eu.example/gateways/sandbox_b/webhooks"
    assert len({account.api_key for account in settings.accounts.values()}) == 6
    account = settings.accounts["MeridianEU"]
    assert account.webhook_url == "https://pay.eu.example/gateways/sandbox/webhooks"
    assert account.parent_origin == "https://pay.eu.example"


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("SANDBOX_DATABASE_URL", "SANDBOX_DATABASE_URL"),
        ("SANDBOX_URL", "SANDBOX_URL"),
        ("SANDBOX_CONTROL_KEY", "SANDBOX_CONTROL_KEY"),
        ("SANDBOX_WEBHOOK_SECRET_EU", "SANDBOX_WEBHOOK_SECRET_EU"),
        ("API_BASE_URL_EU", "API_BASE_URL_EU"),
    ],
)
def test_a_missing_variable_is_named(gone: str, said: str) -> None:
    env = environment("postgresql://x/y")
    del env[gone]
    with pytest.raises(ConfigurationError, match=said):
        Settings.from_environment(env)


def test_without_any_account_nothing_starts() -> None:
    env = {name: value for name, value in environment("postgresql://x/y").items() if "API_KEY" not in name}
    with pytest.raises(ConfigurationError, match="SANDBOX_API_KEY_<REGION>"):
        Settings.from_environment(env)


@pytest.mark.parametrize("text", ["soon", "-1", "5184001", "nan"])
def test_a_duration_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="SANDBOX_HOLD_SECONDS"):
        Settings.from_environment(environment("postgresql://x/y", SANDBOX_HOLD_SECONDS=text))


def test_secrets_do_not_show_in_a_repr() -> None:
    shown = repr(Settings.from_environment(environment("postgresql://role:secret-password@x/y")))
    assert "MeridianEU" in shown
    for secret in ("secret-password", "control-key", "sk_sandbox", "whsec"):
        assert secret not in shown
