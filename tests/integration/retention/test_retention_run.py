"""A run does what was approved, all of it, once, and nothing else; a hold wins until the last moment."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from pipelines.retention import store
from pipelines.retention.document import Plan, PlanAlteredError
from pipelines.retention.opening import Office
from pipelines.retention.planning import make_plan
from pipelines.retention.running import HeldError, NotApprovedError
from pipelines.retention.store import StalePlanError
from pipelines.retention.verifying import NotErasedError, verify
from regions.errors import UsageError
from regions.ids import new_id
from tests.support import canary
from tests.support.erasure import Bureau, Payer
from tests.support.ids import other_than
from web.merchants.close import main as close


@pytest.fixture
def office(bureau: Bureau) -> Iterator[Office]:
    with bureau.office() as opened:
        yield opened


@pytest.fixture
def asking(bureau: Bureau, request: pytest.FixtureRequest) -> Iterator[Payer]:
    """A declined payer who has asked to be erased; whatever the test leaves undone is done at the end."""
    payer = bureau.declined(hashlib.sha256(request.node.name.encode()).hexdigest()[:12])
    assert bureau.ask(payer).status_code == 201
    bureau.settle()
    yield payer
    bureau.shop.execute("UPDATE legal_holds SET released_by = 'test', released_at = now() WHERE released_at IS NULL")
    unfinished = "SELECT hash FROM retention_plans WHERE status <> 'done'"
    bureau.shop.execute(f"DELETE FROM retention_steps WHERE plan_hash IN ({unfinished})")
    bureau.shop.execute("DELETE FROM retention_plans WHERE status <> 'done'")
    bureau.shop.execute("DELETE FROM erasure_requests WHERE subject_id = %s", payer.subject)


def is_untouched(bureau: Bureau, payer: Payer) -> bool:
    (row,) = bureau.shop.rows(
        "SELECT s.payer ->> 'ciphertext' AS c, d.email_token AS t, d.erased_at AS e FROM data_subjects d"
        " JOIN checkout_sessions s ON s.subject_id = d.id WHERE d.id = %s",
        payer.subject,
    )
    return row == {"c": payer.ciphertext, "t": payer.email_token, "e": None}


def test_the_same_state_gives_the_same_plan_and_planning_changes_nothing(
    bureau: Bureau, office: Office, asking: Payer
) -> None:
    first, second = make_plan(office.at, bureau.today), make_plan(office.at, bureau.today)
    assert first.text == second.text
    assert {entry["subject"] for entry in first.items} == {asking.subject}
    assert {effect["store"] for entry in first.items for effect in entry["effects"]} == {"vault", "postgres", "lake"}
    assert is_untouched(bureau, asking)


def test_a_plan_without_a_name_under_it_is_not_run(bureau: Bureau, office: Office, asking: Payer) -> None:
    stored = bureau.planned(office)
    with pytest.raises(NotApprovedError):
        bureau.run(office, stored)
    assert is_untouched(bureau, asking)


def test_a_stale_plan_is_refused(bureau: Bureau, office: Office, asking: Payer) -> None:
    stored = bureau.approved(office)
    other = bureau.declined("stale")
    assert bureau.ask(other).status_code == 201
    bureau.settle()
    with pytest.raises(StalePlanError):
        bureau.run(office, stored)
    assert is_untouched(bureau, asking)
    assert is_untouched(bureau, other)
    bureau.shop.execute("DELETE FROM erasure_requests WHERE subject_id = %s", other.subject)


def test_an_altered_plan_is_refused_by_the_database_and_by_the_run(
    bureau: Bureau, office: Office, asking: Payer
) -> None:
    stored = bureau.approved(office)
    text = stored.text.replace(asking.subject, other_than(asking.subject))
    with pytest.raises(PlanAlteredError):
        _ = stored._replace(text=text).plan
    with pytest.raises(psycopg.IntegrityError):
        bureau.shop.execute("UPDATE retention_plans SET document = %s WHERE hash = %s", text, stored.hash)
    with pytest.raises(psycopg.IntegrityError, match="never change"):
        bureau.shop.execute("UPDATE retention_plans SET approved_by = 'Mallory' WHERE hash = %s", stored.hash)
    assert is_untouched(bureau, asking)


def test_a_hold_placed_after_the_approval_still_wins(bureau: Bureau, office: Office, asking: Payer) -> None:
    stored = bureau.approved(office)
    hold = new_id("hold", "eu")
    fresh = make_plan(office.at, bureau.today)
    assert fresh.hash == stored.hash
    # The hold comes between the check that the plan is fresh and the erasure itself.
    original = store.begin

    def begin_and_hold(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]
        whom = {"subject": asking.subject, "merchant": None, "data_class": None}
        store.add_hold(office.at.connection, hold, **whom, reason="case", person="J")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "begin", begin_and_hold)
        with pytest.raises(HeldError):
            bureau.run(office, stored)
    assert is_untouched(bureau, asking)
    assert make_plan(office.at, bureau.today).items == []
    staying = make_plan(office.at, bureau.today).document["staying"]
    assert {entry["by"] for entry in staying if entry["why"] == "hold"} == {hold}
    store.release_hold(office.at.connection, hold, "J")
    assert make_plan(office.at, bureau.today).hash == stored.hash


def test_a_day_that_has_not_come_is_not_run(bureau: Bureau, office: Office, asking: Payer) -> None:
    day = bureau.today + timedelta(days=400)
    plan = make_plan(office.at, day)
    store.keep(office.at.connection, plan, day)
    store.approve(office.at.connection, plan.hash, "Grace Hopper")
    from pipelines.retention.running import run

    with pytest.raises(UsageError, match="has not come yet"):
        run(office.at, office.vault, office.env, day, None, lambda _: None)
    assert is_untouched(bureau, asking)


def test_a_run_that_is_done_changes_nothing_again(bureau: Bureau, office: Office, asking: Payer) -> None:
    done = bureau.run(office, bureau.approved(office))
    assert canary.search_postgres(bureau.shop.database.url, asking.values) == []
    assert bureau.run(office, done) == done
    assert make_plan(office.at, bureau.today).items == []


def test_a_value_that_comes_back_is_found(bureau: Bureau, office: Office, asking: Payer, tmp_path: Path) -> None:
    done = bureau.run(office, bureau.approved(office))
    assert verify(office.at, office.vault, office.env, done)["values_searched"]
    bureau.shop.execute(
        "UPDATE links SET description = %s WHERE id IN (SELECT id FROM links LIMIT 1)", f"for {asking.email}"
    )
    with pytest.raises(NotErasedError, match="links.description"):
        verify(office.at, office.vault, office.env, done)
    bureau.shop.execute("UPDATE links SET description = NULL")
    stray = Path(office.at.lake.uri.removeprefix("file://")) / "events" / "stray.bin"
    stray.write_bytes(b"..." + asking.ciphertext.encode())
    with pytest.raises(NotErasedError, match="stray.bin"):
        verify(office.at, office.vault, office.env, done)
    stray.unlink()


FAULTS = (
    pytest.param("retention.after_begin", marks=pytest.mark.campaign),
    "retention.before_commit",
    pytest.param("retention.after_database", marks=pytest.mark.campaign),
    pytest.param("retention.before_swap", marks=pytest.mark.campaign),
    "retention.after_swap",
)


@pytest.mark.parametrize("point", FAULTS)
def test_a_run_that_was_shot_goes_on(bureau: Bureau, asking: Payer, point: str, tmp_path: Path) -> None:
    with bureau.office() as office:
        stored = bureau.approved(office)
    arguments = ("retention", "run", "--region", "eu", "--date", bureau.today.isoformat())
    shot = bureau.command(*arguments, MERIDIAN_FAULT=point, MERIDIAN_FAULT_ONCE=str(tmp_path / "once"))
    assert shot.returncode == -9, shot.stderr
    again = bureau.command(*arguments)
    assert again.returncode == 0, again.stderr
    assert canary.search_postgres(bureau.shop.database.url, asking.values) == []
    env = bureau.stream.env("lake")
    assert canary.search_lake(bureau.region, env, asking.values) == []
    assert canary.search_files(Path(bureau.region.lake_uri(env).removeprefix("file://")), asking.values) == []
    assert bureau.stream.in_lake() == bureau.stream.committed()
    with bureau.office() as office:
        done = store.latest(office.at.connection, "eu", bureau.today, stored.hash.hex())
        assert done.status == "done"
        verify(office.at, office.vault, office.env, done)


def test_rows_that_are_too_old_go_and_young_ones_stay(bureau: Bureau, office: Office) -> None:
    link = bureau.shop.create_link()
    for _ in range(2):
        bureau.shop.payer(link)
    rows = bureau.shop.rows("SELECT id FROM checkout_sessions WHERE link_id = %s ORDER BY created_at", link["id"])
    bureau.settle()
    bureau.shop.execute(
        "UPDATE checkout_sessions SET expires_at = now() - interval '14 months' WHERE id = %s", rows[0]["id"]
    )
    plan = make_plan(office.at, bureau.today)
    (entry,) = [one for one in plan.items if one["dataset"] == "checkout_sessions"]
    assert (entry["keys"], entry["why"], entry["rule"]["maximum"]) == ([[rows[0]["id"]]], "maximum", "P13M")
    bureau.run(office, bureau.approved(office))
    left = bureau.shop.rows("SELECT id FROM checkout_sessions WHERE link_id = %s", link["id"])
    assert [row["id"] for row in left] == [rows[1]["id"]]
    lake = office.at.lake.events().scan().to_arrow()
    assert rows[0]["id"] not in lake["subject"].to_pylist()
    assert rows[1]["id"] in lake["subject"].to_pylist()


def test_raw_messages_go_with_the_person_they_are_about_and_late_ones_keep_nothing(
    bureau: Bureau, office: Office, asking: Payer
) -> None:
    other = bureau.declined("messages")
    about = """SELECT w.id, w.body FROM gateway_webhooks w JOIN attempts a ON a.id = w.object_id
                WHERE a.payment_id = %s"""
    mine, theirs = bureau.shop.rows(about, asking.payment), bureau.shop.rows(about, other.payment)
    assert mine
    assert theirs
    plan = make_plan(office.at, bureau.today)
    (entry,) = [one for one in plan.items if one["dataset"] == "gateway_webhooks"]
    assert entry["subject"] == asking.subject
    assert sorted(entry["keys"]) == sorted([row["id"]] for row in mine)
    stored = bureau.approved(office)
    done = bureau.run(office, stored)
    assert bureau.shop.rows(about, asking.payment) == []
    assert bureau.shop.rows(about, other.payment) == theirs
    verify(office.at, office.vault, office.env, done)
    again = {**mine[0], "gateway": "sandbox"}
    bureau.shop.execute(
        "INSERT INTO gateway_webhooks (id, gateway, gateway_event_id, body) VALUES (%s, 'sandbox', 'again', %s)",
        again["id"], again["body"],
    )  # fmt: skip
    with pytest.raises(NotErasedError, match="gateway_webhooks"):
        verify(office.at, office.vault, office.env, done)
    bureau.shop.deliver_webhooks()
    (late,) = bureau.shop.rows("SELECT body, object_id, processed_at FROM gateway_webhooks WHERE id = %s", again["id"])
    assert (bytes(late["body"]), late["processed_at"] is None) == (b"", False)
    bureau.shop.execute("DELETE FROM gateway_webhooks WHERE id = %s", again["id"])


def test_a_merchant_that_left_is_forgotten_when_the_law_lets_it_and_its_books_stay(
    bureau: Bureau, office: Office
) -> None:
    merchant_id, _ = bureau.shop.database.add_merchant("Leaving Ltd")
    stays, _ = bureau.shop.database.add_merchant("Staying Ltd")
    env = bureau.shop.database.env_for("owner")
    assert close(["--region", "eu", "--merchant", merchant_id], env) == 0
    assert close(["--region", "eu", "--merchant", "merch_eu_nobody"], env) == 2
    assert bureau.shop.rows("SELECT FROM api_keys WHERE merchant_id = %s AND revoked_at IS NULL", merchant_id) == []
    closed = "UPDATE merchants SET closed_at = now() - %s::interval WHERE id = %s"
    for age, is_due in (("9 years 11 months", False), ("10 years 1 day", True)):
        bureau.shop.execute(closed, age, merchant_id)
        due = [one for one in make_plan(office.at, bureau.today).items if one["dataset"] == "merchants"]
        assert bool(due) is is_due, age
    assert (due[0]["keys"], due[0]["rule"]["trigger"]) == ([[merchant_id]], "relationship_ended")
    bureau.run(office, bureau.approved(office))
    rows = bureau.shop.rows(
        """SELECT m.id, m.name, count(k.id) AS keys FROM merchants m LEFT JOIN api_keys k ON k.merchant_id = m.id
            WHERE m.id = ANY(%s) GROUP BY m.id, m.name ORDER BY m.name DESC""",
        [merchant_id, stays],
    )
    assert [(row["id"], row["name"], row["keys"]) for row in rows] == [
        (merchant_id, "erased", 0),
        (stays, "Staying Ltd", 1),
    ]
    assert [one for one in make_plan(office.at, bureau.today).items if one["dataset"] == "merchants"] == []


def test_asking_twice_is_asking_once(bureau: Bureau, asking: Payer) -> None:
    again = bureau.ask(asking)
    assert (again.status_code, again.json()["status"]) == (200, "open")
    assert bureau.ask(asking, key="another-key").json()["id"] == again.json()["id"]
    assert bureau.ask(asking, reason="another reason").status_code == 422
    assert bureau.ask(asking, key="k", requested_by="").status_code == 422
    unknown = bureau.shop.http.post(
        f"{bureau.shop.web_url}/internal/v1/erasure_requests",
        json={"subject_id": new_id("subject", "eu"), "requested_by": "x", "reason": "y"},
        headers={"Authorization": f"Bearer {bureau.env['SERVICE_KEY_EU']}", "Idempotency-Key": "z"},
    )
    assert unknown.status_code == 404
    stranger = bureau.shop.http.post(
        f"{bureau.shop.web_url}/internal/v1/erasure_requests", json={}, headers=bureau.shop.api
    )
    assert stranger.status_code == 401


def test_the_commands_show_and_refuse_in_one_sentence(bureau: Bureau, asking: Payer) -> None:
    day = bureau.today.isoformat()
    shown = bureau.command("retention", "plan", "--region", "eu", "--date", day)
    assert "its subject asked" in shown.stdout
    assert "GDPR Article 17(1)(a)" in shown.stdout
    text = bureau.command("retention", "plan", "--region", "eu", "--date", day, "--json").stdout.strip()
    assert Plan(text).hash.hex() in shown.stdout
    assert json.loads(text)["erased_whole"] == [asking.subject]
    refused = bureau.command("retention", "run", "--region", "eu", "--date", day)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert bureau.command("retention", "plan", "--region", "eu", "--date", "soon").returncode == 2
    missing = bureau.command("retention", "certificate", "--region", "eu", "--date", "2020-01-01")
    assert (missing.returncode, "There is no plan" in missing.stderr) == (2, True)
    hold = bureau.command(
        "retention", "hold", "add", "--region", "eu", "--by", "J", "--reason", "c", "--class", "nothing"
    )
    assert hold.returncode == 2
    assert "nothing" in hold.stderr


def test_time_is_read_in_the_regions_zone(bureau: Bureau) -> None:
    assert bureau.region.accounting_date(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)).isoformat() == "2026-07-01"


def test_the_plan_that_is_due_was_approved_last_and_an_older_approval_lapses(bureau: Bureau, office: Office) -> None:
    connection = office.at.connection
    older, newer = (make_plan(office.at, bureau.today - timedelta(days=days)) for days in (1, 0))
    with connection.transaction(force_rollback=True):

        def due() -> bytes | None:
            found = store.approved(connection)
            return None if found is None else found.hash

        for plan in (older, newer):
            store.keep(connection, plan, bureau.today)
            assert due() is None, "nobody has approved"
        for plan in (older, newer):
            store.approve(connection, plan.hash, "Jane Doe")
            assert due() == plan.hash
        store.begin(connection, older.hash, b"")
        assert due() == older.hash, "what was begun is finished first"
        store.leave(connection, older.hash)
        store.begin(connection, newer.hash, b"")
        store.finish(connection, newer.hash)
        assert due() is None
        assert [plan.hash for plan in store.uncertified(connection)][-1] == newer.hash
        store.certify(connection, newer.hash, {"format": "test"})
        assert newer.hash not in {plan.hash for plan in store.uncertified(connection)}
