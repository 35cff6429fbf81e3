"""Which gateway an attempt goes to, and why. Pure: facts come in, a decision with a reason for every gateway comes out.

Fewer basis points are better: what an attempt costs, and what it loses by succeeding less often than the best does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from web.gateways.declines import Retry
from web.gateways.domain import Answer, Fact

_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be paid, as far as it matters here."""

    region: str
    currency: str
    method: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Option:
    """One account of the region and what is known about it right now."""

    gateway: str
    account: str
    order: int
    takes: bool  # whether account and adapter take the method at all
    cost_bps: int
    attempts: int = 0  # recently, by this method
    successes: int = 0
    shut: str | None = None  # why its breaker lets nothing through


@dataclass(frozen=True, slots=True)
class Rule:
    """What is preferred or left out when all conditions hold; an empty condition always does."""

    name: str
    description: str
    regions: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    at_least_minor: int | None = None
    prefer: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def applies(self, wish: Wish) -> bool:
        """Whether the rule is about this wish."""
        return (
            (not self.regions or wish.region in self.regions)
            and (not self.currencies or wish.currency in self.currencies)
            and (not self.methods or wish.method in self.methods)
            and (self.at_least_minor is None or wish.amount_minor >= self.at_least_minor)
        )


@dataclass(frozen=True, slots=True)
class Onward:
    """When an attempt's failure leads to another attempt."""

    fallback_reasons: frozenset[str]
    attempts_max: int
    again_reasons: frozenset[str]
    again_max: int
    pause_ms: int
    pause_ms_max: int


@dataclass(frozen=True, slots=True)
class Success:
    """How the recent success rate counts."""

    window_minutes: int
    attempts_min: int
    margin_points: int
    point_bps: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One account as the decision saw it. `rank` 1 is asked first; None: not at all."""

    gateway: str
    account: str
    rank: int | None
    score_bps: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """All accounts of the region in the order in which they are asked; those that are not come last."""

    candidates: tuple[Candidate, ...]
    rules: tuple[str, ...]
    version: str

    @property
    def gateways(self) -> tuple[str, ...]:
        """The gateways that may be asked, the first one first."""
        return tuple(candidate.gateway for candidate in self.candidates if candidate.rank is not None)


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt of the same payment that has definitely failed."""

    attempt_id: str
    gateway: str
    code: str


@dataclass(frozen=True, slots=True)
class Context:
    """What else counts: whom the merchant prefers, whose card fields the payer filled in, and what was tried."""

    preferred: Sequence[str] = ()
    token_of: str | None = None
    tried: Sequence[Tried] = field(default_factory=tuple)


def decide(
    wish: Wish, options: Sequence[Option], rules: Sequence[Rule], success: Success, context: Context
) -> Decision:
    """Order the region's accounts for one wish, and say why of each."""
    holding = [rule for rule in rules if rule.applies(wish)]
    rates = _rates(options, success)
    best = max((rate for rate in rates.values() if rate is not None), default=None)
    judged = [_judge(option, holding, rates[option.gateway], best, success, context) for option in options]
    judged.sort(key=lambda each: each[0])
    ranked, rank = [], 0
    for key, candidate in judged:
        rank += 1 if not key[0] else 0
        place = None if key[0] else rank
        ranked.append(Candidate(candidate.gateway, candidate.account, place, candidate.score_bps, candidate.reasons))
    return Decision(tuple(ranked), tuple(rule.name for rule in holding), "")


def next_gateway(answer: Answer, tried: Sequence[Tried], options: Sequence[str], policy: Onward) -> str | None:
    """Where to go after an attempt's answer, or None. `tried` holds that attempt too, last; `options` are still open.

    Only a definite failure leads on: an attempt that may have moved money is never followed by another one.
    """
    if answer.fact is not Fact.DECLINED or answer.code is None or not tried or len(tried) >= policy.attempts_max:
        return None
    if answer.retry in {Retry.NEVER, Retry.WITH_AUTHENTICATION}:
        return None
    last = tried[-1].gateway
    times = sum(1 for each in tried if each.gateway == last)
    if answer.code in policy.again_reasons and times <= policy.again_max and last in options:
        return last
    if answer.code not in policy.fallback_reasons:
        return None
    seen = {each.gateway for each in tried}
    return next((gateway for gateway in options if gateway not in seen), None)


