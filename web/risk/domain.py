"""What features lead to: rules as data, judged without a database. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

Features = Mapping[str, int | None]


class Decision(StrEnum):
    """What happens to a payment, from free to strict."""

    ALLOW = "allow"
    CHALLENGE = "challenge"  # the gateway is asked for a second factor
    BLOCK = "block"  # the gateway is not asked at all


_STRICTNESS = {decision: rank for rank, decision in enumerate(Decision)}


@dataclass(frozen=True, slots=True)
class Condition:
    """One feature has to lie between two bounds, of which one may be missing. Null lies nowhere."""

    feature: str
    at_least: int | None = None
    at_most: int | None = None

    def holds(self, features: Features) -> bool:
        """Whether the feature has a value, and within bounds."""
        value = features.get(self.feature)
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when all its conditions hold."""

    name: str
    description: str
    decision: Decision
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, in the order of their file. `version` changes with whatever may change a verdict."""

    rules: tuple[Rule, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The strictest decision of the rules that fired, and their names."""

    decision: Decision
    reasons: tuple[str, ...]


def judge(rules: Iterable[Rule], features: Features) -> Verdict:
    """Apply every rule. No rule fired means allow."""
    fired = [rule for rule in rules if all(condition.holds(features) for condition in rule.conditions)]
    decision = max((rule.decision for rule in fired), key=_STRICTNESS.__getitem__, default=Decision.ALLOW)
    return Verdict(decision, tuple(rule.name for rule in fired))


def device_signal(headers: Mapping[str, str]) -> str:
    """What a browser says of itself with every request, as one hash: a kind of device rather than one device."""
    said = "\x1f".join(headers.get(name, "") for name in ("User-Agent", "Accept", "Accept-Language", "Accept-Encoding"))
    return hashlib.sha256(said.encode()).hexdigest()
