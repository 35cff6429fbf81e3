"""Every rule of every region has somebody who carries it out, or a reason that is held against the data map."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipelines.retention.executors import EXECUTORS, Executor, Way, check_executors, check_region
from regions.data_map import DataMap, Erasure, Holds, PersonalColumn, data_map
from regions.errors import ConfigurationError
from regions.region import load_region, region_codes
from regions.retention import Action, Trigger


@pytest.mark.parametrize("code", region_codes())
def test_every_rule_of_a_shipped_region_is_carried_out(code: str) -> None:
    check_executors(data_map())
    check_region(load_region(code), data_map())


def with_table(name: str, **changes: Any) -> DataMap:
    found = data_map()
    return replace(found, tables={**found.tables, name: replace(found.tables[name], **changes)})


def with_executor(name: str, way: Way) -> Mapping[str, Executor]:
    return {**EXECUTORS, name: Executor(way, "")}


def contact(data_class: str) -> PersonalColumn:
    return PersonalColumn("payer_name", Holds.CONTACT, data_class, Erasure.EXPIRES)


WRONG = {
    "a class without an executor": (
        data_map(), {name: one for name, one in EXECUTORS.items() if name != "access_log"}, "access_log: it has no"
    ),
    "an executor of no class": (data_map(), with_executor("diaries", Way.ROWS), "diaries: it .* or is no data class"),
    "rows with a clock that nobody deletes": (
        with_table("api_keys", data_class="access_log", clock={Trigger.WRITTEN: ("created_at",)}), EXECUTORS,
        "access_log: its executor is rows, and tables with a clock are api_keys, console_sign_in_failures"
    ),
    "rows that have lost their clock": (
        with_table("gateway_webhooks", clock={}), EXECUTORS, "gateway_message: .* tables with a clock are none"
    ),
    "a table of a class that is said not to be held": (
        with_table("refunds", data_class="dispute_evidence"), EXECUTORS, "dispute_evidence: .* it is held: refunds"
    ),
    "a column of a class that is said not to be held": (
        with_table("refunds", personal=(contact("payer_marketing"),)), EXECUTORS, r"it is held: refunds\.payer_name"
    ),
    "events sealed under a class that is said not to be held": (
        replace(data_map(), tables={}, lake={}), with_executor("payment_record", Way.NOT_HELD),
        "payment_record: .* it is held: events seal it"
    ),
    "books that tell of persons": (
        with_table("ledger_entries", personal=(contact("accounting_record"),)), EXECUTORS,
        r"accounting_record: its executor is books, and it tells of persons: ledger_entries\.payer_name"
    ),
    "a person's class of which nothing is a person's": (
        data_map(), with_executor("payer_marketing", Way.SUBJECT), "payer_marketing: .* nothing of it"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "executors", "message"), WRONG.values(), ids=WRONG.keys())
def test_an_executor_that_is_not_true_stops_the_import(
    found: DataMap, executors: Mapping[str, Executor], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_executors(found, executors)


@pytest.mark.parametrize(
    ("data_class", "changes", "message"),
    [
        ("gateway_message", {"trigger": Trigger.RELATIONSHIP_ENDED}, "gateway_message after relationship_ended: noth"),
        ("payer_token", {"trigger": Trigger.WRITTEN}, "payer_token after written: nothing ever starts this clock"),
        ("merchant_record", {"action": Action.NULL_TOKENS}, "nothing carries out null_tokens"),
        ("checkout_session", {"action": Action.DESTROY_KEY}, "nothing carries out destroy_key"),
    ],
)
def test_a_rule_that_nobody_carries_out_names_file_and_rule(
    data_class: str, changes: dict[str, Any], message: str
) -> None:
    eu = load_region("eu")
    rules = tuple(replace(rule, **changes) if rule.data_class == data_class else rule for rule in eu.retention)
    with pytest.raises(ConfigurationError, match=message) as caught:
        check_region(replace(eu, retention=rules), data_map())
    assert "regions/catalog/eu.toml" in str(caught.value)
