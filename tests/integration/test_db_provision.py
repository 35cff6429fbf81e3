"""The provisioning commands: idempotent, and one sentence when something is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from regions.ids import new_secret
from tests.support.gunicorn_serving import ROOT, free_port
from tests.support.postgres import PostgresServer
from tests.support.regional import ROLE_PASSWORDS, RegionDatabase
from web.db.provision import provision


def run(module: str, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_provisioning_twice_changes_nothing(
    postgres_server: PostgresServer, new_region_database: Callable[..., RegionDatabase]
) -> None:
    database = new_region_database()
    name = database.url.rpartition("/")[2]
    with database.connect("postgres") as connection:
        query = (
            "SELECT oid, relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
        )
        revision = "SELECT version_num FROM alembic_version"
        before = (connection.execute(query).fetchall(), connection.execute(revision).fetchall())
        provision(postgres_server.url, ROLE_PASSWORDS, database=name)
        assert (connection.execute(query).fetchall(), connection.execute(revision).fetchall()) == before
    assert len(before[1]) == 1


def test_a_merchant_is_provisioned_once_per_key(region_database: RegionDatabase) -> None:
    env = region_database.env_for("owner")
    secret = new_secret("eu", livemode=False)
    arguments = ("--region", "eu", "--name", "Kept GmbH", "--country", "DE", "--secret-key", secret)
    answers = [run("web.merchants.provision", *arguments, env=env) for _ in range(2)]
    assert [answer.returncode for answer in answers] == [0, 0], answers[0].stderr
    assert answers[0].stdout == answers[1].stdout
    made = json.loads(answers[0].stdout)
    assert made["secret_key"] == secret
    with region_database.connect("postgres") as connection:
        stored = connection.execute("SELECT api_keys::text FROM api_keys WHERE merchant_id = %s", [made["merchant_id"]])
        rows = stored.fetchall()
    assert len(rows) == 1
    assert secret not in rows[0][0]


def test_a_merchant_declares_what_it_is_paid_out_in_and_the_stream_is_told(region_database: RegionDatabase) -> None:
    env = region_database.env_for("owner")
    base = ("--region", "eu", "--name", "Paid Ltd", "--country", "IE", "--secret-key", new_secret("eu", livemode=False))
    told = []
    for currency in ((), ("--settlement-currency", "SEK"), ("--settlement-currency", "SEK"), ()):
        answer = run("web.merchants.provision", *base, *currency, env=env)
        assert answer.returncode == 0, answer.stderr
        merchant_id = json.loads(answer.stdout)["merchant_id"]
        with region_database.connect("reader") as connection:
            (row,) = connection.execute("SELECT settlement_currency FROM merchants WHERE id = %s", [merchant_id])
            events = connection.execute(
                "SELECT type, data ->> 'settlement_currency', data ->> 'country', sequence FROM outbox"
                " WHERE subject = %s ORDER BY id",
                [merchant_id],
            ).fetchall()
        told.append((row[0], events))
    created, updated = ("merchant.created", "EUR", "IE", 1), ("merchant.updated", "SEK", "IE", 2)
    assert told == [("EUR", [created]), *[("SEK", [created, updated])] * 3]


@pytest.mark.parametrize(
    ("module", "arguments", "changed", "said"),
    [
        ("web.merchants.provision", ["--region", "eu", "--settlement-currency", "XTS"], {}, "--settlement-currency is"),
        ("web.merchants.provision", ["--region", "zz"], {}, "no region 'zz'"),
        ("web.merchants.provision", ["--region", "eu"], {"DATABASE_URL_EU": ""}, "DATABASE_URL_EU is not set"),
        ("web.merchants.provision", ["--region", "eu"], {"KEY_PEPPER_EU": "c2hvcnQ="}, "KEY_PEPPER_EU"),
        ("web.merchants.provision", ["--region", "eu", "--country", "Germany"], {}, "two capital letters"),
        (
            "web.merchants.provision",
            ["--region", "eu", "--secret-key", "mk_test_us_x"],
            {},
            "not an API key of region eu",
        ),
        (
            "web.merchants.provision",
            ["--region", "eu"],
            {"DATABASE_URL_EU": "postgresql://owner:pw@127.0.0.1:{free}/meridian"},
            "cannot be reached",
        ),
        ("web.db.provision", ["--region", "zz"], {}, "no region 'zz'"),
        ("web.db.provision", ["--region", "eu"], {}, "ADMIN_DATABASE_URL_EU is not set"),
        ("web.db.provision", ["--region", "eu"], {"ADMIN_DATABASE_URL_EU": "postgresql://x@h/d"}, "DB_PASSWORD_OWNER"),
        (
            "web.db.provision",
            ["--region", "eu"],
            {"ADMIN_DATABASE_URL_EU": "postgresql://x:pw@127.0.0.1:{free}/d"}
            | {f"DB_PASSWORD_{role.upper()}": "p" for role in ROLE_PASSWORDS},
            "cannot be reached",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    region_database: RegionDatabase, module: str, arguments: list[str], changed: dict[str, str], said: str
) -> None:
    if module == "web.merchants.provision":
        arguments = ["--name", "N", "--country", "DE", *arguments]
    port = str(free_port())
    env = region_database.env_for("owner") | {name: value.replace("{free}", port) for name, value in changed.items()}
    answer = run(module, *arguments, env=env)
    assert answer.returncode != 0
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("app", "missing"), [("web.wsgi:for_region('eu')", "SANDBOX_API_KEY_EU"), ("web.wsgi:app", "MERIDIAN_REGION")]
)
def test_a_service_without_configuration_stops_with_one_sentence(
    region_database: RegionDatabase, app: str, missing: str
) -> None:
    env = {name: value for name, value in region_database.env.items() if name != missing}
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{free_port()}", app]
    answer = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode != 0
    assert f"{missing} is not set" in answer.stderr
    assert "Traceback" not in answer.stderr
