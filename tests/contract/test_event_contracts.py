import copy
from collections.abc import Iterator
from typing import Any

import pytest

from regions import events
from regions.errors import EventContractError
from regions.events import EventType
from regions.residency import ResidencyClass

TYPES = events.versions()
IDS = [f"{found.name}.v{found.version}" for found in TYPES]

# What this platform says, and in which family; a type that goes missing is noticed here.
EXPECTED = {
    "links": {
        "link.created",
        "link.updated",
        "link.deactivated",
        "link.reactivated",
        "link.expired",
        "link.completed",
    },
    "checkout": {"checkout.opened", "checkout.submitted", "checkout.completed", "checkout.expired"},
    "payments": {
        "payment.created",
        "payment.attempted",
        "payment.requires_action",
        "payment.succeeded",
        "payment.failed",
        "payment.authorised",
        "payment.voided",
        "capture.created",
        "capture.succeeded",
        "capture.failed",
        "dispute.opened",
        "dispute.contested",
        "dispute.closed",
        "split.created",
        "split.reversed",
        "fee.charged",
        "fee.adjusted",
        "refund.created",
        "refund.succeeded",
        "refund.failed",
    },
    "ledger": {"journal.posted"},
    "risk": {"risk.assessed"},
}


def test_the_registry_has_every_type_in_its_family() -> None:
    for family, names in EXPECTED.items():
        assert names <= {found.name for found in TYPES if found.family == family}
    assert set(events.registry()) == {found.name for found in TYPES}
    for found in TYPES:
        assert events.event_type(found.name, found.version) is found
        assert found.family in events.FAMILIES


@pytest.mark.parametrize("found", TYPES, ids=IDS)
def test_every_example_validates_for_writers_and_readers(found: EventType) -> None:
    assert found.examples
    for example in found.examples:
        events.validate_data(found.name, example, found.version)
        events.validate_data(found.name, example, found.version, is_reader=True)
    whole = set().union(*found.examples)
    assert whole == set(found.schema["properties"]), "the examples together show every field"


def breakages(schema: dict[str, Any], example: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Copies of the example that are each wrong in one place, with the pointer that must be named."""
    for name in schema["required"]:
        yield f"{pointer}/{name}", {key: value for key, value in example.items() if key != name}
    yield f"{pointer}/not_in_the_contract", {**example, "not_in_the_contract": 1}
    for name, value in example.items():
        child = schema["properties"][name]
        for wrong in wrong_values(child, value):
            yield f"{pointer}/{name}", {**example, name: wrong}
        if child["type"] == "object":
            for inner, broken in breakages(child, value, f"{pointer}/{name}"):
                yield inner, {**example, name: broken}
        if child["type"] == "array":
            for at, item in enumerate(value):
                for inner, broken in broken_items(child["items"], item, f"{pointer}/{name}/{at}"):
                    yield inner, {**example, name: [*value[:at], broken, *value[at + 1 :]]}


def broken_items(child: dict[str, Any], item: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if child["type"] == "object":
        yield from breakages(child, item, pointer)
    else:
        yield from ((pointer, wrong) for wrong in wrong_values(child, item))


def wrong_values(child: dict[str, Any], value: Any) -> Iterator[Any]:
    yield None
    yield {"a": 1} if child["type"] != "object" else [1]
    if child["type"] == "string":
        yield 1
        yield ""
        yield "x" * 1000
    if child["type"] == "integer":
        yield float(value)
        yield str(value)
        yield True
        yield child["minimum"] - 1
        if "maximum" in child:
            yield child["maximum"] + 1
    if child["type"] == "boolean":
        yield 1
    if "minItems" in child:
        yield value[: child["minItems"] - 1]
    if "pattern" in child:
        yield f"{value}\n"
        yield f" {value}"
    if "format" in child:
        yield value.replace("-03-14", "-02-30")
        yield value.replace("-04-14", "-13-14")
        yield value.replace("-", "/")
    if "not" in child:
        yield from child["not"]["enum"]
    if "enum" in child:
        yield child["enum"][0] + "x"


@pytest.mark.parametrize("found", TYPES, ids=IDS)
def test_every_schema_can_fail_in_every_field(found: EventType) -> None:
    properties: set[str] = set()
    for example in found.examples:
        for pointer, broken in breakages(dict(found.schema), example):
            if broken == example:
                continue
            with pytest.raises(EventContractError) as caught:
                events.validate_data(found.name, broken, found.version)
            assert caught.value.pointer == pointer
            properties.add(pointer)
    assert {f"/{name}" for name in found.schema["properties"]} <= properties


# A text of any form is caught by nothing but its length: only references of others may hold one, and they stay.
FREE_TEXT = {"reference", "gateway_account", "gateway_reference", "gateway_reason"}


@pytest.mark.parametrize("found", TYPES, ids=IDS)
def test_ids_stay_and_numbers_and_codes_may_leave(found: EventType) -> None:
    for pointer, residency in found.residency.items():
        name = pointer.rpartition("/")[2]
        if name.endswith(("_id", "reference", "gateway_account")):
            assert residency is ResidencyClass.REGIONAL, pointer
        if name in {"amount_minor", "currency", "status", "method", "locale"} or name.endswith("_at"):
            assert residency is ResidencyClass.EXPORTABLE, pointer
        assert name not in {"email", "name", "phone", "address", "description", "metadata", "ip"}, (
            "plain PII or free text"
        )


@pytest.mark.parametrize("found", TYPES, ids=IDS)
def test_a_text_has_a_form_or_is_known_to_be_free(found: EventType) -> None:
    def walk(node: dict[str, Any], name: str) -> None:
        if node["type"] == "object":
            for child_name, child in node["properties"].items():
                walk(child, child_name)
        elif node["type"] == "array":
            walk(node["items"], name)
        elif node["type"] == "string":
            assert {"pattern", "enum", "format"} & set(node) or (name in FREE_TEXT and "maxLength" in node), name

    walk(dict(found.schema), "")


def test_a_reader_survives_fields_of_a_newer_writer_at_every_depth() -> None:
    data = copy.deepcopy(dict(events.registry()["journal.posted"].examples[0]))
    data["new_field"] = "x"
    data["entries"][0]["new_field"] = "x"
    events.validate_data("journal.posted", data, is_reader=True)
    with pytest.raises(EventContractError):
        events.validate_data("journal.posted", data)
    del data["journal_id"]
    with pytest.raises(EventContractError, match="/journal_id is missing"):
        events.validate_data("journal.posted", data, is_reader=True)


def test_an_unknown_type_or_version_is_refused() -> None:
    with pytest.raises(EventContractError, match="'payment.imagined'"):
        events.validate_data("payment.imagined", {})
    with pytest.raises(EventContractError, match="'link.created version 99'"):
        events.validate_data("link.created", {}, 99)


def test_a_message_never_repeats_the_value() -> None:
    example = dict(events.registry()["link.created"].examples[0])
    with pytest.raises(EventContractError) as caught:
        events.validate_data("link.created", {**example, "currency": "payer@example.com"})
    assert "payer@example.com" not in str(caught.value)
    assert caught.value.__cause__ is None
