"""`meridian keys` against the API: what people make, list, roll and revoke from a terminal."""

import json
from typing import Any

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from typer.testing import CliRunner

from pipelines.keys import commands
from pipelines.webhooks.merchant import MerchantApi, RefusedError
from tests.support.regional import RegionDatabase


@pytest.fixture(autouse=True)
def merchant(region_app: Flask, region_database: RegionDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands ask this app, as a merchant of their own."""
    _, secret = region_database.add_merchant()
    transport = httpx.WSGITransport(app=region_app)
    api = MerchantApi("http://eu.test", secret, transport)
    monkeypatch.setattr(MerchantApi, "open", lambda *_: api)
    monkeypatch.setattr(MerchantApi, "close", lambda _: None)
    monkeypatch.setattr(commands, "PAGE", 2)  # the list goes over pages


def run(*words: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(commands.app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def opens(client: FlaskClient, secret: str) -> int:
    return client.get("/v1/links", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_keys_are_made_listed_rolled_and_revoked(client: FlaskClient) -> None:
    (made,) = run("create", "--name", "shop", "--scope", "links:read", "--network", "127.0.0.0/8")
    assert (made["kind"], made["scopes"], made["name"]) == ("restricted", ["links:read"], "shop")
    assert opens(client, made["secret"]) == 200
    (rolled,) = run("roll", made["id"], "--overlap-seconds", "0")
    assert (rolled["rolled_from"], rolled["allowed_networks"]) == (made["id"], ["127.0.0.0/8"])
    assert (opens(client, made["secret"]), opens(client, rolled["secret"])) == (401, 200)
    (ended,) = run("revoke", rolled["id"])
    assert (ended["status"], opens(client, rolled["secret"])) == ("revoked", 401)
    listed = run("list")
    assert [(key["id"], key["status"]) for key in listed[:2]] == [(rolled["id"], "revoked"), (made["id"], "expired")]
    assert len(listed) == 3
    assert {key["secret"] for key in listed} == {None}


def test_what_the_api_refuses_is_one_sentence_with_the_field() -> None:
    with pytest.raises(RefusedError, match="/scopes a restricted key needs at least one scope"):
        run("create")
