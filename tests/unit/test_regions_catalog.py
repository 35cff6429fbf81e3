import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regions.errors import ConfigurationError
from regions.money import Money
from regions.region import CATALOG, load_catalog, load_region, read_region, region_codes
from regions.region_parts import Export, ScaRule
from regions.residency import ResidencyClass
from regions.retention import data_classes
from web.sandbox.bank.domain import account_number

EU = (CATALOG / "eu.toml").read_text("utf-8")


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Any]:
    def write_and_load(text: str) -> Any:
        path = tmp_path / "eu.toml"
        path.write_text(text, "utf-8")
        return read_region(path)

    return write_and_load


def test_the_shipped_regions_are_what_the_platform_promises() -> None:
    catalog = load_catalog()
    assert region_codes() == ("eu", "hk", "in", "us")
    assert {code: region.sca.rule for code, region in catalog.items()} == {
        "eu": ScaRule.EXEMPT_LOW_VALUE,
        "us": ScaRule.NONE,
        "in": ScaRule.ALWAYS,
        "hk": ScaRule.NONE,
    }
    assert {code: region.gateways_for("card")[0].account for code, region in catalog.items()} == {
        "eu": "MeridianEU",
        "us": "MeridianUS",
        "in": "MeridianIN",
        "hk": "MeridianHK",
    }
    assert catalog["in"].residency.export is Export.AGGREGATES
    for region in catalog.values():
        assert {rule.data_class for rule in region.retention} == set(data_classes())
        assert set(region.texts) == set(region.locales)


def test_the_bank_accounts_of_the_simulated_bank_are_declared() -> None:
    for region in load_catalog().values():
        wanted = {
            (account_number(gateway.account, currency), currency)
            for gateway in region.gateways
            for currency in region.currencies
        }
        assert wanted <= {(bank.account, bank.currency) for bank in region.bank_accounts}


def test_a_region_is_a_value() -> None:
    assert load_region("eu") == read_region(CATALOG / "eu.toml")
    assert hash(load_region("eu")) == hash(read_region(CATALOG / "eu.toml"))


@pytest.mark.parametrize(
    ("region", "amount", "currency", "wanted"),
    [
        ("eu", 2999, "EUR", "auto"),
        ("eu", 3000, "EUR", "force"),
        ("eu", 1, "USD", "force"),  # no threshold, no exemption
        ("in", 1, "INR", "force"),
        ("us", 1_000_000, "USD", "auto"),
        ("hk", 1_000_000, "HKD", "auto"),
    ],
)
def test_strong_authentication_follows_the_regions_rule(region: str, amount: int, currency: str, wanted: str) -> None:
    assert load_region(region).sca.three_ds(Money(amount, currency)) == wanted


def test_a_new_region_is_one_file(tmp_path: Path) -> None:
    shutil.copytree(CATALOG, tmp_path / "catalog")
    text = EU.replace('code = "eu"', 'code = "uk"').replace("Europe/Berlin", "Europe/London")
    (tmp_path / "catalog" / "uk.toml").write_text(text, "utf-8")
    catalog = load_catalog(tmp_path / "catalog")
    assert sorted(catalog) == ["eu", "hk", "in", "uk", "us"]
    assert catalog["uk"].api_base_url({"API_BASE_URL_UK": "https://uk.example/"}) == "https://uk.example"


def test_an_unknown_region_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="no region 'xx': the catalog has eu, hk, in, us"):
        load_region("xx")


