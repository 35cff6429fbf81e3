"""What is released stays readable: new readers survive old data, and old readers survive new data.

`contracts/released.json` is what was released. `python -m regions.compatibility` refuses a contract that breaks it;
`python -m regions.compatibility release` adds to it what is new and compatible.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from regions.contract_files import CONTRACTS, EventType
from regions.errors import ConfigurationError, EventContractError, MeridianError
from regions.events import event_type, validate_data, versions
from regions.residency import is_loosened, residency_class

RELEASED: Final = CONTRACTS / "released.json"

# Wider breaks an old reader, narrower breaks old data: a released version keeps each of these as it is.
_FROZEN: Final = (
    "type",
    "enum",
    "not",
    "pattern",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "additionalProperties",
)


def describe(found: EventType) -> dict[str, Any]:
    """What a release promises about one version of a type."""
    pii = {"retention_class": found.pii.retention_class, "fields": sorted(found.pii.fields)} if found.pii else None
    return {"family": found.family, "pii": pii, "schema": found.schema, "examples": list(found.examples)}


def current() -> dict[str, dict[str, Any]]:
    """Every contract of this tree, by `<type>.v<version>`."""
    return {f"{found.name}.v{found.version}": describe(found) for found in versions()}


def incompatibilities(released: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[str]:
    """Why the candidate may not replace what was released; empty when it may."""
    problems = []
    for name, before in released.items():
        if name not in candidate:
            problems.append(f"{name}: was released and is gone; old data would have no contract")
            continue
        after = candidate[name]
        if before["family"] != after["family"]:
            problems.append(f"{name}: moved from family {before['family']} to {after['family']}, so to another topic")
        problems += [f"{name}: {problem}" for problem in _pii_problems(before["pii"], after["pii"])]
        problems += [f"{name}: {problem}" for problem in _schema_problems(before["schema"], after["schema"], "")]
    return problems


def unreleased(released: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[str]:
    """Contracts that differ from what was released and would be protected by nothing."""
    return [name for name, found in candidate.items() if released.get(name) != found]


def broken_examples(released: Mapping[str, Any]) -> list[str]:
    """Released examples that a reader of this tree no longer accepts: old data, tried out."""
    problems = []
    for name, before in released.items():
        event, _, version = name.rpartition(".v")
        for example in before["examples"]:
            try:
                event_type(event, int(version))
                validate_data(event, example, int(version), is_reader=True)
            except EventContractError as error:
                problems.append(f"{name}: a released example no longer reads: {error}")
    return problems


def load_released(path: Path = RELEASED) -> dict[str, Any]:
    """The baseline."""
    try:
        released = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: the released contracts cannot be read ({error})") from error
    if not isinstance(released, dict):
        raise ConfigurationError(f"{path}: the released contracts are one JSON object")
    return released


def _pii_problems(before: Any, after: Any) -> Iterator[str]:
    if before is None:
        return
    if after is None or before["retention_class"] != after["retention_class"]:
        yield "pii: the retention class changed; what is sealed stays under the old one"
    elif lost := sorted(set(before["fields"]) - set(after["fields"])):
        yield f"pii: {', '.join(lost)} is gone; old readers expect it"


def _schema_problems(before: Mapping[str, Any], after: Mapping[str, Any], pointer: str) -> Iterator[str]:
    where = pointer or "/"
    for keyword in _FROZEN:
        if before.get(keyword) != after.get(keyword):
            yield f"{where}: {keyword} changed from {before.get(keyword)!r} to {after.get(keyword)!r}"
    if "x-residency" in before and is_loosened(
        residency_class(before["x-residency"]), residency_class(after.get("x-residency"))
    ):
        yield f"{where}: x-residency was loosened from {before['x-residency']} to {after['x-residency']}"
    for name in sorted(set(after.get("required", ())) - set(before.get("required", ()))):
        yield f"{pointer}/{name}: became required; old data lacks it"
    for name in sorted(set(before.get("required", ())) - set(after.get("required", ()))):
        yield f"{pointer}/{name}: is no longer required; old readers need it"
    old, new = before.get("properties", {}), after.get("properties", {})
    for name, child in old.items():
        if name in new:
            yield from _schema_problems(child, new[name], f"{pointer}/{name}")
        else:
            yield f"{pointer}/{name}: is gone; old data has it"
    if "items" in before and "items" in after:
        yield from _schema_problems(before["items"], after["items"], f"{pointer}/*")


def main(arguments: list[str], path: Path = RELEASED) -> int:
    """`check` (the default) or `release`; 0 when all is well, 1 when a change is refused, 2 for a wrong call."""
    if arguments not in ([], ["check"], ["release"]):
        sys.stderr.write("usage: python -m regions.compatibility [check|release]\n")
        return 2
    is_release = arguments == ["release"]
    released = load_released(path) if path.exists() or not is_release else {}
    problems = incompatibilities(released, current()) + broken_examples(released)
    if not problems and not is_release:
        problems = [
            f"{name}: is not released as it stands; run `python -m regions.compatibility release`"
            for name in unreleased(released, current())
        ]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if problems:
        return 1
    if is_release:
        text = json.dumps(dict(sorted(current().items())), indent=1, ensure_ascii=False, sort_keys=True)
        path.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MeridianError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)
