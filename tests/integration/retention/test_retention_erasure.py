"""One payer asks to be erased: plan, approval, run, proof, certificate, on real PostgreSQL, vault, stream and lake."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.retention import store
from pipelines.retention.certificate import CertificateRefusedError, check
from pipelines.retention.certifying import certify
from pipelines.retention.planning import make_plan
from pipelines.retention.search.needles import Searched
from pipelines.retention.verifying import BlindSearchError, verify
from regions.errors import KeyDestroyedError, SubjectErasedError
from regions.vault import open_vault
from tests.support import canary
from tests.support.erasure import Bureau, Payer
from tests.support.shop import SUCCEED
from warehouse.lake_files import local_path
from web.background import forgetting
from web.routing.watched import WatchedGateway


def stored_lake_values(bureau: Bureau, payer: Payer) -> list[str]:
    """Every place in the lake, raw or decoded, that holds a value of this payer."""
    env = bureau.stream.env("lake")
    root = Path(local_path(bureau.region.lake_uri(env)))
    return [*canary.search_lake(bureau.region, env, payer.values), *canary.search_files(root, payer.values)]


@pytest.fixture(scope="module")
def erased(bureau: Bureau) -> tuple[Payer, Payer, Payer]:
    """One declined payer who is erased, one who has paid, one who asked for nothing."""
    gone, paid, other = bureau.declined("anna"), bureau.paid("berta"), bureau.declined("clara")
    for payer in (gone, paid):
        assert bureau.ask(payer).status_code == 201
    bureau.settle()
    assert stored_lake_values(bureau, gone), "the search does not even find what is there"
    with bureau.office() as office:
        done = bureau.run(office, bureau.approved(office))
        assert done.status == "done"
    return gone, paid, other


def test_nothing_of_the_erased_payer_is_left_in_postgres_and_lake(
    bureau: Bureau, erased: tuple[Payer, Payer, Payer]
) -> None:
    gone = erased[0]
    assert canary.search_postgres(bureau.shop.database.url, gone.values) == []
    assert stored_lake_values(bureau, gone) == []


def test_every_file_that_held_it_is_unlinked_manifests_too(bureau: Bureau, erased: tuple[Payer, Payer, Payer]) -> None:
    rows = bureau.shop.rows("SELECT evidence FROM retention_steps WHERE step LIKE 'doomed events %%'")
    doomed = {path for row in rows for path in row["evidence"]}
    live = {task.file.file_path for task in bureau.stream.lake().events().scan().plan_files()}
    gone = {path for path in doomed - live if path.endswith(".parquet") or "/snap-" in path}
    assert {Path(path).suffix for path in gone} == {".parquet", ".avro"}
    assert [path for path in sorted(gone) if Path(local_path(path)).exists()] == []


def test_the_key_is_destroyed_so_that_what_kafka_holds_is_unreadable(
    bureau: Bureau, erased: tuple[Payer, Payer, Payer]
) -> None:
    gone = erased[0]
    vault = open_vault(bureau.region.vault_uri(bureau.env))
    assert canary.search_kafka(bureau.stream.bootstrap, "eu", [gone.ciphertext])
    sealed = {"subject": gone.subject, "retention_class": "payment_record", "ciphertext": gone.ciphertext}
    with pytest.raises(KeyDestroyedError):
        vault.open_json(sealed)  # type: ignore[arg-type]
    with pytest.raises(SubjectErasedError):
        vault.seal_json(gone.subject, "payment_record", {"email": "again"})


def test_what_the_law_keeps_stays_readable_and_the_pseudonym_goes(
    bureau: Bureau, erased: tuple[Payer, Payer, Payer]
) -> None:
    paid = erased[1]
    vault = open_vault(bureau.region.vault_uri(bureau.env))
    sealed = {"subject": paid.subject, "retention_class": "payment_record", "ciphertext": paid.ciphertext}
    assert vault.open_json(sealed) == {"email": paid.email, "name": paid.name}  # type: ignore[arg-type]
    (row,) = bureau.shop.rows("SELECT email_token, erased_at FROM data_subjects WHERE id = %s", paid.subject)
    assert row == {"email_token": None, "erased_at": None}
    (attempt,) = bureau.shop.rows("SELECT * FROM attempts WHERE payment_id = %s", paid.payment)
    assert (attempt["card_token"], attempt["card_last4"], attempt["payment_token"]) == (None, None, "")
    assert attempt["gateway_reference"]
    requests = bureau.shop.rows("SELECT subject_id, status FROM erasure_requests ORDER BY id")
    assert {row["subject_id"]: row["status"] for row in requests} == {
        erased[0].subject: "done",
        paid.subject: "open",
    }


def test_nobody_else_is_touched(bureau: Bureau, erased: tuple[Payer, Payer, Payer]) -> None:
    other = erased[2]
    (row,) = bureau.shop.rows(
        """SELECT d.email_token, d.erased_at, s.payer ->> 'ciphertext' AS ciphertext, a.payment_token <> '' AS has_token
             FROM data_subjects d JOIN checkout_sessions s ON s.subject_id = d.id JOIN payments p ON p.session_id = s.id
             JOIN attempts a ON a.payment_id = p.id WHERE d.id = %s""",
        other.subject,
    )
    assert row == {
        "email_token": other.email_token,
        "erased_at": None,
        "ciphertext": other.ciphertext,
        "has_token": True,
    }
    events = bureau.stream.lake().events().scan().to_arrow()
    kept = [text for text in events["pii"].to_pylist() if text and json.loads(text)["subject"] == other.subject]
    assert len(kept) == 1
    assert bureau.stream.in_lake() == bureau.stream.committed()  # every event is still there, exactly once


def test_the_proof_finds_its_canaries_and_nothing_else(bureau: Bureau, erased: tuple[Payer, Payer, Payer]) -> None:
    with bureau.office() as office:
        stored = store.latest(office.at.connection, "eu", bureau.today)
        evidence = verify(office.at, office.vault, office.env, stored)
    assert evidence["values_searched"] >= 6
    found = evidence["canaries_found"]
    assert {"postgres rows", "lake decoded pages", "lake raw bytes", "lake decoded manifests"} <= set(found)
    kafka = next(searched for searched in evidence["searched"] if searched["store"] == "kafka")
    assert "topic eu.payments.v1" in kafka["remains"]


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        ("postgres rows", "."),
        ("lake decoded pages", ", column "),
        ("lake raw bytes", ", raw"),
        ("lake decoded statistics", ", statistics"),
        ("lake decoded manifests", " manifests"),
    ],
)
def test_a_search_that_is_blind_in_one_way_proves_nothing(
    bureau: Bureau, erased: tuple[Payer, Payer, Payer], monkeypatch: pytest.MonkeyPatch, way: str, kind: str
) -> None:
    def hit(self: Searched, place: str) -> None:
        if kind not in place or self.store != way.split(maxsplit=1)[0]:
            self.hits.append(place)

    monkeypatch.setattr(Searched, "hit", hit)
    with bureau.office() as office:
        stored = store.latest(office.at.connection, "eu", bureau.today)
        with pytest.raises(BlindSearchError, match=way):
            verify(office.at, office.vault, office.env, stored)


def test_the_certificate_is_signed_and_an_altered_copy_is_refused(
    bureau: Bureau, erased: tuple[Payer, Payer, Payer], tmp_path: Path
) -> None:
    with bureau.office() as office:
        path, signed = certify(office, bureau.today, None, tmp_path / "certificate.json", datetime.now(UTC))
        key = office.vault.public_key()
    assert json.loads(path.read_text()) == signed
    text = path.read_text()
    assert not any(value in text for payer in erased for value in payer.values)
    content = check(signed, key)
    assert content["erased_whole"] == [erased[0].subject]
    assert any("Kafka" in line for line in content["remains"])
    assert any(entry["subject"] == erased[1].subject and entry["why"] == "minimum" for entry in content["stays"])
    accepted = bureau.command("certificate", "verify", str(path))
    assert (accepted.returncode, accepted.stderr) == (0, "")
    altered = json.loads(text)
    altered["certificate"]["stays"] = []
    (tmp_path / "altered.json").write_text(json.dumps(altered))
    refused = bureau.command("certificate", "verify", str(tmp_path / "altered.json"))
    assert refused.returncode == 3
    assert "altered" in refused.stderr
    with pytest.raises(CertificateRefusedError):
        check(signed, bytes(32))


def test_a_saved_method_that_is_too_old_is_forgotten_by_its_gateway_before_us(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, path = bureau.shop, f"{bureau.shop.web_url}/v1/payment_method_settings"
    assert shop.http.post(path, json={"is_offered": True}, headers=shop.api).status_code == 200
    payer = bureau.pay("saved", SUCCEED, save="yes")
    assert shop.http.post(path, json={"is_offered": False}, headers=shop.api).status_code == 200
    bureau.settle()
    shop.execute("UPDATE data_subjects SET created_at = now() - interval '14 months' WHERE id = %s", payer.subject)
    shop.execute("UPDATE payments SET succeeded_at = now() - interval '14 months' WHERE id = %s", payer.payment)

    def method() -> tuple[str, bool]:
        (row,) = shop.rows("SELECT status, gateway_saved_id FROM saved_methods WHERE subject_id = %s", payer.subject)
        return row["status"], row["gateway_saved_id"] is not None

    with bureau.office() as office:

        def about() -> tuple[list[str], list[str]]:
            plan = make_plan(office.at, bureau.today)
            kept = [
                (one["data_class"], one["why"]) for one in plan.document["staying"] if one["subject"] == payer.subject
            ]
            goes = [one["data_class"] for one in plan.items if one["subject"] == payer.subject]
            return [why for name, why in kept if name == "payer_token"], [
                name for name in goes if name == "payer_token"
            ]

        assert (method(), about()) == (("active", True), (["open"], []))
        bureau.run(office, bureau.approved(office))
        assert (method(), about()) == (("deleted", True), (["open"], [])), "its gateway has it still"
        watched = shop.worker.gateways["sandbox"]
        assert isinstance(watched, WatchedGateway)
        with monkeypatch.context() as unwell:
            unwell.setattr(watched.watched, "forget", lambda *_: False)
            while forgetting.step(shop.worker):
                pass
        assert (method(), about()) == (("deleted", True), (["open"], []))
        shop.execute("UPDATE saved_methods SET forget_after = now() WHERE subject_id = %s", payer.subject)
        while forgetting.step(shop.worker):
            pass
        assert (method(), about()) == (("deleted", False), ([], ["payer_token"]))
