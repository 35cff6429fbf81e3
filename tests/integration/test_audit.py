"""The audit log: every write is in it, with who and why; whoever tampers with it is found out."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.errors import InsufficientPrivilege, IntegrityConstraintViolation

from pipelines.audit import service as verifying
from regions.audit import load_checkpoint
from regions.data_map import data_map
from regions.region import load_region
from regions.vault import open_vault
from tests.support.regional import RegionDatabase
from web.app import create_app
from web.audit import service as sealing
from web.audit.domain import NOT_AUDITED
from web.db.engine import Database
from web.settings import Settings
from web.wiring import Wiring

BODY: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}


@pytest.fixture(scope="module")
def log(postgres_server: Any) -> Iterator["Log"]:
    """A region of this file's own: tampering is not for a shared one."""
    from tests.support.regional import region_on

    with region_on(postgres_server, "eu") as database:
        region = load_region("eu")
        app = create_app(region, Settings.from_environment(region, database.env))
        settings = Settings.from_environment(region, database.env_for("worker"))
        worker = Database(settings.database_url, application_name="worker", pool_size=2)
        wiring = replace(app.extensions["meridian"], settings=settings, database=worker)
        yield Log(database, app, wiring)
        worker.dispose()
        app.extensions["meridian"].database.dispose()


class Log:
    """A region with its audit log."""

    def __init__(self, database: RegionDatabase, app: Flask, worker: Wiring) -> None:
        self.database, self.client, self.worker = database, app.test_client(), worker
        self.key = {"Authorization": f"Bearer {database.secret_key}"}
        self.vault_uri = worker.settings.vault_uri

    def entries(self, object_id: str) -> list[dict[str, Any]]:
        with self.database.connect("postgres") as connection:
            cursor = connection.execute(
                "SELECT * FROM audit_entries WHERE %s = ANY(object_ids) ORDER BY id", [object_id]
            )
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def write(self, times: int = 3) -> list[str]:
        """Make links, each with an entry."""
        made = [self.client.post("/v1/links", json=BODY, headers=self.key).get_json()["id"] for _ in range(times)]
        return [str(each) for each in made]

    def seal(self) -> None:
        while sealing.step(self.worker):
            pass

    def findings(self, **options: Any) -> list[str]:
        checkpoint = options.get("checkpoint", load_checkpoint(self.vault_uri))
        with psycopg.connect(self.database.role_urls["reader"]) as connection:
            key = open_vault(self.vault_uri).public_key()
            return [finding.kind for finding in verifying.verify(connection, "eu", key, checkpoint).findings]


