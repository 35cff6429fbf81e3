"""Passwords, tokens, limits: what they are made of."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from web.console.access import OPEN_ENDPOINTS, audience_of
from web.console.accounts import domain, totp
from web.console.merchant.domain import BAR_WIDTH, funnel_steps


def test_a_hash_says_how_it_was_made() -> None:
    stored = domain.hash_password("correct horse battery")
    _, scheme, version, parameters, salt, digest = stored.split("$")
    assert (scheme, version, parameters) == ("argon2id", "v=19", "m=19456,t=2,p=1")
    assert [len(base64.b64decode(part + "=" * (-len(part) % 4))) for part in (salt, digest)] == [16, 32]
    assert domain.fits("correct horse battery", stored)
    assert not domain.fits("correct horse batterY", stored)
    assert stored != domain.hash_password("correct horse battery")


def test_a_hash_of_other_parameters_still_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MEMORY_KIB", 64)
    stored = domain.hash_password("correct horse battery")
    monkeypatch.undo()
    assert "$m=64," in stored
    assert domain.fits("correct horse battery", stored)


def test_a_hash_of_before_argon2_still_fits() -> None:
    salt, digest = b"s" * 16, hashlib.scrypt(b"correct horse battery", salt=b"s" * 16, n=2**10, r=8, p=3, dklen=32)
    stored = f"scrypt$1024$8$3${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
    assert domain.fits("correct horse battery", stored)
    assert not domain.fits("correct horse batterY", stored)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "scrypt",
        "scrypt$1$2$3$a$b",
        "scrypt$1024$8$1$%%$%",
        "plain$1024$8$1$c2E=$aGE=",
        "$argon2id$",
        "$argon2id$v=19$m=1",
    ],
)
def test_what_is_no_hash_fits_nothing(broken: str) -> None:
    assert not domain.fits("correct horse battery", broken)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix", "unix"),
    ],
)
def test_an_attacker_has_a_whole_ipv6_network(address: str, network: str) -> None:
    assert domain.network_of(address) == network


def test_failures_are_counted_under_names_that_need_the_key() -> None:
    keys = domain.failure_keys(b"k" * 32, "ada@example.com", "192.0.2.7")
    assert set(keys) == set(domain.FAILURES_MAX)
    assert keys != domain.failure_keys(b"l" * 32, "ada@example.com", "192.0.2.7")


def test_a_form_token_belongs_to_one_cookie_and_one_purpose() -> None:
    token = domain.new_token()
    made = domain.csrf_token(token, "sign-in")
    assert domain.is_csrf_token(made, token, "sign-in")
    assert not domain.is_csrf_token(made, token, "sign-out")
    assert not domain.is_csrf_token(made, domain.new_token(), "sign-in")
    assert not domain.is_csrf_token("é", token, "sign-in")


def test_an_endpoint_that_is_nobodys_stops_the_process() -> None:
    assert all(audience_of(endpoint) is None for endpoint in OPEN_ENDPOINTS)
    with pytest.raises(ValueError, match="payouts"):
        audience_of("payouts.overview")


def test_bars_are_as_wide_as_steps_are_many() -> None:
    steps = funnel_steps([("opened", 200), ("submitted", 50), ("succeeded", 0)])
    assert [(step.width, step.of_previous) for step in steps] == [(BAR_WIDTH, 200), (BAR_WIDTH // 4, 200), (0, 50)]
    assert [step.width for step in funnel_steps([("opened", 0)])] == [0]


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238(second: int, code: str) -> None:
    secret = b"12345678901234567890"  # appendix B; the last six of its eight digits
    assert totp.code_at(secret, second // 30) == code
    now = datetime.fromtimestamp(second, UTC)
    assert totp.step_of(secret, code, now) == second // 30
    assert totp.step_of(secret, code, now + timedelta(seconds=30)) == second // 30
    assert totp.step_of(secret, code, now + timedelta(seconds=90)) is None
    for wrong in ("", "000000", code[:-1], code + "0", "é" * 6):
        assert totp.step_of(secret, wrong, now) is None


def test_a_secret_opens_under_its_key_for_its_user_only() -> None:
    sealed = totp.seal(b"k" * 32, "user_eu_1", b"secret")
    assert totp.unseal(b"k" * 32, "user_eu_1", sealed) == b"secret"
    assert totp.unseal(b"l" * 32, "user_eu_1", sealed) is None
    assert totp.unseal(b"k" * 32, "user_eu_2", sealed) is None
    assert totp.address(b"12345678901234567890", "ada@example.com", "eu").startswith("otpauth://totp/Meridian%20eu:ada")
