"""The rules as declared in `regions/contracts/risk_rules.toml`: whatever is wrong there stops the process."""

import hashlib
import json
import re
from dataclasses import asdict
from functools import cache
from pathlib import Path

from regions.contract_files import CONTRACTS
from regions.features import feature_set
from regions.toml_reader import TomlReader
from web.risk.domain import Condition, Decision, Rule, Rules

RULES_FILE = CONTRACTS / "risk_rules.toml"
_NAME = re.compile(r"[a-z][a-z0-9_]{2,62}")


@cache
def load_rules(path: Path = RULES_FILE) -> Rules:
    """Read and judge the rules. Raises ConfigurationError naming the file and the field."""
    top = TomlReader.open(path)
    table = top.table("rules")
    rules = tuple(_rule(name, table) for name in table.names())
    top.finish()
    if not rules:
        top.refuse("rules", "declares no rule")
    said = json.dumps([{**asdict(rule), "description": ""} for rule in rules], sort_keys=True)
    return Rules(rules, hashlib.sha256(said.encode()).hexdigest()[:16])


def _rule(name: str, table: TomlReader) -> Rule:
    if not _NAME.fullmatch(name):
        table.refuse(name, f"does not have the form {_NAME.pattern}")
    rule = table.table(name)
    found = Rule(
        name=name,
        description=rule.text("description"),
        decision=Decision(rule.text("decision", choices=[Decision.CHALLENGE, Decision.BLOCK])),
        conditions=tuple(_condition(one) for one in rule.tables("all")),
    )
    rule.finish()
    return found


def _condition(table: TomlReader) -> Condition:
    found = Condition(
        feature=table.text("feature", choices=feature_set().names),
        at_least=table.integer("at_least", 0) if table.has("at_least") else None,
        at_most=table.integer("at_most", 0) if table.has("at_most") else None,
    )
    if found.at_least is None and found.at_most is None:
        table.refuse("at_least", "is missing, and so is at_most: the condition would always hold")
    if found.at_least is not None and found.at_most is not None and found.at_least > found.at_most:
        table.refuse("at_least", f"is {found.at_least}, above at_most")
    table.finish()
    return found
