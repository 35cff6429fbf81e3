"""`meridian sandbox …` asks the PSP for what was typed, and a mistake is one sentence."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from pipelines.sandbox import attempts, control
from pipelines.sandbox.commands import app
from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import StateFolder

STACK = {
    "sandbox": {"url": "http://psp.example", "control_key": "k"},
    "regions": {"eu": {"sandbox_api_key": "sk", "role_urls": {"reader": "postgresql://nowhere"}}},
}
Call = tuple[str, str, dict[str, Any]]
DISPUTE = {
    "id": "7716483045528842", "payment_id": "8216483045528842", "payment_reference": "att_eu_1", "reason": "duplicate",
    "network_code": "12.6.1", "status": "needs_response", "amount_minor": 123_450, "currency": "EUR",
    "evidence_due_at": "2026-03-14T09:26:53Z",
}  # fmt: skip
DIALS = {
    "account": "MeridianEU", "latency_ms": 200, "timeout_after_charge_next": 0, "error_after_charge_next": 0,
    "duplicate_webhooks": 3, "reorder_webhooks": 0, "webhook_delay_ms": 0, "webhook_jitter_ms": 0,
    "down_until": "2026-03-14T09:26:53Z",
}  # fmt: skip
PAYMENT = {"id": "8216483045528842", "amount_minor": 1999, "captured_minor": 0, "currency": "EUR"}
PLANTED = {"class": "amount", "merchant_reference": "att_eu_1", "psp_reference": "82", "currency": "EUR",
           "expected_minor": 1999, "reported_minor": 2099}  # fmt: skip
BATCH = {"account": "MeridianEU", "date": "2026-03-01", "batch_number": 3, "line_count": 12, "answer_key": [PLANTED],
         "left_for_later": 2}  # fmt: skip
SUMS = dict.fromkeys(
    ("captured_count", "captured_minor", "refunded_count", "refunded_minor", "authorised_count", "authorised_minor",
     "voided_count", "dispute_count", "open_dispute_count", "disputed_minor", "declined_count", "open_count",
     "pending_refund_count", "failed_refund_count", "unsettled_payment_count", "unsettled_refund_count"), 0,
)  # fmt: skip
BOOKS = {"account": "MeridianEU", "charged_twice": [], "taken_too_much": [], "refunded_twice": ["ref_eu_1"],
         "currencies": {"EUR": SUMS | {"captured_count": 2, "captured_minor": 3998, "declined_count": 1}}}  # fmt: skip
ANSWERS = {
    "/v1/payments": {"data": [PAYMENT]}, "/_control": {"data": [DIALS]}, "/_control/disputes": DISPUTE,
    "/_control/disputes/7716483045528842": DISPUTE | {"status": "won"}, "/_control/transfers": PAYMENT,
    "/_control/settle": BATCH, "/_control/books": BOOKS,
}  # fmt: skip


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    seen: list[Call] = []

    def call(_self: Any, method: str, path: str, _key: str, **arguments: Any) -> httpx.Response:
        sent = arguments.get("json") or arguments.get("params") or {}
        seen.append((method, path, sent))
        request = httpx.Request(method, f"http://psp.example{path}")
        is_there = "payment_id" not in sent or sent["account"] == "MeridianEU"
        if path in ANSWERS and is_there:
            return httpx.Response(200, json=ANSWERS[path], request=request)
        problem = {"code": "not_found", "detail": "There is no such dispute in this account."}
        return httpx.Response(404, json=problem, request=request)

    monkeypatch.setattr(control.Control, "_call", call)
    monkeypatch.setattr(StateFolder, "read_stack", lambda _self: STACK)
    monkeypatch.setattr(attempts, "attempt_of", lambda _url, name: attempts.Attempt(f"att_of_{name}", "sandbox"))
    return seen


@pytest.mark.parametrize(
    ("words", "asked", "said"),
    [
        (
            "dispute --region eu 8216483045528842 --reason duplicate --amount-minor 5 --respond-within 60",
            ("POST", "/_control/disputes", {"payment_id": "8216483045528842", "reason": "duplicate"}),
            "the payer of att_eu_1 has 1,234.50 EUR back for now (duplicate, network code 12.6.1)",
        ),
        (
            "dispute --region eu pay_eu_1",
            ("POST", "/_control/disputes", {"payment_id": "8216483045528842"}),
            "meridian sandbox decide --region eu 7716483045528842 won",
        ),
        (
            "decide --region eu 7716483045528842 won",
            ("POST", "/_control/disputes/7716483045528842", {"outcome": "won"}),
            "Dispute 7716483045528842 about 1,234.50 EUR is won: the merchant has it again.",
        ),
        (
            "outage --region eu --seconds 60",
            ("POST", "/_control", {"down_seconds": 60}),
            "sandbox (MeridianEU) answers 503 until 2026-03-14 09:26:53 UTC",
        ),
        ("outage --region eu --seconds 0", ("POST", "/_control", {"down_seconds": 0}), "sandbox (MeridianEU) is up."),
        (
            "faults --region eu --set latency_ms=200",
            ("POST", "/_control", {"latency_ms": 200}),
            "duplicate_webhooks               3  so many webhooks that are sent twice",
        ),
        (
            "transfer --region eu att_eu_1 --amount-minor 500",
            ("POST", "/_control/transfers", {"payment_id": "8216483045528842", "amount_minor": 500}),
            "5.00 EUR are on their way to payment 8216483045528842: 19.99 EUR were asked for, 0.00 EUR had arrived.",
        ),
        (
            "settle --region eu --date 2026-03-01 --plant amount",
            ("POST", "/_control/settle", {"plant": ["amount"]}),
            "planted amount: att_eu_1, 19.99 EUR are true and 20.99 EUR reported",
        ),
        ("books --region eu", ("GET", "/_control/books", {}), "WRONG: refunded twice: ref_eu_1"),
        ("books --region eu --json", ("GET", "/_control/books", {}), '"captured_minor": 3998'),
    ],
)
def test_a_command_asks_the_psp_and_says_what_it_did(
    calls: list[Call], tmp_path: Path, words: str, asked: Call, said: str
) -> None:
    outcome = CliRunner().invoke(app, [*words.split(), "--state", str(tmp_path)])

    assert outcome.exit_code == 0, outcome.output
    method, path, sent = calls[-1]
    assert (method, path) == asked[:2]
    assert asked[2].items() <= sent.items()
    assert sent["account"] == "MeridianEU"
    assert said in outcome.output


def test_a_refusal_of_the_psp_is_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"detail": "See the fields.", "errors": [{"pointer": "/reason", "detail": "Give one of the reasons."}]}
    answer = httpx.Response(422, json=problem, request=httpx.Request("POST", "http://psp.example"))
    monkeypatch.setattr(httpx, "request", lambda *_, **__: answer)

    with pytest.raises(control.RefusedError, match="^The simulated PSP refuses: reason: Give one of the reasons.$"):
        control.Control("http://psp.example", "k").dispute("MeridianEU", "1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("decide --region eu 1 maybe", "won or lost"),
        ("faults --region eu --set latency", "is no dial"),
        ("faults --region eu --set nonsense=1", "nonsense is no dial: there are latency_ms, "),
        ("books --region us", "not part of a local stack"),
    ],
)
def test_a_mistake_is_one_sentence(calls: list[Call], tmp_path: Path, words: str, said: str) -> None:
    outcome = CliRunner().invoke(app, [*words.split(), "--state", str(tmp_path)])

    assert isinstance(outcome.exception, StackUsageError)
    assert said in str(outcome.exception)
    assert calls == []


def test_a_dispute_that_no_account_has_is_one_sentence(calls: list[Call], tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["decide", "--region", "eu", "1", "won", "--state", str(tmp_path)])

    assert isinstance(outcome.exception, StackUsageError)
    assert str(outcome.exception) == "The simulated PSP has no dispute 1 in region eu."
    assert [sent["account"] for _, _, sent in calls] == ["MeridianEU", "MeridianEU2"]
