"""Features and rules as declared: what is wrong in a file is named with the file and the field."""

from pathlib import Path

import pytest

from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError
from regions.events import event_type
from regions.features import FEATURES_FILE, Entity, feature_set
from regions.residency import ResidencyClass
from web.risk.domain import Condition, Decision, Rule, device_signal, judge
from web.risk.rules import RULES_FILE, load_rules

GOOD = """
attribution = "1d"
[features.card_amount_24h]
description = "x"
entity = "card_token"
events = ["risk.assessed"]
aggregate = "sum"
column = "amount_minor"
match = ["currency"]
where = { decision = ["allow"] }
window = "24h"
"""


def test_every_declared_feature_is_a_field_of_the_event_and_none_is_another() -> None:
    told = event_type("risk.assessed").schema["properties"]["features"]["properties"]
    assert set(feature_set().names) == set(told), "a feature that is gone stays a field: then this is <="
    assert len(feature_set().features) >= 12
    assert {feature.entity for feature in feature_set().features} == set(Entity)


def test_every_token_is_personal_and_may_be_absent() -> None:
    kind = event_type("risk.assessed")
    for token in ("email_token", "card_token", "device_token", "ip_token"):
        assert kind.residency[f"/{token}"] is ResidencyClass.PII
        assert token not in kind.schema["required"]


