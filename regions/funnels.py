"""Funnels as data: ordered steps of a checkout session and the time they may take (`contracts/funnels.toml`)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from regions.contract_files import CONTRACTS
from regions.events import registry
from regions.toml_reader import TomlReader

CHECKOUT: Final = "checkout"  # the funnel that the marts `fct_funnel_sessions` and `fct_funnel_daily` follow
FIRST_EVENT: Final = "checkout.opened"
SESSION: Final = "session_id"
STEPS_MIN: Final = 2
_NAME: Final = r"[a-z][a-z0-9_]{0,31}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the event that reaches it, and the field of the event's data that says when."""

    name: str
    event: str
    at: str


@dataclass(frozen=True, slots=True)
class Funnel:
    """Ordered steps, two at least; `window_hours` counts from the first step."""

    name: str
    description: str
    window_hours: int
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """As dbt reads it."""
        return asdict(self)


@cache
def load_funnels(path: Path = CONTRACTS / "funnels.toml") -> Mapping[str, Funnel]:
    """Every funnel by name. Raises ConfigurationError naming the file and the field."""
    top = TomlReader.open(path)
    funnels: dict[str, Funnel] = {}
    for entry in top.tables("funnels"):
        funnel = _read_funnel(entry)
        if funnel.name in funnels:
            top.refuse("funnels", f"has {funnel.name} twice")
        funnels[funnel.name] = funnel
    top.finish()
    if CHECKOUT not in funnels:
        top.refuse("funnels", f"has no funnel {CHECKOUT!r}, which the marts follow")
    return MappingProxyType(funnels)


def _read_funnel(entry: TomlReader) -> Funnel:
    name = entry.text("name", pattern=_NAME)
    description = entry.text("description")
    window_hours = entry.integer("window_hours", minimum=1)
    steps: list[Step] = []
    for table in entry.tables("steps"):
        step = _read_step(table, is_first=not steps)
        if step.name in {earlier.name for earlier in steps}:
            table.refuse("name", f"is {step.name!r}, which names an earlier step")
        if step.event in {earlier.event for earlier in steps}:
            table.refuse("event", f"is {step.event!r}, which is an earlier step")
        steps.append(step)
    if len(steps) < STEPS_MIN:
        entry.refuse("steps", f"has {len(steps)} step: a funnel needs {STEPS_MIN} at least")
    entry.finish()
    return Funnel(name, description, window_hours, tuple(steps))


def _read_step(table: TomlReader, *, is_first: bool) -> Step:
    name = table.text("name", pattern=_NAME)
    event = table.text("event")
    if event not in registry():
        table.refuse("event", f"is {event!r}: there is no such event type in contracts/events")
    if is_first and event != FIRST_EVENT:
        table.refuse("event", f"is {event!r}: a funnel starts with {FIRST_EVENT}")
    schema = registry()[event].schema
    if SESSION not in schema["required"]:
        table.refuse("event", f"is {event!r}, whose events do not name their {SESSION}")
    times = [field for field in schema["required"] if schema["properties"][field].get("format") == "date-time"]
    step = Step(name, event, table.text("at", choices=times))
    table.finish()
    return step
