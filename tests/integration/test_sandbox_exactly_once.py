"""Whatever is repeated, raced or lost: the simulated PSP charges once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.postgres import PostgresServer
from tests.support.sandbox import RETURN_URL, Psp, await_lock_waiter, path_of, running_psp, sandbox_database


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with sandbox_database(postgres_server.url) as url:
        yield url


@pytest.fixture
def psp(database_url: str) -> Iterator[Psp]:
    with running_psp(database_url) as running:
        yield running


def test_a_charge_waits_for_another_charge_of_its_token(psp: Psp) -> None:
    order = psp.order()
    with ThreadPoolExecutor(1) as threads:
        with psp.database.transaction() as first:
            first.execute("UPDATE tokens SET used_at = now() WHERE id = %s", [order["payment_token"]])
            second = threads.submit(psp.post, "/v1/payments", order)
            await_lock_waiter(psp.settings.database_url)
        assert second.result().json["code"] == "token_used"


def test_racing_charges_of_one_token_succeed_once(psp: Psp) -> None:
    order = psp.order()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: psp.post("/v1/payments", order | {"reference": f"race_{n}"}), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 7


def test_one_key_charges_once_however_many_ask_at_once(psp: Psp) -> None:
    order = psp.order()
    gate = threading.Barrier(8)

    def ask(_number: int) -> str:
        gate.wait(timeout=10)
        answer = psp.post("/v1/payments", order, key="one-key")
        assert answer.status_code == 201
        return answer.text

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(ask, range(8)))
    assert len(answers) == 1
    assert len(psp.get("/v1/payments", reference=order["reference"]).json["data"]) == 1


def test_a_second_request_waits_for_the_first_and_is_told_when_it_takes_too_long(
    psp: Psp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.sandbox.database._OPTIONS", "-c lock_timeout=100")
    order = psp.order()
    with psp.database.transaction() as first:
        first.execute(
            "INSERT INTO idempotency_keys (account, key, fingerprint) VALUES (%s, 'held', %s)", [psp.account, b"x" * 32]
        )
        answer = psp.post("/v1/payments", order, key="held")
        assert (answer.status_code, answer.json["code"]) == (409, "conflict_in_flight")
        assert answer.headers["Retry-After"] == "1"
        first.execute("DELETE FROM idempotency_keys WHERE key = 'held'")
    assert psp.post("/v1/payments", order, key="held").status_code == 201


def test_a_key_belongs_to_one_request_and_to_one_account(psp: Psp, database_url: str) -> None:
    order = psp.order()
    first = psp.post("/v1/payments", order, key="k-1")
    repeat = psp.post("/v1/payments", order, key="k-1")
    assert repeat.text == first.text
    assert repeat.headers["Idempotent-Replayed"] == "true"
    other = psp.post("/v1/payments", order | {"amount_minor": 1}, key="k-1")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    with running_psp(database_url, "us") as theirs:
        assert theirs.post("/v1/payments", theirs.order(), key="k-1").status_code == 201


def test_a_refused_request_leaves_its_key_free(psp: Psp) -> None:
    order = psp.order()
    assert psp.post("/v1/payments", order | {"payment_token": "tok_nothing"}, key="k-2").status_code == 422
    assert psp.post("/v1/payments", order, key="k-2").status_code == 201


def test_the_second_of_two_answers_to_a_challenge_waits_and_changes_nothing(psp: Psp) -> None:
    payment = psp.pay("4000002500003155")
    with ThreadPoolExecutor(1) as threads:
        with psp.database.transaction() as first:
            first.execute(
                "UPDATE payments SET status = 'declined', decline_code = 'authentication_failed' WHERE id = %s",
                [payment["id"]],
            )
            second = threads.submit(psp.client.post, path_of(payment), data={"outcome": "pass"})
            await_lock_waiter(psp.settings.database_url)
        assert second.result().location == RETURN_URL
    assert psp.read(payment)["status"] == "declined"


def test_the_card_that_times_out_before_charging_charges_nothing(psp: Psp) -> None:
    order = psp.order("4000000000000119")
    for _ in range(2):
        answer = psp.post("/v1/payments", order, key="k-3")
        assert (answer.status_code, answer.json["code"]) == (504, "gateway_timeout")
    found = psp.get("/v1/payments", reference=order["reference"]).json
    assert found["data"] == []
    assert found["final_after_seconds"] >= 60


def test_the_card_that_times_out_after_charging_is_committed_while_the_answer_is_held(database_url: str) -> None:
    hold_seconds = 3
    with running_psp(database_url, SANDBOX_HOLD_SECONDS=str(hold_seconds)) as psp, ThreadPoolExecutor(1) as threads:
        order = psp.order("4000000000000341")
        started = time.monotonic()
        held = threads.submit(psp.post, "/v1/payments", order, "k-4")
        while not (found := psp.get("/v1/payments", reference=order["reference"]).json["data"]):
            assert time.monotonic() - started < hold_seconds, "not charged while the answer was held"
        repeat = psp.post("/v1/payments", order, "k-4")
        assert time.monotonic() - started < hold_seconds
        assert not held.done()
        assert held.result().text == repeat.text
        assert time.monotonic() - started >= hold_seconds
        assert found[0]["status"] == repeat.json["status"] == "captured"


def test_a_token_is_charged_once_by_its_own_account_in_its_time(psp: Psp, database_url: str) -> None:
    order = psp.order()
    assert psp.post("/v1/payments", order).status_code == 201
    again = psp.post("/v1/payments", order | {"reference": "att_other"})
    assert (again.status_code, again.json["code"]) == (422, "token_used")
    assert psp.get("/v1/payments", reference="att_other").json["data"] == []
    with running_psp(database_url, "us", SANDBOX_TOKEN_SECONDS="0") as other:
        theirs = other.post("/v1/payments", psp.order())
        assert (theirs.status_code, theirs.json["code"]) == (422, "token_unknown")
        late = other.post("/v1/payments", other.order())
        assert (late.status_code, late.json["code"]) == (422, "token_expired")