BAD = {
    "unknown entity": ('entity = "card_token"', 'entity = "card"', "entity is 'card'"),
    "unknown event": ('"risk.assessed"', '"risk.imagined"', "events is 'risk.imagined'"),
    "event that checkout cannot look up": ('"risk.assessed"', '"link.created"', "events is 'link.created'"),
    "unknown column": ('column = "amount_minor"', 'column = "amount"', "column needs the column 'amount'"),
    "column of another event": ('"risk.assessed"', '"payment.requires_action"', "needs the column"),
    "column of another type": ('column = "amount_minor"', 'column = "decision"', "needs integer"),
    "unknown aggregate": ('"sum"', '"median"', "aggregate is 'median'"),
    "column for count": ('"sum"', '"count"', "column is not for count"),
    "no column": ('column = "amount_minor"\n', "", "column is missing"),
    "mixed currencies": ('match = ["currency"]\n', "", "amounts of different currencies do not add up"),
    "unknown match": ('match = ["currency"]', 'match = ["money"]', "match needs the column 'money'"),
    "unknown where": ("decision = [", "verdict = [", "where needs the column 'verdict'"),
    "a person in where": ('decision = ["allow"]', 'email_token = ["v1.aa"]', "is personal data"),
    "no window": ('window = "24h"\n', "", "window is missing"),
    "odd window": ('"24h"', '"1 day"', "window is '1 day'"),
    "too long a window": ('"24h"', '"31d"', "window is 31d, longer than"),
    "too long a window of a merchant": (
        'entity = "card_token"\n',
        'entity = "merchant"\n',
        "window is 24h, longer than 3600",
    ),
    "link without a link": (
        'entity = "card_token"\nevents = ["risk.assessed"]',
        'entity = "link"\nevents = ["payment.requires_action"]',
        "needs the column 'link_id'",
    ),
    "unknown field": ('window = "24h"', 'window = "24h"\ngrain = 1', "grain is unknown"),
    "bad name": ("features.card_amount_24h", 'features."Card; DROP"', "does not have the form"),
    "no feature": (GOOD[GOOD.index("[features") :], "[features]\n", "declares no feature"),
    "no attribution": ('attribution = "1d"\n', "", "attribution is missing"),
    "no TOML": ("[features", "[[features", "is not TOML"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_declaration_names_file_and_field(tmp_path: Path, name: str) -> None:
    old, new, message = BAD[name]
    assert old in GOOD
    path = tmp_path / "features.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        feature_set(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_version_changes_with_the_meaning_only(tmp_path: Path) -> None:
    def version(text: str) -> str:
        path = tmp_path / f"{abs(hash(text))}.toml"
        path.write_text(text)
        return feature_set(path).version

    assert version(GOOD) == version(GOOD.replace('"x"', '"in other words"'))
    versions = {version(GOOD), version(GOOD.replace("24h", "23h")), version(GOOD.replace('"1d"', '"2d"'))}
    assert len(versions) == 3


BAD_RULES = {
    "unknown feature": ('"ip_cards_1h", at_least = 5', '"ip_card", at_least = 5', "feature is 'ip_card'"),
    "unknown decision": ('decision = "block"', 'decision = "refuse"', "decision is 'refuse'"),
    "a rule that allows": ('decision = "block"', 'decision = "allow"', "decision is 'allow'"),
    "no bound": ('"ip_cards_1h", at_least = 5', '"ip_cards_1h"', "would always hold"),
    "bounds that exclude all": ('"ip_cards_1h", at_least = 5', '"ip_cards_1h", at_least = 5, at_most = 4', "above"),
    "no conditions": (None, '[rules.empty]\ndescription = "x"\ndecision = "block"\nall = []\n', "all must be an array"),
}


@pytest.mark.parametrize("name", BAD_RULES)
def test_a_wrong_rule_names_file_and_field(tmp_path: Path, name: str) -> None:
    old, new, message = BAD_RULES[name]
    text = RULES_FILE.read_text()
    path = tmp_path / "risk_rules.toml"
    path.write_text(new if old is None else text.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load_rules(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def rule(name: str, decision: Decision, **bounds: int) -> Rule:
    return Rule(name, "", decision, (Condition("f", **bounds),))


def test_the_strictest_rule_that_fires_decides_and_all_are_reasons() -> None:
    rules = [
        rule("quiet", Decision.BLOCK, at_least=9),
        rule("strict", Decision.BLOCK, at_least=3),
        rule("mild", Decision.CHALLENGE, at_least=2, at_most=5),
    ]
    assert judge(rules, {"f": 1}) == judge([], {"f": 1})
    assert judge(rules, {"f": 1}).decision is Decision.ALLOW
    assert (judge(rules, {"f": 2}).decision, judge(rules, {"f": 2}).reasons) == (Decision.CHALLENGE, ("mild",))
    assert (judge(rules, {"f": 3}).decision, judge(rules, {"f": 3}).reasons) == (Decision.BLOCK, ("strict", "mild"))
    assert judge(rules, {"f": 6}).reasons == ("strict",)


def test_what_is_not_known_fires_nothing() -> None:
    rules = [rule("always", Decision.BLOCK, at_least=0), rule("never", Decision.BLOCK, at_most=9)]
    assert judge(rules, {"f": None}).reasons == ()
    assert judge(rules, {}).reasons == ()
    assert judge(rules, {"f": 0}).decision is Decision.BLOCK


def test_shipped_rules_block_the_pattern_and_nobody_else() -> None:
    rules = load_rules().rules
    fresh = dict.fromkeys(feature_set().names, 0)
    assert judge(rules, fresh).decision is Decision.ALLOW
    busy = fresh | {"ip_cards_1h": 500, "ip_failures_1h": 80}  # a big office behind one address
    assert judge(rules, busy).decision is Decision.ALLOW
    assert judge(rules, busy | {"link_failures_1h": 5}).decision is Decision.BLOCK


def test_the_device_signal_is_what_the_browser_says_and_shows_none_of_it() -> None:
    one = {"User-Agent": "Mozilla/5.0", "Accept-Language": "de"}
    assert device_signal(one) == device_signal({**one, "Cookie": "x"})
    assert device_signal(one) != device_signal({**one, "Accept-Language": "en"})
    assert "Mozilla" not in device_signal(one)


def test_the_contracts_are_where_both_halves_look() -> None:
    assert FEATURES_FILE.parent == RULES_FILE.parent == CONTRACTS
