"""Great Expectations, kept at arm's length: it takes seconds to import, so only what checks a file imports this module.

Everything happens in memory. Nothing is sent anywhere: analytics are off before the library is loaded.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipelines.expectations.suite import CRITICAL, Rule, Suite, load_suite

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

EXAMPLES_MAX = 20
logging.getLogger("great_expectations").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Finding:
    """An expectation that a file does not meet: where first, how often, and what it says there."""

    rule: str
    severity: str
    says: str
    count: int
    examples: Sequence[Mapping[str, Any]]  # line, column, value

    def sentence(self) -> str:
        """For people: the first place, and how many more there are."""
        if not self.examples:
            return self.says
        first = self.examples[0]
        line = f"line {first['line']}, " if first["line"] is not None else ""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return f"{line}column {first['column']}: `{first['value']}` {self.says}{more}"


@cache
def context() -> Any:
    """One context for the process, in memory."""
    made = gx.get_context(mode="ephemeral")
    made.variables.progress_bars = ProgressBarsConfig(globally=False)
    made.enable_analytics(enable=False)
    return made


@cache
def _batch(name: str) -> Any:
    source = context().data_sources.add_or_update_pandas(f"door_{name}")
    return source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("file")


@cache
def expectation_suite(name: str) -> Any:
    """The suite as Great Expectations knows it."""
    suite = load_suite(name)
    made = gx.ExpectationSuite(
        name,
        expectations=[
            {
                "type": rule.type,
                "kwargs": dict(rule.kwargs),
                "severity": rule.severity,
                "notes": f"{rule.place}: {rule.says}",
                "meta": {"rule": number},
            }
            for number, rule in enumerate(suite.rules)
        ],
    )
    return context().suites.add(made)


def judge(suite: Suite, columns: Mapping[str, Sequence[Any]]) -> tuple[list[Finding], dict[str, Any]]:
    """What the columns do not meet, worst first, and the whole result as a document."""
    frame = pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})
    batch = _batch(suite.name).get_batch({"dataframe": frame})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = batch.validate(expectation_suite(suite.name), result_format="COMPLETE")
    document: dict[str, Any] = result.to_json_dict()
    numbered = {found["expectation_config"]["meta"]["rule"]: found for found in document["results"]}  # in any order
    findings = [
        _finding(rule, numbered[number], frame)
        for number, rule in enumerate(suite.rules)
        if not numbered[number]["success"]
    ]
    for found in document["results"]:
        _shorten(found["result"])
    return sorted(findings, key=lambda one: one.severity != CRITICAL), document


def _finding(rule: Rule, found: Mapping[str, Any], frame: pd.DataFrame) -> Finding:
    if found["exception_info"].get("raised_exception"):
        reason = str(found["exception_info"].get("exception_message")).splitlines()[0]
        return Finding(rule.type, CRITICAL, f"column {rule.place}: {rule.says} ({reason})", 0, ())
    indexes = found["result"].get("unexpected_index_list") or []
    examples = [_example(rule, frame.iloc[index]) for index in indexes[:EXAMPLES_MAX]]
    says = rule.says if examples else f"column {rule.place}: {rule.says}"
    return Finding(rule.type, rule.severity, says, len(indexes), examples)


def _example(rule: Rule, row: pd.Series[Any]) -> dict[str, Any]:
    value = row[rule.kwargs["column"]] if "column" in rule.kwargs else row[rule.kwargs["column_list"][0]]
    place = rule.place.format_map({name: row[name] for name in row.index}) if "{" in rule.place else rule.place
    return {"line": int(row["line"]), "column": place, "value": str(value)}


def _shorten(result: dict[str, Any]) -> None:
    for name, value in result.items():
        if isinstance(value, list):
            result[name] = value[:EXAMPLES_MAX]
    result.pop("unexpected_index_query", None)
