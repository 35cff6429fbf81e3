"""Which contract with a gateway holds, and what it makes of an amount: test_recon_matching holds SQL against it."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.recon.fee_book import CONTRACTS, TERMS, load_fee_book
from pipelines.recon.fees import ANY, Contract, FeeBook, FeeContractError, Terms, Traits

DAY = date(2026, 3, 14)
VISA = Traits("psp", "MeridianEU", "visa", "visacorporatecredit", "eu", "EUR")
RATES = {("payment", "interchange", ANY): Terms(3000)}


def value(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from([ANY, *names])


DAYS = st.integers(-2, 3).map(lambda days: DAY + timedelta(days=days))
CONTRACT = st.builds(
    Contract,
    name=st.just(""),
    gateway=st.just("psp"),
    account=value("MeridianEU"),
    method=value("visa", "mc"),
    variant=value("visacorporatecredit"),
    region=st.just(ANY),
    currency=value("EUR"),
    valid_from=DAYS,
    valid_until=DAYS,
)
TRAITS = st.builds(
    Traits,
    gateway=st.just("psp"),
    account=st.sampled_from(["MeridianEU", "Other"]),
    method=st.sampled_from(["visa", "mc", ""]),
    variant=st.sampled_from(["visacorporatecredit", "debit"]),
    region=st.just("eu"),
    currency=st.sampled_from(["EUR", "USD"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CONTRACT, max_size=5), st.lists(st.tuples(TRAITS, DAYS), min_size=1, max_size=8))
def test_of_contracts_that_are_accepted_one_holds_wherever_any_fits_and_no_other_is_within_it(
    contracts: list[Contract], lines: list[tuple[Traits, date]]
) -> None:
    valid = [one for one in contracts if one.valid_from < one.valid_until]
    named = [replace(one, name=f"c{number}") for number, one in enumerate(valid)]
    try:
        book = FeeBook(named)
    except FeeContractError:
        return
    assert [one.name for one in FeeBook(reversed(named)).contracts] == [one.name for one in book.contracts]
    for traits, on in lines:
        fitting = [one for one in named if one.fits(traits, on)]
        chosen = book.choose(traits, on)
        assert (chosen is None) == (not fitting)
        if chosen:
            assert sum(part != ANY for part in chosen.scope) == max(
                sum(part != ANY for part in one.scope) for one in fitting
            ), "SQL counts what a contract names"
            assert [one for one in fitting if one.scope == chosen.scope] == [chosen]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(-(10**12), 10**12),
    st.integers(0, 200_000),
    st.integers(0, 1000),
    st.integers(0, 500),
    st.none() | st.integers(500, 5000),
)
def test_a_charge_is_the_share_rounded_half_even_and_the_fixed_sum_within_the_limits(
    amount: int, millionths: int, fixed: int, least: int, most: int | None
) -> None:
    charged = Terms(millionths, fixed, least, most).charge_minor(amount)
    share = (abs(Decimal(amount)) * millionths / 1_000_000).to_integral_value(ROUND_HALF_EVEN)
    assert charged == min(max(int(share) + fixed, least), charged if most is None else most)
    assert charged >= least
    assert most is None or charged <= most
    assert charged == Terms(millionths, fixed, least, most).charge_minor(-amount)


def test_the_most_specific_holds_from_its_first_day_and_not_on_the_day_of_its_end() -> None:
    book = FeeBook(
        [
            Contract("all", "psp"),
            Contract("visa", "psp", method="visa", valid_from=DAY, valid_until=DAY + timedelta(days=2)),
            Contract("corporate", "psp", method="visa", variant="visacorporatecredit", currency="EUR", valid_from=DAY),
            Contract("corporate-us", "psp", account="MeridianUS", method="visa", variant="visacorporatecredit"),
            Contract("both", "psp", "MeridianUS", "visa", "visacorporatecredit", currency="EUR"),
        ]
    )

    def name(day: int, **others: str) -> str:
        found = book.choose(replace(VISA, **others), DAY + timedelta(days=day))
        return found.name if found else ""

    assert [name(day, currency="USD") for day in (-1, 0, 1, 2)] == ["all", "visa", "visa", "all"]
    assert [name(day) for day in (-1, 0, 9)] == ["all", "corporate", "corporate"]
    assert name(0, account="MeridianUS") == "both"
    assert name(0, gateway="other") == ""
    assert (book.has("psp"), book.has("other")) == (True, False)


@pytest.mark.parametrize(
    ("contracts", "sentence"),
    [
        (
            [Contract("a", "psp", method="visa"), Contract("b", "psp", currency="EUR", valid_from=DAY)],
            "method visa, currency EUR from 2026-03-14, and neither is the more specific: add one for exactly these",
        ),
        (
            [
                Contract("a", "psp", method="visa"),
                Contract("b", "psp", currency="EUR"),
                Contract("c", "psp", method="visa", currency="EUR", valid_until=DAY),
            ],
            "Contracts 'a' and 'b' both hold for gateway psp, method visa, currency EUR from 2026-03-14, ",
        ),
        (
            [Contract("a", "psp", valid_until=DAY), Contract("b", "psp", valid_from=DAY - timedelta(days=1))],
            "both hold from 2026-03-13 until 2026-03-14: end one before the other begins",
        ),
        ([Contract("a", "psp"), Contract("a", "other")], "There are two contracts 'a'"),
        ([Contract("a", ANY)], "names no gateway"),
        ([Contract("a", "psp", valid_from=DAY, valid_until=DAY)], "before it begins"),
        ([Contract("a", "psp", terms={("payment", "tip", ANY): Terms(1)})], "use interchange, scheme"),
        ([Contract("a", "psp", terms={("payment", "scheme", ANY): Terms(0, 10)})], "no currency that they are in"),
        ([Contract("a", "psp", terms={("payment", "scheme", "EUR"): Terms(1, -1)})], "is negative"),
        ([Contract("a", "psp", currency="USD", terms={("refund", "scheme", "EUR"): Terms(1)})], "but it is about USD"),
        ([Contract("a", "psp", terms={("payment", "scheme", "EUR"): Terms(1, 0, 9, 8)})], "8 is below the minimum 9"),
    ],
)  # fmt: skip
def test_contracts_that_contradict_each_other_are_refused_in_a_sentence(
    contracts: list[Contract], sentence: str
) -> None:
    with pytest.raises(FeeContractError) as error:
        FeeBook(contracts)
    assert sentence in str(error.value)


def test_a_gap_between_days_is_decided_by_none_and_adjacent_ones_are_not_ambiguous() -> None:
    book = FeeBook(
        [Contract("old", "psp", valid_until=DAY), Contract("new", "psp", valid_from=DAY, valid_until=date(2027, 1, 1))]
    )
    found = [book.choose(VISA, day) for day in (DAY - timedelta(days=1), DAY, date(2027, 1, 1))]
    assert [one.name if one else None for one in found] == ["old", "new", None]


def test_terms_of_a_currency_come_before_those_of_any_and_what_is_not_named_is_free() -> None:
    own = {("payment", "commission", ANY): Terms(14_000), ("payment", "commission", "EUR"): Terms(14_000, 25, 30, 500)}
    contract = Contract("a", "psp", terms=RATES | own)
    assert contract.expected("payment", "EUR", 10_000) == {
        "interchange": 30,
        "scheme": 0,
        "markup": 0,
        "commission": 165,
    }
    assert contract.expected("payment", "EUR", 100)["commission"] == 30
    assert contract.expected("payment", "EUR", 10**7)["commission"] == 500
    assert contract.expected("payment", "USD", 10_000)["commission"] == 140
    assert sum(contract.expected("refund", "EUR", 10_000).values()) == 0


def test_the_projects_contracts_are_read_and_a_wrong_file_is_a_sentence(tmp_path: Path) -> None:
    book = load_fee_book()
    amex = book.choose(Traits("sandbox", "MeridianEU", "amex", "amex", "eu", "EUR"), DAY)
    assert amex
    assert amex.expected("payment", "EUR", 1000)["commission"] == 24
    for contracts, terms, sentence in (
        ("", "", "fee_contracts.csv: the columns must be contract, gateway"),
        ("\na,psp,*,*,*,*,*,soon,", "", "valid_from is 'soon', not a day"),
        ("\na,psp,*,*,*,*,*,,", "\nb,payment,scheme,*,1,0,0,", "terms of a contract 'b', which there is not"),
        ("\na,psp,*,*,*,*,*,,", "\na,payment,scheme,*,x,0,0,", "percent_millionths is 'x', not a whole number"),
        ("\na,psp,*,*,*,*,*,,", 2 * "\na,payment,scheme,*,1,0,0,", "states scheme of payment in * twice"),
    ):
        (tmp_path / "fee_contracts.csv").write_text((",".join(CONTRACTS) if contracts else "contract") + contracts)
        (tmp_path / "fee_terms.csv").write_text(",".join(TERMS) + terms)
        with pytest.raises(FeeContractError) as error:
            load_fee_book(tmp_path)
        assert sentence in str(error.value)
