import copy
import json
from pathlib import Path
from typing import Any

import pytest

from regions import compatibility
from regions.errors import ConfigurationError


def test_this_tree_survives_what_was_released() -> None:
    released = compatibility.load_released()
    assert compatibility.incompatibilities(released, compatibility.current()) == []
    assert compatibility.broken_examples(released) == []
    assert compatibility.unreleased(released, compatibility.current()) == []


def changed(name: str, change: Any) -> list[str]:
    candidate = copy.deepcopy(compatibility.current())
    change(candidate[name])
    return compatibility.incompatibilities(compatibility.current(), candidate)


def prop(name: str, **keywords: Any) -> Any:
    def change(contract: dict[str, Any]) -> None:
        contract["schema"]["properties"].setdefault(name, {}).update(keywords)

    return change


def require(name: str) -> Any:
    return lambda contract: contract["schema"]["required"].append(name)


INCOMPATIBLE = {
    "a field became required": ("link.created.v1", require("channel"), "/channel: became required"),
    "a field is no longer required": (
        "link.created.v1",
        lambda c: c["schema"]["required"].remove("currency"),
        "/currency: is no longer required",
    ),
    "a field is gone": ("link.created.v1", lambda c: c["schema"]["properties"].pop("channel"), "/channel: is gone"),
    "a type changed": ("link.created.v1", prop("amount_minor", type="string"), "/amount_minor: type changed"),
    "an enum grew": ("link.created.v1", prop("usage", enum=["single", "multi", "limited"]), "/usage: enum changed"),
    "an enum shrank": ("link.created.v1", prop("usage", enum=["single"]), "/usage: enum changed"),
    "a bound moved": ("link.created.v1", prop("amount_minor", maximum=10), "/amount_minor: maximum changed"),
    "a bound went": ("link.created.v1", lambda c: c["schema"]["properties"]["reference"].pop("maxLength"), "maxLength"),
    "a form changed": ("link.created.v1", prop("currency", pattern="^...$"), "/currency: pattern changed"),
    "a class was loosened": ("link.created.v1", prop("reference", **{"x-residency": "exportable"}), "loosened"),
    "a family changed": ("link.created.v1", lambda c: c.update(family="checkout"), "moved from family links"),
    "the schema opened": ("link.created.v1", lambda c: c["schema"].pop("additionalProperties"), "additionalProperties"),
    "deep inside": (
        "journal.posted.v1",
        lambda c: c["schema"]["properties"]["entries"]["items"]["properties"].pop("line"),
        "/entries/*/line: is gone",
    ),
    "pii under another key": (
        "payment.created.v1",
        lambda c: c["pii"].update(retention_class="payer_marketing"),
        "retention class changed",
    ),
    "pii field gone": ("payment.created.v1", lambda c: c["pii"]["fields"].remove("name"), "name is gone"),
    "pii gone": ("payment.created.v1", lambda c: c.update(pii=None), "retention class changed"),
}  # fmt: skip


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_a_change_that_old_data_or_old_readers_would_not_survive_is_refused(name: str) -> None:
    contract, change, message = INCOMPATIBLE[name]
    [problem] = changed(contract, change)
    assert problem.startswith(f"{contract}: ")
    assert message in problem


@pytest.mark.parametrize(
    "change",
    [
        prop("note_code", type="string", pattern="^[a-z]+$", **{"x-residency": "regional"}),
        prop("currency", description="In other words."),
        prop("amount_minor", **{"x-residency": "regional"}),
        lambda c: c.update(examples=c["examples"][:1]),
        lambda c: c.update(pii={"retention_class": "payment_record", "fields": ["email"]}),
    ],
    ids=["optional field", "description", "tightened class", "examples", "pii added"],
)
def test_a_change_that_all_survive_passes(change: Any) -> None:
    assert changed("link.created.v1", change) == []


def test_a_released_contract_cannot_go() -> None:
    released = compatibility.current()
    remaining = {name: found for name, found in released.items() if name != "link.created.v1"}
    [problem] = compatibility.incompatibilities(released, remaining)
    assert problem.startswith("link.created.v1: was released and is gone")


def test_old_data_is_tried_out() -> None:
    released = copy.deepcopy(compatibility.current())
    released["link.created.v1"]["examples"][0]["usage"] = "limited"
    [problem] = compatibility.broken_examples(released)
    assert "link.created.v1" in problem
    assert "/usage" in problem


def test_the_command_refuses_and_releases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "released.json"
    with pytest.raises(ConfigurationError, match=r"released\.json"):
        compatibility.main([], path)
    assert compatibility.main(["release"], path) == 0
    assert compatibility.main(["check"], path) == 0
    released = json.loads(path.read_text("utf-8"))
    assert released == compatibility.load_released(), "the baseline in the tree is what `release` writes"
    gone = released.pop("link.created.v1")
    path.write_text(json.dumps(released), "utf-8")
    assert compatibility.main([], path) == 1
    assert "link.created.v1: is not released as it stands" in capsys.readouterr().err
    path.write_text(json.dumps({**released, "link.created.v1": gone, "link.imagined.v1": gone}), "utf-8")
    before = path.read_bytes()
    assert compatibility.main(["release"], path) == 1
    assert path.read_bytes() == before, "a refused release writes nothing"
    assert compatibility.main(["publish"], path) == 2
