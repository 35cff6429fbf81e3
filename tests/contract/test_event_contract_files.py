import json
from pathlib import Path
from typing import Any

import pytest

from regions.contract_files import CONTRACTS, load_event_types, load_families, parse_contract
from regions.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in CONTRACTS.rglob("*"):
        if path.is_file():
            copied = tmp_path / path.relative_to(CONTRACTS)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
    assert len(load_event_types(tmp_path)) == len(load_event_types())
    return tmp_path


def edited(**changes: Any) -> dict[str, Any]:
    document = json.loads((CONTRACTS / "events" / "link.created.v1.json").read_text("utf-8"))
    for name, value in changes.items():
        if value is None:
            del document[name]
        else:
            document[name] = value
    return document


def with_field(**keywords: Any) -> dict[str, Any]:
    document = edited()
    field = document["schema"]["properties"]["currency"]
    for keyword, value in keywords.items():
        keyword = keyword.replace("__", "-")  # noqa: PLW2901
        if value is None:
            del field[keyword]
        else:
            field[keyword] = value
    return document


REFUSED = {
    **{f"no {name}": (edited(**{name: None}), f"{name} is missing") for name in
       ("type", "version", "family", "owner", "description", "schema", "examples")},
    "no class": (with_field(x__residency=None), "/currency has no x-residency"),
    "unknown class": (with_field(x__residency="public"), "'public' is no residency class"),
    "misspelt keyword": (with_field(patern="x"), "'patern', which is no keyword"),
    "keyword of another type": (with_field(minimum=1), "'minimum', which is no keyword for string"),
    "no type": (with_field(type=None), "/currency needs a type"),
    "two types": (with_field(type=["string", "null"]), "/currency needs a type"),
    "unknown format": (with_field(format="e-mail"), "unknown format 'e-mail'"),
    "extra field": (edited(topic="x"), "topic is not a field of a contract"),
    "family without topic": (edited(family="orders"), "family is wrong: 'orders'"),
    "owner of nothing": (edited(owner="someone"), "owner is wrong"),
    "no example": (edited(examples=[]), "examples is wrong"),
    "version zero": (edited(version=0), "version is wrong"),
    "version true": (edited(version=True), "version is wrong"),
    "another name": (edited(type="link.made"), "has another name"),
    "open schema": (edited(schema={"type": "object", "required": [], "properties": {"a": {"type": "boolean",
        "x-residency": "pii"}}}), "additionalProperties false"),
    "empty schema": (edited(schema={"type": "object", "additionalProperties": False, "required": [], "properties": {}}),
        "has no properties"),
    "not an object": (edited(schema={"type": "array"}), "the data of an event is an object"),
    "required unknown": (edited(schema={"type": "object", "additionalProperties": False, "required": ["b"],
        "properties": {"a": {"type": "boolean", "x-residency": "pii"}}}), "only its own properties"),
    "pii without class": (edited(pii={"fields": ["email"]}), "pii needs exactly"),
    "pii of an unknown class": (edited(pii={"retention_class": "x", "fields": ["email"]}), "no data class"),
    "pii of nothing": (edited(pii={"retention_class": "payment_record", "fields": []}), "pii.fields"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_contract_that_says_too_little_is_refused(name: str, folder: Path) -> None:
    document, message = REFUSED[name]
    path = folder / "events" / "link.created.v1.json"
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_event_types(folder)
    assert str(path) in str(caught.value)


def test_a_field_given_twice_is_refused(folder: Path) -> None:
    path = folder / "events" / "link.created.v1.json"
    path.write_text('{"type": "link.created", "type": "link.created"}', "utf-8")
    with pytest.raises(ConfigurationError, match="given twice"):
        parse_contract(path, load_families(folder))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('owner = "web.links"\n', ""),
        ('owner = "web.links"', 'owner = "nobody"'),
        ("partitions = 3", "partitions = 0"),
        ("version = 1", 'version = "1"'),
        ("[families.links]", "[families.links]\ncolour = 1"),
    ],
)
def test_a_topic_without_owner_or_number_is_refused(folder: Path, old: str, new: str) -> None:
    path = folder / "topics.toml"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigurationError, match="family links"):
        load_event_types(folder)
