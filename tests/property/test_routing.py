"""No second charge while an attempt is open or unknown; another gateway only after a definite failure."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from regions.money import Money
from web.gateways.declines import Reason, Retry
from web.gateways.domain import Action, ActionKind, Answer, Fact
from web.routing.circuit import Circuit, Health, State, after, probing, refusal
from web.routing.domain import Context, Option, Rule, Tried, Wish, decide, next_gateway, pause_bound_ms
from web.routing.rules import load_routing

GATEWAYS = ("a", "b", "c", "d")
NOW = datetime(2026, 3, 14, tzinfo=UTC)
ROUTING = load_routing()
POLICY = ROUTING.onward
EURO = Money(100, "EUR")


def answer(fact: Fact, code: str | None, retry: Retry | None) -> Answer:
    action = Action(ActionKind.REDIRECT, "https://psp.example") if fact is Fact.REQUIRES_ACTION else None
    has_money = fact in {Fact.CAPTURED, Fact.AUTHORISED}
    return Answer(fact, "ref" if has_money else None, code or ("x" if fact is Fact.DECLINED else None), action,
                  moved=EURO if has_money else None, retry=retry)  # fmt: skip


answers = st.builds(
    answer,
    st.sampled_from(Fact),
    st.one_of(st.none(), st.sampled_from([str(reason) for reason in Reason])),
    st.one_of(st.none(), st.sampled_from(Retry)),
)
options = st.lists(
    st.builds(
        Option,
        gateway=st.sampled_from(GATEWAYS),
        account=st.just("acc"),
        order=st.integers(1, 4),
        takes=st.booleans(),
        cost_bps=st.integers(0, 500),
        attempts=st.integers(50, 90),
        successes=st.integers(0, 50),
        shut=st.sampled_from([None, None, "its breaker is open"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda option: option.gateway,
)
rules = st.lists(
    st.builds(
        Rule,
        name=st.just("r"),
        description=st.just("r"),
        regions=st.sampled_from([(), ("eu",), ("in",)]),
        prefer=st.lists(st.sampled_from(GATEWAYS), unique=True).map(tuple),
        exclude=st.lists(st.sampled_from(GATEWAYS), unique=True, max_size=1).map(tuple),
    ),
    max_size=2,
)


@given(st.lists(answers, min_size=1, max_size=8), st.permutations(GATEWAYS))
@settings(max_examples=400, deadline=None)
def test_an_attempt_follows_a_definite_failure_only(said: list[Answer], open_to: list[str]) -> None:
    tried: list[Tried] = []
    at: str | None = open_to[0]
    for one in said:
        assert at is not None
        tried.append(Tried(f"att_{len(tried)}", at, one.code or ""))
        at = next_gateway(one, tried, open_to, POLICY)
        if at is None:
            break
        assert one.fact is Fact.DECLINED
        assert one.retry not in {Retry.NEVER, Retry.WITH_AUTHENTICATION}
        assert one.code in POLICY.fallback_reasons | POLICY.again_reasons
        times = [each.gateway for each in tried].count(at)
        assert times == 0 or (at == tried[-1].gateway and times <= POLICY.again_max)
    assert len(tried) <= POLICY.attempts_max


@given(options, rules, st.lists(st.sampled_from(GATEWAYS), unique=True), st.sampled_from([None, *GATEWAYS]))
def test_a_decision_names_every_account_and_asks_none_that_cannot(
    known: list[Option], given_rules: list[Rule], preferred: list[str], token_of: str | None
) -> None:
    wish = Wish("eu", "EUR", "card", 1999)
    decision = decide(wish, known, given_rules, ROUTING.success, Context(preferred, token_of))
    assert {c.gateway for c in decision.candidates} == {option.gateway for option in known}
    assert [c.rank for c in decision.candidates if c.rank] == list(range(1, len(decision.gateways) + 1))
    assert all(candidate.reasons for candidate in decision.candidates)
    excluded = {gateway for rule in given_rules if rule.applies(wish) for gateway in rule.exclude}
    for option in known:
        can = option.takes and option.shut is None and option.gateway not in excluded
        assert (option.gateway in decision.gateways) is can
    if token_of in decision.gateways:
        assert decision.gateways[0] == token_of


@given(st.lists(st.tuples(st.sampled_from(Health), st.integers(0, 40)), max_size=60))
def test_a_breaker_lets_one_call_at_a_time_probe_and_always_ends_open_times(steps: list[tuple[Health, int]]) -> None:
    policy, now, circuit = ROUTING.breaker, NOW, Circuit("a")
    calls = failures = 0
    for health, seconds in steps:
        now += timedelta(seconds=seconds)
        if refusal(circuit, now) is None:
            before = circuit.state
            circuit = probing(circuit, now, policy)
            if before is not State.CLOSED:
                assert circuit.state is State.HALF_OPEN
                assert refusal(circuit, now) is not None  # nobody else until it is known
            calls, failures = calls + 1, failures + (health is Health.BAD)
            circuit = after(circuit, health, calls, failures, now, policy)
        if circuit.state is State.OPEN:
            assert circuit.open_until is not None
            assert circuit.open_until <= now + timedelta(seconds=policy.open_seconds_max)
            assert refusal(circuit, circuit.open_until) is None
            calls = failures = 0


def test_a_breaker_opens_by_share_and_number_and_closes_after_enough_probes() -> None:
    policy = ROUTING.breaker
    assert after(Circuit("a"), Health.BAD, 9, 9, NOW, policy).state is State.CLOSED
    assert after(Circuit("a"), Health.BAD, 30, 14, NOW, policy).state is State.CLOSED
    opened = after(Circuit("a"), Health.BAD, 10, 5, NOW, policy)
    assert (opened.state, opened.open_count) == (State.OPEN, 1)
    assert refusal(opened, NOW) == "its breaker is open"
    later = NOW + timedelta(seconds=policy.open_seconds)
    half = probing(opened, later, policy)
    again = after(half, Health.BAD, 1, 1, later, policy)
    assert again.open_until == later + timedelta(seconds=2 * policy.open_seconds)
    good = after(half, Health.GOOD, 1, 0, later, policy)
    assert good.state is State.HALF_OPEN
    assert after(probing(good, later, policy), Health.GOOD, 2, 0, later, policy).state is State.CLOSED


def test_cost_success_and_order_decide_in_that_order() -> None:
    wish = Wish("eu", "EUR", "card", 1999)

    def first(*known: Option, preferred: tuple[str, ...] = ()) -> str:
        return decide(wish, known, (), ROUTING.success, Context(preferred)).gateways[0]

    a, b = Option("a", "x", 1, takes=True, cost_bps=150), Option("b", "y", 2, takes=True, cost_bps=150)
    assert first(a, b) == "a"
    assert first(a, Option("b", "y", 2, takes=True, cost_bps=149)) == "b"
    poor = Option("a", "x", 1, takes=True, cost_bps=150, attempts=100, successes=80)
    good = Option("b", "y", 2, takes=True, cost_bps=200, attempts=100, successes=90)
    assert first(poor, good) == "b"  # ten points are worth more than fifty basis points
    assert first(poor, good, preferred=("a",)) == "a"
    assert first(Option("a", "x", 1, takes=True, cost_bps=150, attempts=9, successes=0), good) == "a"  # too few to tell
    assert pause_bound_ms(1, POLICY) < pause_bound_ms(2, POLICY) <= POLICY.pause_ms_max
