"""The plan against an oracle that knows no formula: it walks the calendar day by day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.retention.domain import GOES, Holding, LegalHold, Why, decide, judge
from regions.retention import Action, Period, RetentionRule, Trigger

CLASSES = ("payment_record", "payer_token", "gateway_message")
SUBJECTS = ("subj_1", "subj_2", "subj_3")
MERCHANTS = ("merch_1", "merch_2")
TRIGGERS = (Trigger.PAYMENT_FINAL, Trigger.PAYMENT_WITHOUT_MONEY, Trigger.MESSAGE_PROCESSED)
START = date(2024, 1, 15)

days = st.integers(0, 500).map(lambda offset: START + timedelta(days=offset))
periods = st.tuples(st.integers(0, 13), st.integers(0, 40)).map(lambda parts: Period(*parts))


@st.composite
def rules(draw: st.DrawFn) -> RetentionRule:
    minimum, more = draw(periods), draw(periods)
    maximum = Period(minimum.months + more.months, minimum.days + more.days)
    return RetentionRule(
        draw(st.sampled_from(CLASSES)),
        draw(st.sampled_from(TRIGGERS)),
        minimum,
        maximum,
        draw(st.sampled_from(list(Action))),
        "a law",
        "https://law.test/",
    )


@st.composite
def rule_sets(draw: st.DrawFn) -> list[RetentionRule]:
    found = draw(st.lists(rules(), max_size=6))
    return list({(rule.data_class, rule.trigger): rule for rule in found}.values())


@st.composite
def holdings(draw: st.DrawFn) -> Holding:
    subject = draw(st.none() | st.sampled_from(SUBJECTS))
    return Holding(
        draw(st.sampled_from(CLASSES)),
        "subject",
        (draw(st.uuids()).hex,),
        subject,
        draw(st.none() | st.sampled_from(MERCHANTS)),
        draw(st.dictionaries(st.sampled_from(TRIGGERS), days, max_size=3)),
        draw(st.booleans()) and draw(st.booleans()),
    )


holds = st.builds(
    LegalHold,
    id=st.just("hold_1"),
    subject_id=st.none() | st.sampled_from(SUBJECTS),
    merchant_id=st.none() | st.sampled_from(MERCHANTS),
    data_class=st.none() | st.sampled_from(CLASSES),
)


def walk(start: date, period: Period) -> date:
    """The period's end, one month at a time from the first of the start's month, then one day at a time."""
    month = start.replace(day=1)
    for _ in range(period.months):
        month = (month + timedelta(days=32)).replace(day=1)
    last = (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    end = min(last, month + timedelta(days=start.day - 1))
    for _ in range(period.days):
        end += timedelta(days=1)
    return end


def may_go(
    holding: Holding, rules: Sequence[RetentionRule], holds: Sequence[LegalHold], asked: Mapping[str, str], day: date
) -> bool:
    for hold in holds:
        is_class = hold.data_class in {None, holding.data_class}
        is_theirs = hold.subject_id is not None and holding.subject_id in {None, hold.subject_id}
        is_merchants = hold.subject_id is None and (
            hold.merchant_id is None or holding.merchant_id in {None, hold.merchant_id}
        )
        if is_class and (is_theirs or is_merchants):
            return False
    applying = [rule for rule in rules if rule.data_class == holding.data_class and rule.trigger in holding.clock]
    if holding.is_open or not applying:
        return False
    if any(day < walk(holding.clock[rule.trigger], rule.minimum) for rule in applying):
        return False
    is_over = all(day >= walk(holding.clock[rule.trigger], rule.maximum) for rule in applying)
    return is_over or holding.subject_id in asked


case = st.tuples(
    st.lists(holdings(), max_size=8),
    rule_sets(),
    st.lists(holds, max_size=2),
    st.dictionaries(st.sampled_from(SUBJECTS), st.just("ereq_1"), max_size=3),
    st.integers(0, 1200).map(lambda offset: START + timedelta(days=offset)),
)


@settings(max_examples=200, deadline=None)
@given(case)
def test_what_goes_is_what_the_oracle_lets_go(drawn: tuple) -> None:  # type: ignore[type-arg]
    held, by_rules, by_holds, asked, day = drawn
    decisions = decide(held, by_rules, by_holds, asked, day)
    expected = {holding.key for holding in held if may_go(holding, by_rules, by_holds, asked, day)}
    assert {verdict.holding.key for verdict in decisions.going} == expected


@settings(max_examples=100, deadline=None)
@given(case)
def test_a_hold_only_ever_keeps_and_keeps_what_it_covers(drawn: tuple) -> None:  # type: ignore[type-arg]
    held, by_rules, by_holds, asked, day = drawn
    without = {verdict.holding.key for verdict in decide(held, by_rules, (), asked, day).going}
    with_holds = {verdict.holding.key for verdict in decide(held, by_rules, by_holds, asked, day).going}
    covered = {holding.key for holding in held if any(hold.covers(holding) for hold in by_holds)}
    assert with_holds == without - covered


@settings(max_examples=100, deadline=None)
@given(case)
def test_what_may_go_today_may_go_tomorrow(drawn: tuple) -> None:  # type: ignore[type-arg]
    held, by_rules, by_holds, asked, day = drawn
    today = {verdict.holding.key for verdict in decide(held, by_rules, by_holds, asked, day).going}
    tomorrow = {verdict.holding.key for verdict in decide(held, by_rules, by_holds, asked, day + timedelta(1)).going}
    assert today <= tomorrow


@settings(max_examples=100, deadline=None)
@given(case)
def test_a_plan_does_not_depend_on_the_order_of_what_it_reads(drawn: tuple) -> None:  # type: ignore[type-arg]
    held, by_rules, by_holds, asked, day = drawn
    assert decide(held, by_rules, by_holds, asked, day) == decide(held[::-1], by_rules[::-1], by_holds, asked, day)


@settings(max_examples=100, deadline=None)
@given(case)
def test_whoever_asked_is_told_about_everything(drawn: tuple) -> None:  # type: ignore[type-arg]
    held, by_rules, by_holds, asked, day = drawn
    decisions = decide(held, by_rules, by_holds, asked, day)
    told = {verdict.holding.key for verdict in (*decisions.going, *decisions.staying)}
    assert {holding.key for holding in held if holding.subject_id in asked} <= told
    for verdict in decisions.staying:
        assert verdict.why not in GOES
        if verdict.why is Why.MINIMUM:
            assert verdict.until is not None
            assert verdict.until > day
            assert judge(verdict.holding, by_rules, by_holds, asked, verdict.until).goes
