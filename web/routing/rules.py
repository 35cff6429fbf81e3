"""The routing rules as declared in `regions/contracts/routing.toml`: whatever is wrong there stops the process."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from regions.contract_files import CONTRACTS
from regions.region import region_codes
from regions.toml_reader import TomlReader
from web.gateways.declines import Reason
from web.gateways.domain import Method
from web.routing.circuit import Policy
from web.routing.domain import Onward, Rule, Success

ROUTING_FILE = CONTRACTS / "routing.toml"
_NAME = r"[a-z][a-z0-9_]*"


@dataclass(frozen=True)
class Routing:
    """All of the file."""

    success: Success
    breaker: Policy
    onward: Onward
    costs_bps: Mapping[str, int]
    otherwise_bps: int
    rules: tuple[Rule, ...]
    version: str  # changes with the file

    def cost_bps(self, gateway: str) -> int:
        """What an attempt there costs, in basis points of the amount."""
        return self.costs_bps.get(gateway, self.otherwise_bps)


@cache
def load_routing(path: Path = ROUTING_FILE) -> Routing:
    """Read and judge the rules. Raises ConfigurationError naming the file and the field."""
    top = TomlReader.open(path)
    costs = top.table("costs")
    bps = costs.table("bps")
    routing = Routing(
        success=Success(*_integers(top.table("success"), Success.__slots__)),
        breaker=_breaker(top),
        onward=_onward(top.table("fallback"), top.table("again")),
        otherwise_bps=costs.integer("otherwise_bps", 0),
        costs_bps={name: bps.integer(name, 0) for name in bps.names()},
        rules=_rules(top.table("rules")),
        version=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
    )
    for table in (bps, costs, top):
        table.finish()
    return routing


def _breaker(top: TomlReader) -> Policy:
    policy = Policy(*_integers(top.table("breaker"), Policy.__slots__))
    if policy.failure_percent > 100:  # noqa: PLR2004 - percent
        top.refuse("breaker.failure_percent", "is above 100: the breaker would never open")
    return policy


def _onward(fallback: TomlReader, again: TomlReader) -> Onward:
    reasons = [str(reason) for reason in Reason]
    found = Onward(
        fallback_reasons=frozenset(fallback.texts("reasons", choices=reasons)),
        attempts_max=fallback.integer("attempts_max", 1),
        again_reasons=frozenset(again.texts("reasons", choices=reasons)),
        again_max=again.integer("times_max", 0),
        pause_ms=again.integer("pause_ms", 1),
        pause_ms_max=again.integer("pause_ms_max", 1),
    )
    fallback.finish()
    again.finish()
    return found


def _integers(table: TomlReader, names: tuple[str, ...]) -> list[int]:
    found = [table.integer(name, 1) for name in names]
    table.finish()
    return found


def _rules(table: TomlReader) -> tuple[Rule, ...]:
    found = []
    for name in table.names():
        one = table.table(name)
        rule = Rule(
            name=name,
            description=one.text("description"),
            regions=one.texts("regions", choices=region_codes()) if one.has("regions") else (),
            currencies=one.texts("currencies", pattern="[A-Z]{3}") if one.has("currencies") else (),
            methods=one.texts("methods", choices=[str(method) for method in Method]) if one.has("methods") else (),
            at_least_minor=one.integer("at_least_minor", 1) if one.has("at_least_minor") else None,
            prefer=one.texts("prefer", pattern=_NAME) if one.has("prefer") else (),
            exclude=one.texts("exclude", pattern=_NAME) if one.has("exclude") else (),
        )
        if not rule.prefer and not rule.exclude:
            one.refuse("prefer", "is missing, and so is exclude: the rule would do nothing")
        one.finish()
        found.append(rule)
    return tuple(found)
