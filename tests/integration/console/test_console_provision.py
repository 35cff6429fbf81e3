"""`python -m web.console.provision`: users are made, changed and ended by a command; its mistakes are one sentence."""

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.console import PASSWORD, Browser, House
from web.console.accounts import totp
from web.console.provision import main
from web.console.wiring import EXTENSION

Provision = Callable[..., tuple[int, str, str]]


@pytest.fixture
def provision(house: House, capsys: pytest.CaptureFixture[str]) -> Provision:
    """The command: exit code, output, message."""

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        codes = [] if "CONSOLE_KEY_EU" in (env or {}) else ["--without-totp"]
        code = main(["--region", "eu", *arguments, *codes], house.database.env_for("owner") | dict(env or {}))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def enrolled(house: House, provision: Provision) -> tuple[str, bytes]:
    """A user with PASSWORD and an authenticator app: the e-mail address and the app's secret."""
    email, env = fresh(), {"CONSOLE_USER_PASSWORD": PASSWORD, "CONSOLE_KEY_EU": key_of(house)}
    code, out, err = provision("--email", email, "--role", "developer", env=env)
    assert code == 0, err
    assert "totp_uri" not in json.loads(provision("--email", email, "--role", "developer", env=env)[1]), "shown once"
    return email, secret_in(json.loads(out)["totp_uri"])


def key_of(house: House) -> str:
    return base64.b64encode(house.app.extensions[EXTENSION].settings.key).decode()


def secret_in(uri: str) -> bytes:
    """As an authenticator app reads it."""
    text = parse_qs(urlsplit(uri).query)["secret"][0]
    return base64.b32decode(text + "=" * (-len(text) % 8))


def step() -> int:
    return int(time.time()) // totp.STEP_SECONDS


def test_who_is_enrolled_needs_the_code_of_the_moment_once(house: House, enrolled: tuple[str, bytes]) -> None:
    email, secret = enrolled
    code = totp.code_at(secret, step())
    for wrong in ("", "000000", totp.code_at(secret, step() + 20), totp.code_at(b"another" * 3, step())):
        answer = house.browser().sign_in(email, PASSWORD, wrong)
        assert answer.status_code == 401
        assert "the one-time code is wrong" in answer.text
    assert house.browser().sign_in(email, PASSWORD + "x", code).status_code == 401
    assert house.browser().sign_in(email, PASSWORD, f"{code[:3]} {code[3:]}").status_code == 303
    assert house.browser().sign_in(email, PASSWORD, code).status_code == 401, "a code opens once"
    later = totp.code_at(secret, step() + 1)
    assert house.browser().sign_in(email, PASSWORD, later).status_code == 303


def test_codes_cannot_be_tried_forever(house: House, enrolled: tuple[str, bytes]) -> None:
    email, secret = enrolled
    for _ in range(10):
        house.browser().sign_in(email, PASSWORD, "123456")
    assert house.browser().sign_in(email, PASSWORD, totp.code_at(secret, step())).status_code == 429


def test_enrolling_anew_ends_the_old_app_and_every_session(
    house: House, provision: Provision, enrolled: tuple[str, bytes]
) -> None:
    email, secret = enrolled
    browser = house.browser()
    assert browser.sign_in(email, PASSWORD, totp.code_at(secret, step())).status_code == 303
    env = {"CONSOLE_USER_PASSWORD": PASSWORD, "CONSOLE_KEY_EU": key_of(house)}
    _, out, _ = provision("--email", email, "--role", "developer", "--new-totp", env=env)
    assert browser.get("/overview").status_code == 303
    assert house.browser().sign_in(email, PASSWORD, totp.code_at(secret, step() + 1)).status_code == 401
    new = secret_in(json.loads(out)["totp_uri"])
    assert house.browser().sign_in(email, PASSWORD, totp.code_at(new, step())).status_code == 303


