from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.demo.cards import stolen
from regions.logs import passes_luhn
from web.sandbox.cards.domain import (
    TEST_CARDS,
    Card,
    CardError,
    TestCard,
    find_test_card,
    fingerprint_key,
    read_card,
)
from web.sandbox.cards.scenarios import MAGIC_AMOUNTS, Scenario, scenario_of
from web.sandbox.ids import psp_reference
from web.sandbox.payments.domain import Payment, ThreeDs, authorise, charge, problem_with_amount

NOW = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
KEY = fingerprint_key("control", "MeridianEU")


def payment(scenario: Scenario, **wishes: Any) -> Payment:
    facts: dict[str, Any] = dict.fromkeys(field.name for field in fields(Payment)) | {
        "method": "card",
        "three_ds": "auto",
        "capture_mode": "automatic",
        "scenario": scenario,
    }
    return Payment(**facts | wishes)


def read(number: str = "4242424242424242", month: str = "12", year: str = "34", cvc: str = "123") -> Card:
    return read_card(number, month, year, cvc, now=NOW, fingerprint_key=KEY)


@pytest.mark.parametrize("card", TEST_CARDS.values(), ids=lambda card: card.number)
def test_every_test_card_can_be_used(card: TestCard) -> None:
    read_back = read(card.grouped, cvc="1234" if card.brand == "amex" else "123")
    assert (read_back.scenario, read_back.brand, read_back.last4) == (card.scenario, card.brand, card.number[-4:])


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"number": "4242424242424241"}, "number", "incorrect_number"),
        ({"number": "4242"}, "number", "invalid_number"),
        ({"number": ""}, "number", "invalid_number"),
        ({"number": "4242 4242 4242 424x"}, "number", "invalid_number"),
        ({"number": "\u0664242424242424242"}, "number", "invalid_number"),  # a digit, but not ASCII
        ({"number": "4111111111111111"}, "number", "not_a_test_card"),
        ({"month": "10", "year": "26"}, "exp_month", "expired_card"),
        ({"month": "12", "year": "2025"}, "exp_month", "expired_card"),
        ({"month": "13"}, "exp_month", "invalid_expiry"),
        ({"month": "0"}, "exp_month", "invalid_expiry"),
        ({"month": ""}, "exp_month", "invalid_expiry"),
        ({"year": "123"}, "exp_month", "invalid_expiry"),
        ({"year": "2099"}, "exp_month", "invalid_expiry"),
        ({"cvc": "12"}, "cvc", "invalid_cvc"),
        ({"cvc": "1234"}, "cvc", "invalid_cvc"),
        ({"cvc": ""}, "cvc", "invalid_cvc"),
    ],
)
def test_a_wrong_card_names_its_first_wrong_field(fields: dict[str, str], field: str, code: str) -> None:
    with pytest.raises(CardError) as caught:
        read(**fields)
    assert (caught.value.field, caught.value.code) == (field, code)


def test_a_card_is_good_until_its_month_ends() -> None:
    assert read(month="11", year="26").brand == "visa"
    assert read(month="11", year="2026").brand == "visa"


def test_a_fingerprint_is_one_per_card_and_account_and_hides_the_number() -> None:
    other_account = fingerprint_key("control", "MeridianUS")
    theirs = read_card("4242424242424242", "12", "34", "123", now=NOW, fingerprint_key=other_account)
    assert read().fingerprint == read("4242 4242 4242 4242", month="1", year="2030").fingerprint
    assert read().fingerprint != read("5555555555554444").fingerprint
    assert read().fingerprint != theirs.fingerprint
    assert "4242" * 4 not in repr(read())


def test_a_psp_reference_is_never_taken_for_a_card_number() -> None:
    references = [psp_reference() for _ in range(500)]
    assert all(len(reference) == 16 and reference[0] != "0" for reference in references)
    assert not any(passes_luhn([int(digit) for digit in reference]) for reference in references)


