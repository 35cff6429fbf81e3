"""Who carries out each rule. Total: a data class without an executor, or with one that is not true, stops the import.

An executor says how a class of data goes, or why nothing of it has to; what it says is held against the data map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from regions.data_map import DataMap, data_map
from regions.errors import ConfigurationError
from regions.events import registry
from regions.retention import Action, Trigger, data_classes

if TYPE_CHECKING:
    from regions.region import Region


class Way(StrEnum):
    """How a class of data goes."""

    SUBJECT = "subject"  # column by column and key by key, a person at a time
    ROWS = "rows"  # whole rows, by a clock of their own
    MERCHANT = "merchant"  # what tells of a merchant's people, once it has left
    NOT_HELD = "not_held"  # no table, column or event holds any of it
    BOOKS = "books"  # nothing in it tells of a person; it goes by carrying balances forward, never by a plan


_TRIGGERS: Final[Mapping[Way, frozenset[Trigger]]] = {
    Way.SUBJECT: frozenset({Trigger.PAYMENT_FINAL, Trigger.PAYMENT_WITHOUT_MONEY}),
    Way.MERCHANT: frozenset({Trigger.RELATIONSHIP_ENDED}),
    Way.BOOKS: frozenset({Trigger.YEAR_OF_BOOKING_ENDED}),
}
_ACTIONS: Final[Mapping[Way, frozenset[Action]]] = {
    Way.SUBJECT: frozenset({Action.DESTROY_KEY, Action.NULL_TOKENS}),
    Way.ROWS: frozenset({Action.DELETE}),
    Way.MERCHANT: frozenset({Action.DELETE}),
    Way.BOOKS: frozenset({Action.DELETE}),
}


@dataclass(frozen=True, slots=True)
class Executor:
    """How one class goes; `tables` are those whose rows it deletes, for `ROWS` and `MERCHANT`. `why` is for people."""

    way: Way
    why: str
    tables: frozenset[str] = frozenset()


EXECUTORS: Final[Mapping[str, Executor]] = MappingProxyType(
    {
        "payment_record": Executor(Way.SUBJECT, "amounts and states stay as nobody's; what is sealed loses its key"),
        "payer_token": Executor(Way.SUBJECT, "pseudonyms are emptied in every store"),
        "checkout_session": Executor(Way.ROWS, "visits go with their events", frozenset({"checkout_sessions"})),
        "gateway_message": Executor(
            Way.ROWS, "messages go by age, and with the person they are about", frozenset({"gateway_webhooks"})
        ),
        "idempotent_answer": Executor(Way.ROWS, "answers go by age", frozenset({"idempotency_keys"})),
        "webhook_delivery": Executor(
            Way.ROWS,
            "deliveries go by age: a week after the last try at the earliest",
            frozenset({"webhook_events", "webhook_deliveries", "webhook_attempts"}),
        ),
        "access_log": Executor(
            Way.ROWS,
            "failed sign-ins go by age; processes log to their output, redacted where they write",
            frozenset({"console_sign_in_failures"}),
        ),
        "merchant_record": Executor(
            Way.MERCHANT, "the name, the keys and the people of a merchant go; its id stays in the books",
            frozenset({"merchants"}),
        ),
        "accounting_record": Executor(Way.BOOKS, "finance carries the balances of a year forward before its books go"),
        "payer_marketing": Executor(Way.NOT_HELD, "nobody is asked for consent to be written to"),
        "dispute_evidence": Executor(Way.NOT_HELD, "no evidence is collected"),
    }
)  # fmt: skip


def check_executors(found: DataMap, executors: Mapping[str, Executor] = EXECUTORS) -> None:
    """Raise ConfigurationError for a class that nobody carries out, or an executor that the data map contradicts."""
    for name in sorted(set(data_classes()) ^ set(executors)):
        raise ConfigurationError(f"data class {name}: it has no executor, or is no data class")
    for name, executor in executors.items():
        problem = _problem(found, name, executor)
        if problem:
            raise ConfigurationError(f"data class {name}: its executor is {executor.way.value}, and {problem}")


def check_region(region: Region, found: DataMap, executors: Mapping[str, Executor] = EXECUTORS) -> None:
    """Raise ConfigurationError for a rule of a region that no executor carries out: its trigger never comes."""
    for rule in region.retention:
        executor = executors[rule.data_class]
        where = f"regions/catalog/{region.code}.toml: field retention, {rule.data_class} after {rule.trigger.value}"
        if executor.way is Way.NOT_HELD:
            continue
        clocks = frozenset(trigger for name in executor.tables for trigger in found.tables[name].clock)
        triggers = _TRIGGERS.get(executor.way, clocks)
        if rule.trigger not in triggers:
            raise ConfigurationError(f"{where}: nothing ever starts this clock")
        if rule.action not in _ACTIONS[executor.way]:
            raise ConfigurationError(f"{where}: nothing carries out {rule.action.value}")


def _problem(found: DataMap, name: str, executor: Executor) -> str:
    with_clock = {table.name for table in found.tables.values() if table.clock and table.data_class == name}
    match executor.way:
        case Way.ROWS | Way.MERCHANT if with_clock != executor.tables:
            return f"tables with a clock are {', '.join(sorted(with_clock)) or 'none'}"
        case Way.SUBJECT if with_clock or not (_places(found, name) or _is_sealed(name)):
            return "nothing of it is a person's"
        case Way.NOT_HELD if _places(found, name) or _is_sealed(name):
            return f"it is held: {', '.join(_places(found, name)) or 'events seal it'}"
        case Way.BOOKS if _personal(found, name):
            return f"it tells of persons: {', '.join(_personal(found, name))}"
        case _:
            return ""


def _places(found: DataMap, name: str) -> list[str]:
    """Tables of the class, and personal columns of it elsewhere."""
    tables = [*found.tables.values(), *found.lake.values()]
    return [
        *(table.name for table in tables if table.data_class == name),
        *(f"{table.name}.{one.name}" for table in tables for one in table.personal if one.data_class == name),
    ]


def _personal(found: DataMap, name: str) -> list[str]:
    tables = [*found.tables.values(), *found.lake.values()]
    return [f"{table.name}.{one.name}" for table in tables if table.data_class == name for one in table.personal]


def _is_sealed(name: str) -> bool:
    return any(kind.pii is not None and kind.pii.retention_class == name for kind in registry().values())


check_executors(data_map())