@pytest.fixture
def tampered(log: Log, tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Do something to a sealed log as a superuser who has switched the triggers off; what verification says then."""
    log.write()
    log.seal()
    assert log.findings() == []
    connection = psycopg.connect(log.database.url)
    connection.execute("SET session_replication_role = replica")

    def tamper(*statements: str) -> list[str]:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
        key = open_vault(log.vault_uri).public_key()
        connection.execute("SAVEPOINT judged")
        verdict = verifying.judge(
            "eu",
            list(verifying.repository.seals(connection)),
            lambda ids: verifying.repository.hashes_of(connection, ids),
            load_checkpoint(log.vault_uri),
            lambda signature, message: _is_signed(key, signature, message),
        )
        found = sorted({finding.kind for finding in verdict})
        return found + ["inserted"] * bool(verifying.repository.unsealed(connection))

    yield tamper
    connection.rollback()
    connection.close()
    assert log.findings() == []


def _is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_every_table_is_audited_or_says_why_not(region_database: RegionDatabase) -> None:
    with region_database.connect("postgres") as connection:
        rows = connection.execute(
            """SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                 JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname IN ('audit_write', 'audit_new_links')
                 GROUP BY 1"""
        ).fetchall()
    tables = {name for name in data_map().tables if "." not in name}
    audited = {name for name, triggers in rows if triggers == 3}
    assert tables - audited - set(NOT_AUDITED) == set(), (
        "call audit_table('…') for these in your migration (see 0018_audit.sql), or say in web/audit/domain.py why not"
    )
    assert audited.isdisjoint(NOT_AUDITED)
    assert set(NOT_AUDITED) <= tables


def test_what_is_personal_or_opens_doors_is_masked(region_database: RegionDatabase) -> None:
    """The triggers' own arguments are held against the data map."""
    doors = {"api_keys": {"hash"}, "links": {"code"}, "checkout_sessions": {"token_hash"}}
    doors |= {"console_users": {"password_hash", "totp_sealed"}, "webhook_secrets": {"sealed"}}
    with region_database.connect("postgres") as connection:
        rows = connection.execute(
            """SELECT c.relname, encode(t.tgargs, 'escape') FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                 JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'audit_write'"""
        ).fetchall()
    for table, arguments in rows:
        masked = set(arguments.split("\\000")[0].strip("{}").split(",")) - {""}
        personal = {column.name for column in data_map().tables[table].personal}
        assert personal | doors.get(table, set()) <= masked, table


def test_who_what_before_after_when_and_for_which_request(log: Log) -> None:
    made = log.client.post("/v1/links", json=BODY, headers=log.key | {"Idempotency-Key": "audited"})
    link = made.get_json()["id"]
    changed = log.client.patch(f"/v1/links/{link}", json={"description": "Two chairs"}, headers=log.key)
    log.client.patch(f"/v1/links/{link}", json={"description": "Two chairs"}, headers=log.key)
    first, second = log.entries(link)
    key_id = log.client.get("/v1/keys", headers=log.key).get_json()["data"][-1]["id"]
    assert (first["actor"], first["operation"], first["table_name"]) == (key_id, "insert", "links")
    assert first["request_id"] == made.headers["Request-Id"]
    assert (first["before"], first["after"][0]["amount_minor"]) == (None, 1999)
    with log.database.connect("postgres") as connection:
        columns = {column.name for column in connection.execute("SELECT * FROM links LIMIT 0").description or ()}
    assert set(first["after"][0]) == columns - {"code"}, "name the new column in audit_new_links (migration 0040)"
    assert (second["request_id"], second["operation"]) == (changed.headers["Request-Id"], "update")
    assert (second["before"], second["after"]) == ([{"description": None}], [{"description": "Two chairs"}])
    assert second["merchant_id"] == log.database.merchant_id


def test_a_key_is_in_the_log_without_its_hash_and_its_use_is_no_entry(log: Log) -> None:
    body = {"kind": "restricted", "scopes": ["links:read"]}
    key = log.client.post("/v1/keys", json=body, headers=log.key).get_json()
    log.client.get("/v1/links", headers={"Authorization": f"Bearer {key['secret']}"})
    log.client.post(f"/v1/keys/{key['id']}/revoke", headers=log.key)
    made, revoked = log.entries(key["id"])
    assert "hash" not in made["after"][0]
    assert list(revoked["after"][0]) == ["revoked_at"]
    with log.database.connect("owner") as owner:
        owner.execute("UPDATE api_keys SET name = 'by hand', hash = sha256('x') WHERE id = %s", [key["id"]])
    by_hand = log.entries(key["id"])[-1]
    assert (by_hand["actor"], by_hand["request_id"]) == ("owner", None)
    assert by_hand["after"] == [{"name": "by hand", "hash": "[masked]"}]


def test_what_was_rolled_back_is_not_in_the_log(log: Log) -> None:
    with psycopg.connect(log.database.url) as connection:
        connection.execute("UPDATE links SET description = 'never'")
        connection.rollback()
    log.seal()
    with log.database.connect("postgres") as connection:
        row = connection.execute("SELECT count(*) FROM audit_entries WHERE after::text LIKE '%never%'").fetchone()
    assert row == (0,)
    assert log.findings() == []


def test_nobody_edits_the_log_and_the_service_cannot_even_read_it(log: Log) -> None:
    log.write(1)
    for role, statement, error in (
        ("web", "SELECT * FROM audit_entries", InsufficientPrivilege),
        ("web", "INSERT INTO audit_entries (actor) VALUES ('x')", InsufficientPrivilege),
        ("worker", "DELETE FROM audit_seals", InsufficientPrivilege),
        ("postgres", "UPDATE audit_entries SET actor = 'x'", IntegrityConstraintViolation),
        ("postgres", "DELETE FROM audit_seals", IntegrityConstraintViolation),
        ("postgres", "TRUNCATE audit_entries", IntegrityConstraintViolation),
    ):
        with log.database.connect(role) as connection, pytest.raises(error):
            connection.execute(statement)


def test_an_entry_that_commits_late_is_sealed_later(log: Log) -> None:
    with psycopg.connect(log.database.url) as late:
        late.execute("UPDATE links SET description = 'late' WHERE id = %s", [log.write(1)[0]])
        log.write(2)
        log.seal()
        assert log.findings() == []
        late.commit()
    log.seal()
    assert log.findings() == []
    with log.database.connect("postgres") as connection:
        rows = connection.execute("SELECT unnest(entry_ids) FROM audit_seals ORDER BY number").fetchall()
        total = connection.execute("SELECT count(*) FROM audit_entries").fetchone()
    assert rows != sorted(rows), "the late one has a lower id than those sealed before it"
    assert total == (len(set(rows)),) == (len(rows),)


SOME = "(SELECT entry_ids[1] FROM audit_seals ORDER BY number DESC LIMIT 1)"
OTHER = "(SELECT entry_ids[2] FROM audit_seals ORDER BY number DESC LIMIT 1)"
LAST = "(SELECT max(number) FROM audit_seals WHERE number < 1000000)"
SAID = "at, actor, request_id, merchant_id, table_name, operation, object_ids, before, after"
SWAPPED = (
    f"UPDATE audit_entries a SET ({SAID}) = (SELECT {SAID} FROM audit_entries b"
    f" WHERE b.id IN ({SOME}, {OTHER}) AND b.id <> a.id) WHERE a.id IN ({SOME}, {OTHER})"
)
FORGED = (
    "INSERT INTO audit_entries (xid, actor, table_name, operation, object_ids)"
    " VALUES ('3', 'web', 'links', 'insert', '{x}')"
)
SHORTER = f"UPDATE audit_seals SET entry_ids = entry_ids[2:], entry_hashes = entry_hashes[2:] WHERE number = {LAST}"


@pytest.mark.parametrize(
    ("statements", "kinds"),
    [
        ([f"UPDATE audit_entries SET after = '[{{}}]' WHERE id = {SOME}"], ["edited"]),
        ([f"UPDATE audit_entries SET at = at + interval '1 microsecond' WHERE id = {SOME}"], ["edited"]),
        ([f"UPDATE audit_entries SET request_id = NULL WHERE id = {SOME}"], ["edited"]),
        ([f"DELETE FROM audit_entries WHERE id = {SOME}"], ["deleted"]),
        ([f"DELETE FROM audit_seals WHERE number = {LAST} - 1"], ["deleted", "inserted"]),
        (
            [f"DELETE FROM audit_seals WHERE number = {LAST}", "DELETE FROM audit_entries WHERE id > 0"],
            ["deleted", "truncated"],
        ),
        ([f"DELETE FROM audit_seals WHERE number = {LAST}"], ["truncated"]),
        (
            [
                SWAPPED,
            ],
            ["reordered"],
        ),
        (
            [
                f"UPDATE audit_seals SET number = 1000000 WHERE number = {LAST}",
                f"UPDATE audit_seals SET number = {LAST} + 1 WHERE number = {LAST}",
                f"UPDATE audit_seals SET number = {LAST} - 1 WHERE number = 1000000",
            ],
            ["edited", "forged", "reordered"],
        ),
        (
            [SHORTER],
            ["edited", "inserted"],
        ),
        ([f"UPDATE audit_seals SET signature = '\\x00' WHERE number = {LAST}"], ["forged"]),
        (
            [FORGED],
            ["inserted"],
        ),
    ],
)
def test_tampering_is_found_out(tampered: Callable[..., list[str]], statements: list[str], kinds: list[str]) -> None:
    assert tampered(*statements) == kinds


def test_a_seal_that_was_made_anew_is_not_signed_by_us(log: Log, tampered: Callable[..., list[str]]) -> None:
    """Whoever knows how hashes are made can make the chain right again; the signature and the checkpoint remain."""
    from regions.audit import seal_hash

    with log.database.connect("postgres") as connection:
        row = connection.execute(
            """SELECT number, to_char(sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry_ids[2:],
                      entry_hashes[2:], previous FROM audit_seals ORDER BY number DESC LIMIT 1"""
        ).fetchone()
    assert row is not None
    forged = seal_hash("eu", *row).hex()
    statement = (
        f"UPDATE audit_seals SET entry_ids = entry_ids[2:], entry_hashes = entry_hashes[2:], hash = '\\x{forged}'"
    )
    assert tampered(f"{statement} WHERE number = {LAST}") == ["forged", "inserted"]


def test_the_checkpoint_stands_for_the_tail_and_cannot_be_made(log: Log, tmp_path: Path) -> None:
    log.write(1)
    log.seal()
    found = load_checkpoint(log.vault_uri)
    assert found is not None
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(found), encoding="ascii")
    log.write(1)
    log.seal()
    newest = load_checkpoint(log.vault_uri)
    assert newest is not None
    assert newest["number"] == found["number"] + 1
    assert log.findings(checkpoint=load_checkpoint(kept)) == [], "the log has grown since; that is no finding"
    assert log.findings(checkpoint=found | {"number": found["number"] + 100}) == ["forged"]
    assert log.findings(checkpoint=None) == ["truncated"]
    folder = Path(log.vault_uri.removeprefix("file://")) / "audit"
    shutil.rmtree(folder)
    sealing.step(log.worker)
    assert load_checkpoint(log.vault_uri) == newest, "a sealer that died before it kept one is made up for"