# Each way to break the file, and the field that the message must name.
BROKEN = {
    "unknown field": ('code = "eu"', 'code = "eu"\ncolour = "blue"', "colour is unknown"),
    "unknown field in a table": (
        'name = "card"',
        'name = "card"\nbrand = "x"',
        r"payment_methods\[0\].brand is unknown",
    ),
    "unknown table": ("[residency]", "[extra]\na = 1\n[residency]", "extra is unknown"),
    "wrong code": ('code = "eu"', 'code = "us"', "code is 'us'"),
    "code of a bad form": ('code = "eu"', 'code = "EU"', "code is 'EU'"),
    "blank name": ('name = "European Union"', 'name = " "', "name must be a text"),
    "number for text": ('name = "European Union"', "name = 1", "name must be a text"),
    "bad country": ('country = "DE"', 'country = "Germany"', "country is 'Germany'"),
    "unknown currency": ('"CZK", ', '"CZE", ', "currencies is 'CZE'"),
    "currency without minor unit": ('"CZK", ', '"XAU", ', "currencies is 'XAU'"),
    "currency twice": ('"CZK", ', '"EUR", ', "currencies has the same text twice"),
    "no currency": (
        'currencies = ["EUR", "CZK", "DKK", "HUF", "PLN", "RON", "SEK"]',
        "currencies = []",
        "currencies must",
    ),
    "currency as text": (
        'currencies = ["EUR", "CZK", "DKK", "HUF", "PLN", "RON", "SEK"]',
        'currencies = "EUR"',
        "currencies must",
    ),
    "default locale elsewhere": ('default_locale = "en-IE"', 'default_locale = "en-US"', "default_locale is 'en-US'"),
    "bad locale": ('"de-DE", ', '"german", ', "locales is 'german'"),
    "unknown time zone": ("Europe/Berlin", "Europe/Atlantis", "timezone is 'Europe/Atlantis'"),
    "time zone outside the data": ("Europe/Berlin", "../../etc/passwd", "timezone is '../../etc/passwd'"),
    "method flag": ("is_pushed = false", 'is_pushed = "no"', r"payment_methods\[0\].is_pushed must be true or false"),
    "method nobody takes": (
        "[[gateways]]",
        '[[payment_methods]]\nname = "wallet"\nis_pushed = false\n[[gateways]]',
        "gateways has no account that takes wallet",
    ),
    "method twice": (
        "[[gateways]]",
        '[[payment_methods]]\nname = "card"\nis_pushed = false\n[[gateways]]',
        "payment_methods has card twice",
    ),
    "method in another currency": (
        "is_pushed = false",
        'is_pushed = false\ncurrencies = ["USD"]',
        "currencies is 'USD'",
    ),
    "gateway takes what there is not": (
        'methods = ["card", "sepa_debit"]',
        'methods = ["cash"]',
        r"gateways\[0\].methods is 'cash'",
    ),
    "gateway order": ("order = 1", "order = 0", r"gateways\[0\].order must be a whole number, 1 at least"),
    "gateway order true": ("order = 1", "order = true", r"gateways\[0\].order must be a whole number"),
    "two gateways first": (
        "# A remote",
        '[[gateways]]\nadapter = "sandbox"\nname = "other"\naccount = "A"\norder = 1\nmethods = ["card"]\n# A remote',
        "gateways has 1 twice",
    ),
    "unknown rule": ('rule = "exempt-low-value"', 'rule = "sometimes"', "sca.rule is 'sometimes'"),
    "threshold missing": ("SEK = 32000\n", "", "sca.exempt_below_minor.SEK is missing"),
    "threshold fractional": ("SEK = 32000", "SEK = 320.00", "sca.exempt_below_minor.SEK must be a whole number"),
    "threshold of another currency": ("SEK = 32000", "SEK = 32000\nUSD = 1", "sca.exempt_below_minor.USD is unknown"),
    "thresholds without use": ('rule = "exempt-low-value"', 'rule = "always"', "sca.exempt_below_minor is unknown"),
    "text of a locale": ("[texts.fr-FR]", "[texts.fr-CA]", "texts.fr-FR is missing"),
    "export": ('export = "columns"', 'export = "all"', "residency.export is 'all'"),
    "group of one": ("minimum_group_size = 20", "minimum_group_size = 1", "residency.minimum_group_size must be"),
    "unknown data class": (
        'data_class = "access_log"',
        'data_class = "selfies"',
        r"retention\[10\].data_class is 'selfies'",
    ),
    "unknown trigger": ('trigger = "dispute_closed"', 'trigger = "whenever"', r"retention\[6\].trigger is 'whenever'"),
    "unknown action": ('action = "null_tokens"', 'action = "hide"', r"retention\[4\].action is 'hide'"),
    "minimum above maximum": (
        'min = "P13M"\nmax = "P10Y"',
        'min = "P11Y"\nmax = "P10Y"',
        r"retention\[0\].min is above max",
    ),
    "period of a bad form": ('max = "P10Y"', 'max = "10 years"', r"retention\[0\].max is '10 years'"),
    "period of nothing": ('max = "P10Y"', 'max = "P"', r"retention\[0\].max is 'P'"),
    "rule twice": (
        'data_class = "access_log"',
        'data_class = "idempotent_answer"',
        "no rule for the data class access_log",
    ),
    "source": (
        "https://www.gesetze-im-internet.de/gwg_2017/__8.html",
        "the law",
        r"retention\[7\].source is 'the law'",
    ),
    "creditor with wrong digits": (
        "DE98ZZZ",
        "DE97ZZZ",
        r"mandates\[1\].creditor_id is 'DE97ZZZ09999999999', no",
    ),
    "creditor of no form": (
        '"DE98ZZZ09999999999"',
        '"DE 98"',
        r"mandates\[1\].creditor_id is 'DE 98', no SEPA",
    ),
    "SEPA without creditor": ("creditor_id", "# creditor_id", r"mandates\[1\].creditor_id is missing"),
    "creditor where none is named": (
        "reference_length_max = 0",
        'reference_length_max = 0\ncreditor_id = "DE98ZZZ09999999999"',
        r"mandates\[0\].creditor_id is unknown",
    ),
    "retention as a table": ("[[retention]]", "[retention]", "is not TOML"),
    "not TOML": ('code = "eu"', "code = eu", "is not TOML"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_field_stops_the_load_with_file_and_field(name: str, load: Callable[[str], Any], tmp_path: Path) -> None:
    old, new, message = BROKEN[name]
    assert old in EU
    with pytest.raises(ConfigurationError, match=message) as caught:
        load(EU.replace(old, new, 1))
    assert str(tmp_path / "eu.toml") in str(caught.value)


def fields(text: str) -> list[tuple[int, str]]:
    """Every `name = value` line, with the name as the message must give it."""
    found, table, counts = [], "", {}
    for number, line in enumerate(text.splitlines()):
        if line.startswith("[["):
            name = line.strip("[]")
            counts[name] = counts.get(name, -1) + 1
            table = f"{name}[{counts[name]}]."
        elif line.startswith("["):
            table = f"{line.strip('[]')}."
        elif " = " in line and not line.startswith("#"):
            found.append((number, table + line.split(" = ")[0]))
    return found


@pytest.mark.parametrize("code", ["eu", "us", "in", "hk"])
def test_every_field_is_needed_and_named_when_it_is_missing(code: str, tmp_path: Path) -> None:
    lines = (CATALOG / f"{code}.toml").read_text("utf-8").splitlines()
    path = tmp_path / f"{code}.toml"
    names = fields("\n".join(lines))
    assert len(names) > 80
    for number, name in names:
        if name.startswith("payment_methods[") and name.endswith(".currencies"):  # all of the region's, unless given
            continue
        path.write_text("\n".join(lines[:number] + lines[number + 1 :]), "utf-8")
        with pytest.raises(ConfigurationError) as caught:
            read_region(path)
        assert str(caught.value) == f"{path}: field {name} is missing"


def test_a_field_of_the_wrong_type_is_named_wherever_it_is(tmp_path: Path) -> None:
    lines = EU.splitlines()
    path = tmp_path / "eu.toml"
    for number, name in fields(EU):
        changed = lines[number].split(" = ")[0] + " = 1979-05-27"
        path.write_text("\n".join([*lines[:number], changed, *lines[number + 1 :]]), "utf-8")
        with pytest.raises(ConfigurationError) as caught:
            read_region(path)
        assert str(caught.value).startswith(f"{path}: field {name} ")


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"eu\.toml: the file cannot be read"):
        read_region(tmp_path / "eu.toml")
    (tmp_path / "eu.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"eu\.toml: the file is not TOML"):
        read_region(tmp_path / "eu.toml")
    with pytest.raises(ConfigurationError, match="no region in this folder"):
        load_catalog(tmp_path / "nothing")


def test_residency_classes_are_the_three() -> None:
    assert [one.value for one in ResidencyClass] == ["exportable", "regional", "pii"]