@pytest.mark.parametrize(
    ("scenario", "three_ds", "status", "decline_code"),
    [
        (Scenario.SUCCEED, "auto", "captured", None),
        (Scenario.SUCCEED, "force", "requires_action", None),
        (Scenario.DECLINE, "auto", "declined", "card_declined"),
        (Scenario.DECLINE, "force", "requires_action", None),
        (Scenario.INSUFFICIENT_FUNDS, "none", "declined", "insufficient_funds"),
        (Scenario.CHALLENGE, "auto", "requires_action", None),
        (Scenario.CHALLENGE, "none", "declined", "authentication_required"),
        (Scenario.CHALLENGE_THEN_DECLINE, "auto", "requires_action", None),
        (Scenario.CAPTURE_LATER, "auto", "pending", None),
    ],
)
def test_the_first_answer_to_a_charge(
    scenario: Scenario, three_ds: ThreeDs, status: str, decline_code: str | None
) -> None:
    outcome = authorise(payment(scenario, three_ds=three_ds))
    assert (outcome.status, outcome.decline_code) == (status, decline_code)


def test_a_passed_challenge_leaves_the_cards_own_outcome() -> None:
    assert charge(payment(Scenario.CHALLENGE)).status == "captured"
    assert charge(payment(Scenario.CHALLENGE_THEN_DECLINE)).decline_code == "card_declined"
    assert charge(payment(Scenario.TIMEOUT_AFTER_CHARGE)).is_held
    assert charge(payment(Scenario.ERROR_AFTER_CHARGE)).is_lost


@pytest.mark.parametrize("scenario", Scenario)
def test_money_set_aside_or_taken_is_decided_by_the_merchants_wish(scenario: Scenario) -> None:
    automatic, manual = charge(payment(scenario)), charge(payment(scenario, capture_mode="manual"))
    assert automatic.decline_code == manual.decline_code
    assert (automatic.status, manual.status) in {
        ("captured", "authorised"),
        ("declined", "declined"),
        ("pending", "pending"),
    }


def test_without_its_payer_a_card_that_wants_authentication_declines() -> None:
    for scenario in (Scenario.CHALLENGE, Scenario.AUTHENTICATION_REQUIRED_LATER):
        outcome = authorise(payment(scenario, three_ds="force"), is_payer_present=False)
        assert outcome.decline_code == "authentication_required"
    assert authorise(payment(Scenario.SUCCEED, three_ds="force"), is_payer_present=False).status == "captured"


@pytest.mark.parametrize(("amount_minor", "scenario"), MAGIC_AMOUNTS.items())
def test_a_magic_amount_gives_way_to_a_cards_own_outcome(amount_minor: int, scenario: Scenario) -> None:
    assert scenario_of(Scenario.SUCCEED, amount_minor) is scenario
    assert scenario_of(Scenario.DECLINE, amount_minor) is Scenario.DECLINE
    assert scenario_of(Scenario.SUCCEED, amount_minor + 100) is Scenario.SUCCEED


def test_every_outcome_has_a_card_or_an_amount() -> None:
    reachable = {card.scenario for card in TEST_CARDS.values()} | set(MAGIC_AMOUNTS.values())
    assert reachable == set(Scenario)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "pointer"),
    [(0, "EUR", "/amount_minor"), (-1, "JPY", "/amount_minor"), (10**12, "KWD", "/amount_minor")]
    + [(1, code, "/currency") for code in ("eur", "EURO", "", "XAU", "ZZZ")],
)
def test_an_amount_that_cannot_be_charged_is_named(amount_minor: int, currency: str, pointer: str) -> None:
    problem = problem_with_amount(amount_minor, currency)
    assert problem is not None
    assert problem[0] == pointer


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD", "CLF"])
def test_an_amount_of_any_exponent_can_be_charged(currency: str) -> None:
    assert problem_with_amount(1, currency) is None
    assert problem_with_amount(10**12 - 1, currency) is None


def test_stolen_cards_are_cards_of_their_own_and_are_declined() -> None:
    assert len({read(stolen(number).number).fingerprint for number in range(50)}) == 50
    assert read(stolen(7).number).scenario is Scenario.DECLINE
    assert find_test_card("400000999") is None
