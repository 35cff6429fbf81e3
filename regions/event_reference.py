"""`docs/reference/events.md`, made from the event contracts: `python -m regions.event_reference` writes it."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from regions import events
from regions.contract_files import EventType

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "events.md"
_FORMS: Final = ("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "not")
_HEAD: Final = """# Events

Made from `regions/contracts/` by `make events`; a test holds it current. Do not edit it.

Every event is a CloudEvents 1.0 JSON document in the topic of its family, `<region>.<family>.v<version>`, keyed by its
object's id ([ADR 4](../decisions/0004-event-contracts.md)). Each region serves the same contracts, machine-readable, at
`/asyncapi.json`. The class of a field: `exportable` may leave the region, `regional` may not, `pii` is personal.
"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD, "## Families", "", "| family | topic | partitions | owner | what it tells |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {family.name} | `<region>.{family.name}.v{family.version}` | {family.partitions} | `{family.owner}` "
        f"| {family.description} |"
        for family in events.FAMILIES.values()
    ]
    for found in sorted(events.versions(), key=lambda found: (found.family, found.name, found.version)):
        lines += ["", *_event(found)]
    return "\n".join(lines) + "\n"


def _event(found: EventType) -> Iterator[str]:
    yield f"## {found.name} (version {found.version})"
    yield ""
    yield f"{found.description} Family `{found.family}`, owner `{found.owner}`."
    if found.pii is not None:
        fields = ", ".join(f"`{name}`" for name in found.pii.fields)
        yield f"`pii` holds {fields}, sealed under the retention class `{found.pii.retention_class}`."
    yield ""
    yield "| field | type | class | meaning |"
    yield "| --- | --- | --- | --- |"
    yield from _rows(found, found.schema, "")
    yield ""
    yield "```json"
    yield orjson.dumps(found.examples[0], option=orjson.OPT_INDENT_2).decode()
    yield "```"


def _rows(found: EventType, schema: Mapping[str, Any], pointer: str) -> Iterator[str]:
    for name, child in schema["properties"].items():
        path = f"{pointer}/{name}"
        shown = path.removeprefix("/").replace("/*/", "[].").replace("/", ".")
        is_required = name in schema["required"]
        yield (
            f"| `{shown}` | {_type(child)}{'' if is_required else ', optional'} | {found.residency[path].value} "
            f"| {child.get('description', '')} |"
        )
        if child["type"] == "object":
            yield from _rows(found, child, path)
        elif child["type"] == "array" and child["items"]["type"] == "object":
            yield from _rows(found, child["items"], f"{path}/*")


def _type(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        return f"array of {_type(schema['items'])}"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    forms = [f"{name} `{str(schema[name]).replace('|', chr(92) + '|')}`" for name in _FORMS if name in schema]
    return ", ".join([schema["type"], *forms])


def main(path: Path = PAGE) -> int:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
