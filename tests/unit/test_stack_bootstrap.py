from pathlib import Path

import pytest

from pipelines import bootstrap
from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import write_json

REGION_FIELDS = [
    "api_url",
    "console_url",
    "secret_key",
    "kafka",
    "lake_uri",
    "vault_uri",
    "warehouse_uri",
    "service_key",
    "key_pepper",
    "sandbox_api_key",
    "sandbox_webhook_secret",
]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MERIDIAN_STATE", str(tmp_path))
    entry = {name: f"{name}-eu" for name in REGION_FIELDS}
    entry["role_urls"] = {role: f"postgresql://{role}@h/meridian" for role in bootstrap._OF_ROLE}
    write_json(tmp_path / "stack.json", {"version": 1, "regions": {"eu": entry}, "sandbox": {"url": "http://psp"}})
    return tmp_path


def test_the_stack_fills_in_for_one_role_only(stack: Path) -> None:
    found = bootstrap.environment("relay")
    assert found["DATABASE_URL_EU"] == "postgresql://relay@h/meridian"
    assert found["KAFKA_BOOTSTRAP_SERVERS_EU"] == "kafka-eu"
    assert not {"KEY_PEPPER_EU", "SERVICE_KEY_EU", "SANDBOX_WEBHOOK_SECRET_EU"} & set(found)
    assert bootstrap.environment("web")["KEY_PEPPER_EU"] == "key_pepper-eu"


def test_real_variables_win(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_EU", "postgresql://mine@h/meridian")
    assert bootstrap.environment("lake")["DATABASE_URL_EU"] == "postgresql://mine@h/meridian"


def test_without_a_stack_there_is_only_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERIDIAN_STATE", str(tmp_path / "none"))
    assert "DATABASE_URL_EU" not in bootstrap.environment("relay")


def test_a_damaged_stack_is_one_sentence(stack: Path) -> None:
    write_json(stack / "stack.json", {"regions": {"eu": {}}, "sandbox": {"url": ""}})
    with pytest.raises(StackUsageError, match="damaged"):
        bootstrap.environment("relay")


def test_an_unknown_role_is_a_mistake_in_the_code() -> None:
    with pytest.raises(ValueError, match="postgres"):
        bootstrap.environment("postgres")


def test_whoever_starts_jobs_of_several_roles_gives_each_its_login(
    monkeypatch: pytest.MonkeyPatch, stack: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL_EU", "postgresql://mine@h/meridian")
    monkeypatch.setenv("DATABASE_URL_EU_READER", "postgresql://reader@there/meridian")
    monkeypatch.setenv("DATABASE_URL_EU_RETENTION", "postgresql://retention@there/meridian")
    monkeypatch.setenv("DATABASE_URL_EU_LAKE", "")
    found = bootstrap.environment("reader")
    assert found["DATABASE_URL_EU"] == "postgresql://reader@there/meridian"
    assert bootstrap.environment("lake")["DATABASE_URL_EU"] == "postgresql://mine@h/meridian"
    for role in ("reader", "lake", "relay"):
        assert "postgresql://retention@there/meridian" not in bootstrap.environment(role).values()
