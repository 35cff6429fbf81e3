"""`meridian sandbox …` asks the PSP for what was typed, and a mistake is one sentence."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines.sandbox import control
from pipelines.sandbox.commands import app
from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import StateFolder

STACK = {
    "sandbox": {"url": "http://psp.example", "control_key": "k"},
    "regions": {"eu": {"sandbox_api_key": "sk"}},
}
Call = tuple[str, str, dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    seen: list[Call] = []

    class Answer:
        is_success = True

        def json(self) -> dict[str, Any]:
            return {"data": [{"id": "8216483045528842"}], "status": "ok"}

    def call(_self: Any, method: str, path: str, _key: str, **arguments: Any) -> Answer:
        seen.append((method, path, arguments.get("json") or arguments.get("params") or {}))
        return Answer()

    monkeypatch.setattr(control.Control, "_call", call)
    monkeypatch.setattr(StateFolder, "read_stack", lambda _self: STACK)
    return seen


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (
            "dispute --region eu 8216483045528842 --reason duplicate --amount-minor 5 --respond-within 60",
            ("POST", "/_control/disputes", {"payment_id": "8216483045528842", "reason": "duplicate"}),
        ),
        (
            "decide --region eu 8216483045528842 won",
            ("POST", "/_control/disputes/8216483045528842", {"outcome": "won"}),
        ),
        ("outage --region eu --seconds 60", ("POST", "/_control", {"down_seconds": 60})),
        ("faults --region eu --set latency_ms=200", ("POST", "/_control", {"latency_ms": 200})),
        (
            "transfer --region eu att_eu_1 --amount-minor 500",
            ("POST", "/_control/transfers", {"payment_id": "8216483045528842", "amount_minor": 500}),
        ),
        ("settle --region eu --date 2026-03-01 --plant amount", ("POST", "/_control/settle", {"plant": ["amount"]})),
        ("books --region eu", ("GET", "/_control/books", {})),
    ],
)
def test_a_command_asks_the_psp(calls: list[Call], tmp_path: Path, words: str, asked: Call) -> None:
    outcome = CliRunner().invoke(app, [*words.split(), "--state", str(tmp_path)])

    assert outcome.exit_code == 0, outcome.output
    method, path, sent = calls[-1]
    assert (method, path) == asked[:2]
    assert asked[2].items() <= sent.items()
    assert sent["account"] == "MeridianEU"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("decide --region eu 1 maybe", "won or lost"),
        ("faults --region eu --set latency", "is no dial"),
        ("books --region us", "not part of a local stack"),
    ],
)
def test_a_mistake_is_one_sentence(calls: list[Call], tmp_path: Path, words: str, said: str) -> None:
    outcome = CliRunner().invoke(app, [*words.split(), "--state", str(tmp_path)])

    assert isinstance(outcome.exception, StackUsageError)
    assert said in str(outcome.exception)
    assert calls == []