def test_the_secret_lies_sealed(house: House, enrolled: tuple[str, bytes]) -> None:
    with house.admin() as connection:
        row = connection.execute("SELECT totp_sealed FROM console_users WHERE email = %s", [enrolled[0]]).fetchone()
        entry = connection.execute(
            "SELECT after::text FROM audit_entries WHERE table_name = 'console_users' ORDER BY id DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    assert entry is not None
    assert enrolled[1] not in bytes(row[0])
    assert "[masked]" in entry[0]


def fresh() -> str:
    return f"{secrets.token_hex(6)}@example.com"


def signs_in(house: House, email: str, password: str) -> Browser | None:
    browser = house.browser()
    return browser if browser.sign_in(email, password).status_code == 303 else None


def test_a_drawn_password_is_shown_once_works_and_is_stored_hashed(house: House, provision: Provision) -> None:
    email = fresh()
    code, out, err = provision("--email", f" {email.upper()} ", "--role", "finance")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert (made["email"], made["role"], made["merchant_id"]) == (email, "finance", None)
    assert signs_in(house, email, made["password"])
    assert not signs_in(house, email, made["password"] + "x")
    with house.admin() as connection:
        row = connection.execute("SELECT console_users::text FROM console_users WHERE email = %s", [email]).fetchone()
    assert row is not None
    assert made["password"] not in row[0]
    code, out, err = provision("--email", email, "--role", "finance")
    assert (code, out) == (2, "")
    assert "This user exists: give a new password in CONSOLE_USER_PASSWORD" in err


def test_a_given_password_is_never_printed_and_the_same_again_changes_nothing(
    house: House, provision: Provision
) -> None:
    email, env = fresh(), {"CONSOLE_USER_PASSWORD": PASSWORD}
    arguments = ("--email", email, "--role", "owner", "--merchant", house.database.merchant_id)
    answers = [provision(*arguments, env=env)]
    browser = signs_in(house, email, PASSWORD)
    answers.append(provision(*arguments, env=env))
    assert answers[0] == answers[1]
    assert answers[0][0] == 0
    assert PASSWORD not in answers[0][1]
    assert browser is not None
    assert browser.get("/overview").status_code == 200, "the same again ends no session"
    assert provision(*arguments, env={"CONSOLE_USER_PASSWORD": f"{PASSWORD} new"})[0] == 0
    assert browser.get("/overview").status_code == 303, "another password ends every session"
    assert not signs_in(house, email, PASSWORD)
    assert signs_in(house, email, f"{PASSWORD} new")


def test_a_user_that_is_disabled_is_out_at_once(house: House, provision: Provision) -> None:
    email = fresh()
    provision("--email", email, "--role", "support", env={"CONSOLE_USER_PASSWORD": PASSWORD})
    browser = signs_in(house, email, PASSWORD)
    assert browser is not None
    code, out, _ = provision("--email", email, "--disable")
    assert (code, json.loads(out)["disabled"]) == (0, True)
    assert browser.get("/overview").status_code == 303
    assert not signs_in(house, email, PASSWORD)


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (("--email", "nobody", "--role", "owner"), {}, "--email is not an e-mail address"),
        (("--email", "a b@example.com", "--role", "owner"), {}, "--email is not an e-mail address"),
        (("--email", "a@example.com"), {}, "--role is missing: use one of owner, developer"),
        (("--email", "a@example.com", "--role", "owner", "--merchant", "merch_eu_x"), {}, "no merchant of region"),
        (("--email", "a@example.com", "--role", "owner", "--merchant", "merch_us_x"), {}, "no merchant of region"),
        (("--email", "a@example.com", "--role", "compliance", "--merchant", "m"), {}, "leave out --merchant"),
        (("--email", "a@example.com", "--role", "owner"), {"CONSOLE_USER_PASSWORD": "short"}, "must have"),
        (("--email", "gone@example.com", "--disable"), {}, "There is no console user with this e-mail address"),
        (("--email", "a@example.com", "--role", "owner"), {"DATABASE_URL_EU": ""}, "DATABASE_URL_EU is not set"),
        (
            ("--email", "a@example.com", "--role", "owner"),
            {"DATABASE_URL_EU": "postgresql://owner:pw@127.0.0.1:9/meridian"},
            "The database of region eu cannot be reached",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_makes_nobody(
    house: House, provision: Provision, arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    def users() -> object:
        with house.admin() as connection:
            return connection.execute("SELECT count(*), max(created_at) FROM console_users").fetchone()

    before = users()
    code, out, err = provision(*arguments, env=env)
    assert (code != 0, out, err.count("\n")) == (True, "", 1)
    assert said in err
    assert users() == before


def test_an_unknown_region_and_role_are_refused(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--region", "zz", "--email", "a@example.com", "--role", "owner"], house.database.env) == 2
    assert "no region 'zz'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["--region", "eu", "--email", "a@example.com", "--role", "king"], house.database.env)
    assert caught.value.code == 2
