"""What is published of the contracts: the AsyncAPI document and the reference page."""

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask

from regions import asyncapi, event_reference, events
from regions.region import region_codes

# The specification's own schema, from the package @asyncapi/specs 6.11.1 (schemas/3.0.0-without-$id.json, Apache-2.0).
SPECIFICATION = json.loads(gzip.decompress(Path(__file__).with_name("asyncapi-3.0.0.schema.json.gz").read_bytes()))


def problems(document: dict[str, Any]) -> list[str]:
    return [error.json_path for error in jsonschema.Draft7Validator(SPECIFICATION).iter_errors(document)]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi.document("eu")


def test_the_document_is_asyncapi_3(document: dict[str, Any]) -> None:
    assert problems(document) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("asyncapi",), "2.6.0"),
        (("channels", "links", "address"), 7),
        (("operations", "links", "action"), "publish"),
        (("components", "messages", "link.created.v1", "payload"), "text"),
    ],
)
def test_the_specification_would_see_a_wrong_document(path: tuple[str, ...], value: object) -> None:
    document = asyncapi.document("eu")
    node = document
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    assert problems(document)


def test_every_reference_leads_somewhere_and_every_type_is_told_once(document: dict[str, Any]) -> None:
    references: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            references.extend(value for name, value in node.items() if name == "$ref")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    for reference in references:
        node: Any = document
        for name in reference.removeprefix("#/").split("/"):
            node = node[name]
    told = [name for channel in document["channels"].values() for name in channel["messages"]]
    assert sorted(told) == sorted(f"{found.name}.v{found.version}" for found in events.versions())
    assert {channel["address"] for channel in document["channels"].values()} == set(events.topics("eu"))


def test_every_example_is_an_envelope_that_a_reader_accepts(document: dict[str, Any]) -> None:
    for message in document["components"]["messages"].values():
        for example in message["examples"]:
            envelope = events.parse_envelope(json.dumps(example["payload"]).encode())
            events.validate_data(envelope["type"], envelope["data"], envelope["schema_version"])


def test_every_region_has_its_own_topics() -> None:
    for region in region_codes():
        addresses = [channel["address"] for channel in asyncapi.document(region)["channels"].values()]
        assert all(address.startswith(f"{region}.") for address in addresses)


def test_web_serves_it_beside_the_apis_own(region_app: Flask, document: dict[str, Any]) -> None:
    client = region_app.test_client()
    answer = client.get("/asyncapi.json")
    assert (answer.status_code, answer.get_json()) == (200, document)
    assert client.get("/asyncapi.json", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_reference_page_is_current_and_tells_every_field() -> None:
    text = event_reference.PAGE.read_text("utf-8")
    assert text == event_reference.page(), "run: make events"
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(found.residency) for found in events.versions())
    assert all(len(row.replace("\\|", "").split(" | ")) == 4 and not row.endswith("|  |") for row in rows)
