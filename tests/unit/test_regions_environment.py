import base64

import pytest

from regions.errors import ConfigurationError, MeridianError
from regions.region import load_region

EU = load_region("eu")
PEPPER = base64.b64encode(bytes(range(32))).decode()

# variable, method, a good value, what it becomes, and bad values
READERS = [
    (
        "API_BASE_URL_EU",
        EU.api_base_url,
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8080",
        ["127.0.0.1", "ftp://x", "http://"],
    ),
    ("CONSOLE_URL_EU", EU.console_url, "https://x.example/console", "https://x.example/console", ["/console"]),
    (
        "DATABASE_URL_EU",
        EU.database_url,
        "postgresql://web:pw@127.0.0.1:5433/meridian",
        "postgresql://web:pw@127.0.0.1:5433/meridian",
        ["mysql://web:hunter2@db/m", "postgresql://", "postgresql://web:hunter2@db:notaport/m"],
    ),
    (
        "KAFKA_BOOTSTRAP_SERVERS_EU",
        EU.kafka_bootstrap_servers,
        "a:9092,[::1]:9093",
        "a:9092,[::1]:9093",
        ["a", "a:b", "a:1,"],
    ),
    ("LAKE_URI_EU", EU.lake_uri, "file:///var/lake/eu/", "file:///var/lake/eu", ["/var/lake", "file://", "file:///"]),
    ("VAULT_URI_EU", EU.vault_uri, "file:///var/vault/eu", "file:///var/vault/eu", ["s3://vault", "vault"]),
    ("WAREHOUSE_URI_EU", EU.warehouse_uri, "file:///var/wh/eu", "file:///var/wh/eu", ["file:///has space"]),
    ("KEY_PEPPER_EU", EU.key_pepper, PEPPER, bytes(range(32)), ["c2hvcnQ=", "no base64 !" + PEPPER]),
    ("SERVICE_KEY_EU", EU.service_key, "s" * 40, "s" * 40, []),
    ("SANDBOX_API_KEY_EU", EU.sandbox_api_key, "k", "k", []),
    ("SANDBOX_WEBHOOK_SECRET_EU", EU.sandbox_webhook_secret, "w", "w", []),
]


@pytest.mark.parametrize(("variable", "read", "good", "value", "bad"), READERS, ids=[row[0] for row in READERS])
def test_a_variable_is_read_checked_and_named(variable, read, good, value, bad) -> None:  # noqa: ANN001
    assert read({variable: good}) == value
    for missing in ({}, {variable: ""}, {variable: "  "}, {variable.replace("_EU", "_US"): good}):
        with pytest.raises(ConfigurationError, match=f"^{variable} is not set: ") as caught:
            read(missing)
        assert caught.value.exit_code == 2
    for wrong in bad:
        with pytest.raises(ConfigurationError, match=f"^{variable} must be ") as caught:
            read({variable: wrong})
        assert "hunter2" not in str(caught.value), "values hold passwords"


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_URI_EU", "file:///from/the/process")
    assert EU.lake_uri() == "file:///from/the/process"
    with pytest.raises(ConfigurationError):
        EU.lake_uri({})


def test_errors_carry_their_exit_code() -> None:
    assert MeridianError.exit_code == 1
    assert ConfigurationError.exit_code == 2