def pause_bound_ms(times: int, policy: Onward) -> int:
    """The longest pause before the same gateway is asked again, after so many times; the pause is drawn below it."""
    return min(policy.pause_ms << max(times - 1, 0), policy.pause_ms_max)


def as_json(decision: Decision, chosen: str, number: int, tried: Sequence[Tried]) -> dict[str, Any]:
    """A decision as it is kept on its attempt, for support to read."""
    return {
        "chosen": chosen,
        "number": number,
        "rules_version": decision.version,
        "rules": list(decision.rules),
        "candidates": [
            {
                "gateway": c.gateway,
                "account": c.account,
                "rank": c.rank,
                "score_bps": c.score_bps,
                "reasons": list(c.reasons),
            }
            for c in decision.candidates
        ],
        "after": [{"attempt_id": each.attempt_id, "gateway": each.gateway, "code": each.code} for each in tried],
    }


def _rates(options: Sequence[Option], success: Success) -> Mapping[str, int | None]:
    """Recent success in percent; None where too little is known."""
    return {
        option.gateway: option.successes * _PERCENT // option.attempts
        if option.attempts >= success.attempts_min
        else None
        for option in options
    }


Key = tuple[
    bool, bool, int, int, int, int
]  # left out, not the fields', by rule, by merchant, score, the region's order
_UNNAMED = 1_000_000


def _judge(
    option: Option, rules: Sequence[Rule], rate: int | None, best: int | None, success: Success, context: Context
) -> tuple[Key, Candidate]:
    out = _objections(option, rules)
    failed = [f"failed already: {tried.code}" for tried in context.tried if tried.gateway == option.gateway]
    (has_fields, by_rule, by_merchant), liked = _likings(option, rules, context)
    score, weighed = _score(option, rate, best, success)
    reasons = (*out, *failed, *liked, *weighed, f"the region's number {option.order}")
    key = (bool(out), not has_fields, by_rule, by_merchant, score, option.order)
    return key, Candidate(option.gateway, option.account, None, score, reasons)


def _objections(option: Option, rules: Sequence[Rule]) -> list[str]:
    """Why an account cannot be asked at all; nothing if it can."""
    found = [] if option.takes else ["does not take the method"]
    if option.shut:
        found.append(option.shut)
    return found + [f"left out by the rule {rule.name}" for rule in rules if option.gateway in rule.exclude]


def _likings(option: Option, rules: Sequence[Rule], context: Context) -> tuple[tuple[bool, int, int], list[str]]:
    """What speaks for an account before cost and success do, the lowest number first."""
    reasons = []
    has_fields = context.token_of == option.gateway
    if has_fields:
        reasons.append("the payer's card fields are this gateway's")
    naming = [rule for rule in rules if option.gateway in rule.prefer]
    reasons += [f"preferred by the rule {rule.name}" for rule in naming]
    by_rule = min((rule.prefer.index(option.gateway) for rule in naming), default=_UNNAMED)
    by_merchant = _UNNAMED
    if option.gateway in context.preferred:
        by_merchant = context.preferred.index(option.gateway)
        reasons.append(f"the merchant's choice number {by_merchant + 1}")
    return (has_fields, by_rule, by_merchant), reasons


def _score(option: Option, rate: int | None, best: int | None, success: Success) -> tuple[int, list[str]]:
    """What an attempt costs, and what it loses by succeeding less often, in basis points of the amount."""
    reasons = [f"costs {option.cost_bps} bps"]
    if rate is None or best is None:
        return option.cost_bps, [*reasons, "too few recent attempts for a success rate"]
    reasons.append(f"{rate} % of {option.attempts} recent attempts succeeded")
    behind = best - rate
    if behind < success.margin_points:
        return option.cost_bps, reasons
    loss = behind * success.point_bps
    return option.cost_bps + loss, [*reasons, f"{behind} points behind the best: {loss} bps"]