def test_the_command_says_it_with_its_exit_code(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from pipelines.audit.commands import AuditLogBrokenError, app

    log.write(1)
    log.seal()
    for name, value in log.database.env_for("reader").items():
        monkeypatch.setenv(name, value)
    good = CliRunner().invoke(app, ["verify", "--region", "eu"])
    assert good.exit_code == 0, good.output
    assert "as they were sealed; 0 wait" in good.output
    with psycopg.connect(log.database.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"UPDATE audit_entries SET actor = 'nobody' WHERE id = {SOME}")
        connection.commit()
        bad = CliRunner().invoke(app, ["verify", "--region", "eu"])
        assert isinstance(bad.exception, AuditLogBrokenError)
        assert bad.exception.exit_code == 3
        assert bad.output.startswith("edited: entry ")
        actor = log.client.get("/v1/keys", headers=log.key).get_json()["data"][-1]["id"]
        connection.execute("UPDATE audit_entries SET actor = %s WHERE actor = 'nobody'", [actor])
        connection.commit()


def test_a_database_that_was_loaded_elsewhere_is_sealed_on(log: Log) -> None:
    """Its transaction ids mean nothing there: what no seal names is sealed."""
    log.write(1)
    log.seal()
    with psycopg.connect(log.database.url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            f"UPDATE audit_seals SET snapshot = '9000000:9000000:' WHERE number = {LAST}"  # of a busier cluster
        )
    log.write(2)
    log.seal()
    assert log.findings() == []
    sealing.step(log.worker)
